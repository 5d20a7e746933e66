"""Run the simulator as `python -m batchrun.simulator`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from batchrun.simulator.knobs import KnobError, knob_help, parse_knobs
from batchrun.simulator.serve import Options, serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, run, and give the exit code."""
    given = _parser().parse_args(arguments)
    try:
        knobs = parse_knobs(given.knob)
    except KnobError as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    return serve(Options(given.host, given.port, given.seed, given.state, knobs, given.machine, given.exit_with_stdin))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m batchrun.simulator",
        description="A local stand-in for the Rapidfolio API.",
        epilog=f"knobs:\n{knob_help().replace('%', '%%')}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=8020, help="the port to listen on; 0 finds a free one (%(default)s)"
    )
    parser.add_argument("--seed", type=int, help="repeats fates and run ids; without it fates repeat and ids are new")
    parser.add_argument("--state", type=Path, metavar="FILE", help="keep runs in this file over a stop or a kill")
    parser.add_argument(
        "--knob", action="append", default=[], metavar="NAME=VALUE", help="turn a knob; may be repeated"
    )
    parser.add_argument("--machine", action="store_true", help="say where it listens as one line of JSON")
    parser.add_argument("--exit-with-stdin", action="store_true", help="stop when stdin ends, and so with the parent")
    return parser


if __name__ == "__main__":
    sys.exit(main())
