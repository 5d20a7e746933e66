"""The only module that makes, finds and uses the Ed25519 keys by which plans are approved.

A private key is in the system's key store or, where there is none, in a file that only its owner can read. Public
keys are files of one line in a folder of their own, one for each person: `ana.pub`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from batchrun.core import public_key
from batchrun.core.approval import DEFAULT_KEY, Approval, person, signature_bytes
from batchrun.errors import BadKey
from batchrun.io import system
from batchrun.io.api_key import SERVICE
from batchrun.io.whole_file import write_new

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_STORE = "the system's key store"
LONGEST_NAME = 200  # bytes, of a file


class SigningKey:
    """A private key that shows itself to nobody: it signs, and tells its public half."""

    __slots__ = ("_key", "source")

    def __init__(self, key: Ed25519PrivateKey, source: str) -> None:
        self._key = key
        self.source = source

    @property
    def public(self) -> str:
        """Give the public key, as it is passed on."""
        return public_key.key_text(self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> str:
        """Give the signature over some bytes, in base64."""
        return base64.b64encode(self._key.sign(message)).decode("ascii")

    def __repr__(self) -> str:
        return f"SigningKey(from {self.source})"


@dataclass(frozen=True, slots=True)
class NewKey:
    """What was made: the public key, the file that holds it, and where the private one is kept."""

    name: str
    public: str
    public_file: Path
    kept_in: str


def public_folder() -> Path:
    """Give the folder of the public keys that are known on this computer."""
    return system.state_folder() / "public-keys"


def make_key(name: str | None) -> NewKey:
    """Make a key pair for a person, or for nobody by name; raise BadKey where there is one already."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    called = person(name) if name is not None else DEFAULT_KEY
    key = Ed25519PrivateKey.generate()
    public = SigningKey(key, "memory").public
    place = _public_file(called)
    if find_key(called) is not None:
        raise _exists(called, place)
    try:
        if not place.parent.is_dir():
            system.make_private_folder(place.parent)
        if not _is_new(place, f"{public}\n".encode("ascii")):  # before the other half: of two at once, one is told
            raise _exists(called, place)
    except OSError as error:
        raise BadKey(f"the public key cannot be written to {place}: {error.strerror}") from None
    try:
        kept_in = _keep(called, base64.b64encode(key.private_bytes_raw()).decode("ascii"))
    except BaseException:
        place.unlink(missing_ok=True)
        raise
    return NewKey(called, public, place, kept_in)


def _is_new(place: Path, content: bytes) -> bool:
    try:
        write_new(place, content)
    except FileExistsError:
        return False
    return True


def _exists(called: str, place: Path) -> BadKey:
    whose = "a key" if called == DEFAULT_KEY else f"a key for {called}"
    return BadKey(f"there is {whose} already, and it is left as it is; its public key is in {place}")


def find_key(name: str) -> SigningKey | None:
    """Find the private key of a name; None where there is none. Raise BadKey where it is damaged."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    for text, source in _kept(person(name)):
        try:
            return SigningKey(Ed25519PrivateKey.from_private_bytes(public_key.from_base64(text.strip())), source)
        except ValueError:
            raise BadKey(f"the key in {source} is damaged; nothing was signed") from None
    return None


def known_keys() -> dict[str, str]:
    """Give the public keys that are known on this computer, by name; raise BadKey where a file holds none."""
    return dict(_public_keys())


def is_signed(key: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether a signature over some bytes is a public key's."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def is_broken(approval: Approval) -> bool:
    """Tell whether an approval is signed, and not with the key that it names."""
    try:
        parts = signature_bytes(approval)
    except ValueError:
        return True
    return parts is not None and not is_signed(*parts, approval.to_sign)


def _public_keys() -> Iterator[tuple[str, str]]:
    folder = public_folder()
    for path in sorted(folder.glob("*.pub")) if folder.is_dir() else ():
        try:
            text = path.read_text(encoding="ascii").strip()
            public_key.key_bytes(text)
        except (OSError, ValueError):
            raise BadKey(f"{path} holds no public key; copy it again as `batchrun key new` printed it") from None
        yield unquote(path.name.removesuffix(".pub")), text


def _public_file(name: str) -> Path:
    return public_folder() / f"{_file_name(name)}.pub"


def _private_file(name: str) -> Path:
    return system.state_folder() / "private-keys" / f"{_file_name(name)}.key"


def _file_name(name: str) -> str:
    quoted = quote(name, safe=" ")
    if len(quoted) > LONGEST_NAME:
        raise BadKey("the name is too long for a file's; take a shorter one")
    return quoted


def _entry(name: str) -> str:
    return f"approval-key:{name}"


def _kept(name: str) -> Iterator[tuple[str, str]]:
    import keyring
    from keyring.errors import KeyringError

    try:
        stored = keyring.get_password(SERVICE, _entry(name))
    except KeyringError:  # no key store on this system, or a locked one: then a file holds the key, if anything does
        stored = None
    if stored:
        yield stored, KEY_STORE
    path = _private_file(name)
    try:
        yield path.read_text(encoding="ascii"), str(path)
    except FileNotFoundError:
        return
    except (OSError, ValueError):
        raise BadKey(f"the key in {path} cannot be read") from None


def _keep(name: str, secret: str) -> str:
    return KEY_STORE if _keep_in_store(name, secret) else _keep_in_file(name, secret)


def _keep_in_store(name: str, secret: str) -> bool:
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(SERVICE, _entry(name), secret)
        return keyring.get_password(SERVICE, _entry(name)) == secret  # some stores take everything, and keep nothing
    except KeyringError:
        return False


def _keep_in_file(name: str, secret: str) -> str:
    path = _private_file(name)
    try:
        system.make_private_folder(path.parent)
        path.touch(mode=0o600, exist_ok=False)
        system.make_private(path)
        path.write_text(f"{secret}\n", encoding="ascii")
    except OSError as error:
        raise BadKey(f"the private key cannot be written to {path}: {error.strerror}") from None
    return str(path)
