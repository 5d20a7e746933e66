"""Keys for approvals, in a key store and in files: made once, private, and never shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import null
from keyring.errors import NoKeyringError

from batchrun.core import public_key
from batchrun.errors import BadKey
from batchrun.io import approval_keys


class Store(KeyringBackend):
    """A key store in memory."""

    priority = 1.0

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


class NoStore(Store):
    """No key store."""

    def get_password(self, service: str, username: str) -> str | None:
        raise NoKeyringError

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NoKeyringError


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    before = keyring.get_keyring()
    keyring.set_keyring(null.Keyring())
    yield
    keyring.set_keyring(before)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("backend", [Store, NoStore, null.Keyring])
def test_a_key_that_was_made_is_found_and_its_signature_holds(backend: type[KeyringBackend], tmp_path: Path) -> None:
    keyring.set_keyring(backend())
    made = approval_keys.make_key("Ana Müller")
    key = approval_keys.find_key(" ana  MÜLLER")
    assert key is not None
    assert key.public == made.public == approval_keys.known_keys()["ana müller"]
    raw, signature = public_key.key_bytes(key.public), public_key.from_base64(key.sign(b"plan"))
    assert approval_keys.is_signed(raw, signature, b"plan")
    assert not approval_keys.is_signed(raw, signature, b"plan b")
    assert not approval_keys.is_signed(bytes(32), signature, b"plan")
    assert not approval_keys.is_signed(raw, b"short", b"plan")
    assert (made.kept_in == approval_keys.KEY_STORE) == (backend is Store)
    assert any(name.endswith(".key") for name in files(tmp_path)) == (backend is not Store)
    assert repr(key) == f"SigningKey(from {made.kept_in})"


def test_a_key_is_never_overwritten_wherever_a_part_of_it_lies(tmp_path: Path) -> None:
    made = approval_keys.make_key(None)
    with pytest.raises(BadKey, match="left as it is"):
        approval_keys.make_key(None)
    made.public_file.rename(tmp_path / "away")
    with pytest.raises(BadKey, match="left as it is"):
        approval_keys.make_key(None)
    (tmp_path / "away").rename(made.public_file)
    Path(made.kept_in).unlink()
    with pytest.raises(BadKey, match="left as it is"):
        approval_keys.make_key(None)
    assert approval_keys.find_key("default") is None


def test_where_the_private_half_cannot_be_kept_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "batchrun").mkdir()
    (tmp_path / "batchrun" / "private-keys").write_text("no folder")
    with pytest.raises(BadKey, match=r"cannot be (read|written)"):
        approval_keys.make_key("ana")
    assert files(tmp_path) == {"private-keys"}


def test_where_the_public_half_cannot_be_kept_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "batchrun").mkdir()
    (tmp_path / "batchrun" / "public-keys").write_text("no folder")
    with pytest.raises(BadKey, match="cannot be written"):
        approval_keys.make_key("ana")
    assert files(tmp_path) == {"public-keys"}


@pytest.mark.parametrize("content", [b"", b"abc", b"\xff\xfe", b"QUFB"])
def test_a_damaged_key_signs_nothing(content: bytes) -> None:
    made = approval_keys.make_key("ana")
    Path(made.kept_in).write_bytes(content)
    with pytest.raises(BadKey, match=r"damaged|cannot be read"):
        approval_keys.find_key("ana")


def test_a_public_key_that_somebody_sent_is_known_once_its_file_is_there() -> None:
    mine = approval_keys.make_key(None)
    (approval_keys.public_folder() / "Ana Müller.pub").write_text(f"{mine.public}\r\n", encoding="ascii")
    assert set(approval_keys.known_keys()) == {"default", "Ana Müller"}
    (approval_keys.public_folder() / "bob.pub").write_text("ssh-ed25519 AAAA", encoding="ascii")
    with pytest.raises(BadKey, match=r"bob\.pub holds no public key"):
        approval_keys.known_keys()


def test_a_name_that_no_file_can_have_is_refused_and_one_with_slashes_stays_in_its_folder(tmp_path: Path) -> None:
    with pytest.raises(BadKey, match="too long"):
        approval_keys.make_key("Ü" * 60)
    made = approval_keys.make_key("../../ana")
    assert made.public_file.parent == approval_keys.public_folder()
    assert approval_keys.known_keys() == {"../../ana": made.public}
