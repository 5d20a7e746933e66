"""Turn the rows of a spreadsheet into runs of a Rapidfolio procedure."""

__version__ = "0.1.0"
