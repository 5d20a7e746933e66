"""Arguments in, words and progress out, exit code: the command line as a whole."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated, NoReturn

import typer

import batchrun
from batchrun.cli import batch_commands, job_commands, other_commands, settle_commands
from batchrun.cli.answering import error_document
from batchrun.errors import COULD_NOT_START, INTERRUPTED

# Typer carries its own copy of click, so the base of all its usage errors is reached through a public one.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="batchrun",
    help="Turn the rows of a spreadsheet into runs of a Rapidfolio procedure: each once, each checked, "
    "each accounted for.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
key = typer.Typer(help="Keep API keys in the system's key store.", no_args_is_help=True, rich_markup_mode=None)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"batchrun {batchrun.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    pass


for _command in (
    job_commands.check,
    job_commands.run,
    batch_commands.resume,
    batch_commands.status,
    batch_commands.show,
    batch_commands.refresh,
    batch_commands.report,
    settle_commands.resolve,
    settle_commands.retry,
    settle_commands.cancel,
    other_commands.listen,
    other_commands.simulate,
    other_commands.doctor,
    job_commands.schema,
):
    app.command()(_command)
key.command("set")(other_commands.key_set)
app.add_typer(key, name="key")


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with the code of what happened."""
    given = sys.argv[1:] if arguments is None else arguments
    sys.exit(_run(given))


def _run(given: list[str]) -> int:
    command = typer.main.get_command(app)
    try:
        code = command.main(args=given, prog_name="batchrun", standalone_mode=False)
    except _UsageError as error:
        return _bad_command_line(given, str(getattr(error, "message", error)) or "see batchrun --help")
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the answer has gone, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code if isinstance(code, int) else 0


def _bad_command_line(given: list[str], message: str) -> int:
    name = next((word for word in given if not word.startswith("-")), "")
    print(f"Error: {message}", file=sys.stderr)
    print(f"Next: batchrun {name} --help".replace("  ", " "), file=sys.stderr)
    if "--json" in given:
        print(json.dumps(error_document(name, "bad-command-line", message), ensure_ascii=False))
    return COULD_NOT_START
