"""A local stand-in for the Rapidfolio Runner, Human Review and Webhook API, for rehearsals and tests.

It is built from the API's documents alone and imports nothing of the rest of batchrun, so that it cannot share a
mistake with the client. `serve.serve` runs it; `knobs.parse_knobs` reads what it can be told to do.
"""
