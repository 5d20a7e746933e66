"""Says in plain sentences what is wrong with a command line; typer says it in a programmer's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any

from batchrun.core.cells import cut
from batchrun.core.suggestions import did_you_mean
from batchrun.errors import BadCommandLine

# Of these a blank value means something, or is refused in words of its own.
MAY_BE_EMPTY = {"delimiter", "run_id", "signature_prefix"}
MOST_DIGITS = 1_000  # Python reads no number with many more
_WHOLE = re.compile(rf"[+-]?[0-9]{{1,{MOST_DIGITS}}}")
_EXTRA = re.compile(r"extra arguments?(?:\(s\))? \((.*)\)", re.DOTALL)
_NO_COMMAND = re.compile(r"No such command '(.*?)'", re.DOTALL)


def whole_number(
    flag: str, least: int | None = None, most: int | None = None, such_as: int = 20
) -> Callable[[Any], int]:
    """Give what reads an option's whole number, and refuses anything else in one sentence."""

    def read(given: Any) -> int:
        text = str(given).strip()
        if not _WHOLE.fullmatch(text):
            raise BadCommandLine(f'{flag}: "{cut(text)}" is not a whole number; write for example {flag} {such_as}')
        number = int(text)
        if least is not None and number < least:
            raise BadCommandLine(f"{flag}: {cut(text)} is too small; the least is {least:,}")
        if most is not None and number > most:
            raise BadCommandLine(f"{flag}: {cut(text)} is too large; the most is {most:,}")
        return number

    return read


def one_of(flag: str, words: type[StrEnum]) -> Callable[[Any], StrEnum]:
    """Give what reads an option that takes one of a few words."""

    def read(given: Any) -> StrEnum:
        if given not in list(words):
            raise BadCommandLine(f'{flag} takes no "{cut(str(given))}"{did_you_mean(str(given), words)}')
        return words(given)

    return read


def told(error: Exception, name: str, command: Any, app: Any) -> str:
    """Say what is wrong in one sentence. `command` is typer's own of that name, and `app` the whole command line's."""
    # Typer has a copy of click in some versions and not in others, so its errors are known by their names.
    say = _SENTENCES.get(type(error).__name__)
    # `format_message` names the option or argument at fault; the bare message does not.
    format_message = getattr(error, "format_message", lambda: str(error))
    return (say(error, name, command, app) if say else None) or str(format_message()).rstrip(".")


def doubled(given: Sequence[str], command: Any) -> Iterator[str]:
    """Name each option that is given twice with another value, of which the last one counts."""
    found: dict[str, list[tuple[str, str]]] = {}
    for flag, value, param in _options(given, command):
        if not param.multiple:
            found.setdefault(param.name, []).append((flag, value))
    for uses in found.values():
        flag, last = uses[-1]
        if any(value != last for _, value in uses):
            yield f"{flag} is given {'twice' if len(uses) == 2 else f'{len(uses)} times'}; the last one counts: {last}"


def refuse_no_values(given: Sequence[str], command: Any) -> None:
    """Raise BadCommandLine where an option's value is empty, or is the next option.

    Typer takes both for values. An empty one comes of a script's variable that was never set, and `--rows ""` would
    send every row.
    """
    for flag, value, param in _options(given, command):
        if not value.strip() and param.name not in MAY_BE_EMPTY:
            raise BadCommandLine(f"{flag} needs a value, and it is empty")
        if any(value in other.opts for other in command.params):
            raise BadCommandLine(f"{flag} needs a value after it, and {value} is an option")


def _options(given: Sequence[str], command: Any) -> Iterator[tuple[str, str, Any]]:
    """Give the options that take a value, with what was given."""
    params = {opt: param for param in command.params for opt in param.opts if opt.startswith("-")}
    words = iter(given)
    for word in words:
        if word == "--":
            return
        flag, equals, value = word.partition("=")
        param = params.get(flag)
        if param is None or param.is_flag:
            continue
        if equals:
            yield flag, value, param
        elif (following := next(words, None)) is not None:  # else typer says that it is missing
            yield flag, following, param


def _unknown_option(error: Any, name: str, command: Any, app: Any) -> str:
    option = str(error.option_name)
    commands = [command] if name else app.commands.values()
    if any(option in param.opts for one in commands for param in one.params):
        return f"{option} stands before the command that it is for; write: batchrun {name or 'COMMAND'} … {option}"
    flags = [opt for param in command.params for opt in param.opts if opt.startswith("--")]
    near = did_you_mean(option, flags) if name and len(option) > 2 else ""
    return f'{_called(name)} knows no option "{cut(option)}"{near}'


def _bad_use(error: Any, name: str, command: Any, _app: Any) -> str | None:
    option = str(error.option_name)
    param = next((param for param in command.params if option in param.opts), None)
    if param is None:
        return None
    if param.is_flag:
        return f"{option} stands alone and takes no value"
    return f"{option} needs a value after it, as in: batchrun {name} … {option} {_metavar(param)}"


def _missing(error: Any, name: str, command: Any, _app: Any) -> str | None:
    param = getattr(error, "param", None)
    if param is None:
        return None
    what = _metavar(param) if param.param_type_name == "argument" else f"{param.opts[-1]} {_metavar(param)}"
    said = str(getattr(param, "help", None) or "").rstrip(".")
    means = f" ({said[:1].lower()}{said[1:]})" if said else ""
    return f"{_called(name)} needs {what}{means}: batchrun {name} {' '.join(_needed(command.params))}"


def _needed(params: Iterable[Any]) -> Iterator[str]:
    needed = [param for param in params if param.required]
    yield from (_metavar(param) for param in needed if param.param_type_name == "argument")
    yield from (f"{param.opts[-1]} {_metavar(param)}" for param in needed if param.param_type_name == "option")


def _other(error: Any, name: str, command: Any, _app: Any) -> str | None:
    said = str(error)
    if extra := _EXTRA.search(said):
        needs = " ".join(["batchrun", name, *_needed(command.params)])
        return f'"{cut(extra[1])}" is more than {needs} takes; a name with spaces in it stands in quotes'
    if unknown := _NO_COMMAND.search(said):
        near = did_you_mean(unknown[1], getattr(command, "commands", ()))
        return f'{_called(name)} has no command "{cut(unknown[1])}"{near}'
    return None


def _metavar(param: Any) -> str:
    return str(param.metavar or param.name.upper())


def _called(name: str) -> str:
    return f"batchrun {name}".rstrip()


_SENTENCES: dict[str, Callable[[Any, str, Any, Any], str | None]] = {
    "NoSuchOption": _unknown_option,
    "BadOptionUsage": _bad_use,
    "MissingParameter": _missing,
    "NoSuchCommand": _other,
    "UsageError": _other,
}
