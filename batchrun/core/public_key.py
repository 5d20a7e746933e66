"""Public keys as people pass them on: `ed25519:` and the key's 32 bytes in base64."""

from __future__ import annotations

import base64
import binascii
import re

PREFIX = "ed25519:"
PATTERN = r"^ed25519:[A-Za-z0-9+/]{43}=$"


def key_text(raw: bytes) -> str:
    """Write a public key's 32 bytes as people pass it on."""
    return PREFIX + base64.b64encode(raw).decode("ascii")


def key_bytes(text: str) -> bytes:
    """Give a public key's 32 bytes; raise ValueError where the text is none."""
    if re.fullmatch(PATTERN, text, re.ASCII):
        raw = base64.b64decode(text.removeprefix(PREFIX))
        if key_text(raw) == text:  # else its last letter holds bits that no key has
            return raw
    raise ValueError(f'"{text[:80]}" is no public key; copy it as `batchrun key new` prints it: {PREFIX}…')


def from_base64(text: str) -> bytes:
    """Give the bytes of some base64; raise ValueError where it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
