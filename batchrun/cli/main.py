"""Arguments in, words and progress out, exit code: the command line as a whole."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Annotated, Any, NoReturn

import typer

import batchrun
from batchrun.cli import (
    batch_commands,
    command_line,
    compare_command,
    evidence_commands,
    init_command,
    job_commands,
    ledger_commands,
    other_commands,
    plan_commands,
    settle_commands,
)
from batchrun.cli.answering import error_document
from batchrun.errors import COULD_NOT_START, INTERRUPTED, STOPPED, BadCommandLine
from batchrun.io import streams

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
key = typer.Typer(
    help="Keep API keys in the key store; make keys for approvals.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


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
    init_command.init,
    job_commands.check,
    compare_command.compare,
    job_commands.run,
    plan_commands.plan,
    plan_commands.approve,
    batch_commands.resume,
    batch_commands.status,
    batch_commands.show,
    batch_commands.refresh,
    batch_commands.report,
    settle_commands.review,
    settle_commands.resolve,
    settle_commands.retry,
    settle_commands.cancel,
    ledger_commands.history,
    ledger_commands.purge,
    evidence_commands.evidence,
    evidence_commands.verify,
    evidence_commands.adopt,
    other_commands.listen,
    other_commands.simulate,
    other_commands.doctor,
    job_commands.schema,
):
    app.command()(_command)
key.command("set")(other_commands.key_set)
key.command("new")(plan_commands.key_new)
app.add_typer(key, name="key")
app.add_typer(ledger_commands.journal_app, name="journal")


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with the code of what happened."""
    streams.see_to_streams()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = _run(given)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the answer has gone, as in `| head`
        streams.give_up_answering()
        code = 0
    except OSError as error:
        streams.give_up_answering()
        code = _unanswered(error)
    sys.exit(code)


def _run(given: list[str]) -> int:
    command = typer.main.get_command(app)
    app_commands = set(_names(command))
    try:
        meant = _command_of(_named(given, app_commands), command)
        command_line.refuse_no_values(given, meant)
        for note in command_line.doubled(given, meant):
            print(f"Note: {note}", file=sys.stderr)
        code = command.main(args=given, prog_name="batchrun", standalone_mode=False)
    except _UsageError as error:
        return _misused(given, error, command, app_commands)
    except BadCommandLine as error:
        return _bad_command_line(given, error.message, app_commands)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Exception as error:  # the last border: people and programs get a sentence, not a traceback
        if streams.cannot_answer():
            raise
        return _bug(given, error, app_commands)
    return code if isinstance(code, int) else 0


def _unanswered(error: OSError) -> int:
    print(f"Error: the answer could not be written ({error.strerror}); what was recorded is safe", file=sys.stderr)
    print("Next: batchrun status", file=sys.stderr)
    return STOPPED


def _names(command: object) -> Iterator[str]:
    for name, one in getattr(command, "commands", {}).items():
        yield name
        yield from (f"{name} {inner}" for inner in getattr(one, "commands", {}))


def _misused(given: list[str], error: Exception, command: Any, commands: set[str]) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":  # whoever gives no word at all is asking
        print(error, file=sys.stderr)
        return COULD_NOT_START
    name = _named(given, commands)
    return _bad_command_line(given, command_line.told(error, name, _command_of(name, command), command), commands)


def _command_of(name: str, command: Any) -> Any:
    for word in name.split():
        command = command.commands[word]
    return command


def _bad_command_line(given: list[str], message: str, commands: set[str]) -> int:
    name = _named(given, commands)
    following = f"batchrun {name} --help" if name else "batchrun --help"
    _show(given, name, "bad-command-line", message, following)
    return COULD_NOT_START


def _named(given: list[str], commands: set[str]) -> str:
    """Give the command that was meant: `run`, or of a group of commands the one in it, such as `journal backup`."""
    place = next((place for place, word in enumerate(given) if word in commands), None)
    if place is None:
        return ""
    in_a_group = " ".join(given[place : place + 2])
    return in_a_group if in_a_group in commands else given[place]


def _bug(given: list[str], error: Exception, commands: set[str]) -> int:
    """Tell a fault of batchrun itself in one sentence; the traceback is for whoever asks for it."""
    if os.environ.get("BATCHRUN_DEBUG"):
        raise error
    message = (
        f"batchrun has a fault of its own ({type(error).__name__}); what was recorded is safe in the journal. "
        "Please report it, with what BATCHRUN_DEBUG=1 prints"
    )
    _show(given, _named(given, commands), "bug", message, "batchrun status")
    return STOPPED


def _show(given: list[str], name: str, code: str, message: str, following: str) -> None:
    print(f"Error: {message}", file=sys.stderr)
    print(f"Next: {following}", file=sys.stderr)
    if "--json" in given:
        print(json.dumps(error_document(name, code, message, following), ensure_ascii=False))
