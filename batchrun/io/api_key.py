"""The only module that reads API keys: the environment first, then a .env file, then the system's key store."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from batchrun.errors import BadKey
from batchrun.model import Environment

SERVICE = "batchrun"
REVIEW_KEY = "RAPIDFOLIO_REVIEW_KEY"
WEBHOOK_SECRET = "RAPIDFOLIO_WEBHOOK_SECRET"  # noqa: S105  # the variable's name
PREFIXES = {"sandbox": "rsk_sandbox_", "live": "rsk_live_"}


class ApiKey:
    """A key that shows itself to nobody: only `reveal` gives it, for the Authorization header."""

    __slots__ = ("_secret", "source")

    def __init__(self, secret: str, source: str) -> None:
        self._secret = secret
        self.source = source

    def reveal(self) -> str:
        """Give the secret, for a request's header and nothing else."""
        return self._secret

    def __repr__(self) -> str:
        return f"ApiKey(from {self.source})"


def variable_names(environment: Environment) -> tuple[str, str]:
    """Give the names under which a key is looked for, the more specific first."""
    return f"RAPIDFOLIO_{environment.upper()}_KEY", "RAPIDFOLIO_API_KEY"


def find_key(environment: Environment, beside: Path | None) -> ApiKey:
    """Find the Runner key for an environment; raise BadKey where there is none, or it is the other one's."""
    for secret, source in _candidates(variable_names(environment), beside):
        return _fitting(ApiKey(secret, source), environment)
    name = variable_names(environment)[0]
    raise BadKey(
        f"there is no API key for {environment}: set {name} or RAPIDFOLIO_API_KEY, put it into a .env file beside "
        f"the job, or keep it in the system's key store with: batchrun key set -e {environment}",
        next="batchrun doctor",
    )


def find_review_key(environment: Environment, beside: Path | None) -> ApiKey:
    """Find the key for reviews: RAPIDFOLIO_REVIEW_KEY, which may be a session token, else the Runner's key."""
    for secret, source in _candidates((REVIEW_KEY,), beside):
        return _sendable(ApiKey(secret, source), environment)
    return find_key(environment, beside)


def _fitting(key: ApiKey, environment: Environment) -> ApiKey:
    if environment == "live" and not key.reveal().startswith((PREFIXES["live"], PREFIXES["sandbox"])):
        raise BadKey(f"the key in {key.source} is no live key (it does not begin with rsk_live_); nothing was sent")
    return _sendable(key, environment)


def _sendable(key: ApiKey, environment: Environment) -> ApiKey:
    other = "live" if environment == "sandbox" else "sandbox"
    secret = key.reveal()
    if secret.startswith(PREFIXES[other]):
        raise BadKey(f"the key in {key.source} is a {other} key, and this is {environment}; nothing was sent")
    if not secret.isascii() or any(letter.isspace() or not letter.isprintable() for letter in secret):
        raise BadKey(f"the key in {key.source} holds a blank or a character that no key has; copy it again")
    return key


def _candidates(names: tuple[str, ...], beside: Path | None) -> Iterator[tuple[str, str]]:
    yield from _in(os.environ, names, "the environment variable {}")
    for path in _dotenv_files(beside):
        yield from _in(_dotenv(path), names, f"{{}} in {path}")
    for name in names:
        secret = _stored(name)
        if secret:
            yield secret, f"{name} in the system's key store"


def _in(values: Mapping[str, str | None], names: tuple[str, ...], where: str) -> Iterator[tuple[str, str]]:
    for name in names:
        secret = (values.get(name) or "").strip()
        if secret:
            yield secret, where.format(name)


def _dotenv_files(beside: Path | None) -> list[Path]:
    folders = [beside.parent] if beside is not None else []
    paths = [(folder / ".env").resolve() for folder in [*folders, Path.cwd()]]
    return [path for path in dict.fromkeys(paths) if path.is_file()]


def _dotenv(path: Path) -> Mapping[str, str | None]:
    from dotenv import dotenv_values

    return dotenv_values(path, interpolate=False)


def _stored(name: str) -> str | None:
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(SERVICE, name)
    except KeyringError:  # no key store on this system, or a locked one: as good as no key
        return None


def store_key(environment: Environment, secret: str) -> str:
    """Keep a key in the system's key store; give the name under which it is kept."""
    import keyring
    from keyring.errors import KeyringError

    name = variable_names(environment)[0]
    key = _fitting(ApiKey(secret, "what you typed"), environment)
    try:
        keyring.set_password(SERVICE, name, key.reveal())
    except KeyringError:
        raise BadKey(
            f"this system has no key store that can be used; set {name} in the environment or in a .env file instead"
        ) from None
    return name


def webhook_secret(folder: Path) -> str:
    """Find the secret by which deliveries are signed; raise BadKey where there is none."""
    for secret, _ in _candidates((WEBHOOK_SECRET,), folder / ".env"):
        return secret
    raise BadKey(
        f"there is no webhook secret: set {WEBHOOK_SECRET} (it begins with whsec_) in the environment or in a .env "
        "file; without it nobody could tell a true delivery from a false one, so nothing listens"
    )
