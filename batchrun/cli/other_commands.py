"""The commands beside jobs and batches: simulate, doctor, key."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from batchrun.cli import options as o
from batchrun.cli.answering import answer
from batchrun.cli.screen import Screen


class SignatureEncoding(StrEnum):
    """How a signature may be written."""

    HEX = "hex"
    BASE64 = "base64"


def simulate(
    port: Annotated[
        int, o.number_option("--port", least=0, most=65535, such_as=8020, help="0 finds a free one.")
    ] = 8020,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    seed: Annotated[int | None, o.number_option("--seed", help="Repeats the same fates and run ids.")] = None,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="FILE", help="Keep the runs in this file.", show_default=False)
    ] = None,
    knob: Annotated[
        list[str] | None, typer.Option("--knob", metavar="NAME=VALUE", help="Turns a knob; see --knobs.")
    ] = None,
    knobs: Annotated[bool, typer.Option("--knobs", help="List the knobs.")] = False,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Stand in for the API on this machine, for rehearsals and tests."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> tuple[dict[str, Any], int]:
        from batchrun.errors import BadCommandLine, CouldNotStart
        from batchrun.simulator.knobs import KnobError, knob_help, parse_knobs
        from batchrun.simulator.serve import Options, serve

        if knobs:
            screen.answer(knob_help())
            return {"version": 1, "error": None}, 0
        try:
            options = Options(host, port, seed, state, parse_knobs(knob or []), machine=json)
        except KnobError as error:
            raise BadCommandLine(f"--knob: {error}") from None
        code = serve(options)
        if code:
            raise CouldNotStart("the simulator did not start; the line above says why")
        return {"version": 1, "error": None}, code

    # With --json its one document is the line that it prints when it listens, so a clean end prints none.
    return answer(screen, "simulate", work, answered_already=json and not knobs)


def listen(
    port: Annotated[
        int, o.number_option("--port", least=0, most=65535, such_as=8030, help="0 finds a free one.")
    ] = 8030,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    signature_header: Annotated[
        str, typer.Option("--signature-header", help="The header that holds the signature.")
    ] = "X-Rapid-Signature",
    signature_prefix: Annotated[
        str, typer.Option("--signature-prefix", help="What may stand before the signature.")
    ] = "sha256=",
    signature_encoding: Annotated[
        SignatureEncoding,
        o.words_option("--signature-encoding", words=SignatureEncoding, help="How the signature is written."),
    ] = SignatureEncoding.HEX,
    journal: o.JournalPath = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Receive webhooks into the journal. Then runs need not be asked about one by one."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> tuple[dict[str, Any], int]:
        from batchrun.core.webhooks import Signing
        from batchrun.flows import listen as flow

        signing = Signing(signature_header, signature_prefix, signature_encoding.value)
        where: list[str] = []

        def told(address: str) -> None:
            where.append(address)
            screen.announce(f"Listening on {address}; Ctrl-C stops it.")

        flow.listen(host, port, signing, journal, told)
        return {"version": 1, "listened": where[0], "error": None}, 0

    return answer(screen, "listen", work)


def doctor(
    environment: o.Environment = o.EnvironmentName.SANDBOX,
    base_url: o.BaseUrl = None,
    review_url: o.ReviewUrl = None,
    journal: o.JournalPath = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Check key, network, clock, disk and journal; start no run."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> tuple[dict[str, Any], int]:
        from batchrun.cli.words import table
        from batchrun.flows import doctor as flow
        from batchrun.flows.origins import origins

        findings = flow.doctor(environment.value, origins(base_url, review_url), journal)
        for line in table([["good" if one.good else "BAD", one.name, one.told] for one in findings]):
            screen.answer(line)
        document = {
            "version": 1,
            "findings": [{"name": one.name, "good": one.good, "message": one.told} for one in findings],
            "error": None,
        }
        return document, 0

    return answer(screen, "doctor", work)


def key_set(
    environment: o.Environment = o.EnvironmentName.SANDBOX, json: o.Json = False, quiet: o.Quiet = False
) -> int:
    """Keep an API key in the system's key store. It is asked for, never taken from the command line."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> tuple[dict[str, Any], int]:
        import getpass

        from batchrun.errors import BadKey
        from batchrun.io.api_key import store_key

        typed = getpass.getpass("API key (it is not shown): ") if sys.stdin.isatty() else sys.stdin.readline()
        if not typed.strip():
            raise BadKey("no key was typed; nothing was kept")
        name = store_key(environment.value, typed.strip())
        screen.answer(f"Kept in the system's key store as {name}.")
        return {"version": 1, "name": name, "error": None}, 0

    return answer(screen, "key set", work)
