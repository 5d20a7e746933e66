"""Which certificates are trusted: those that the system trusts."""

from __future__ import annotations

import os
import re
import ssl
import sys
from pathlib import Path

# Where systems keep them, for a Python whose OpenSSL was built for another; in the order in which truststore looks.
BUNDLES = (
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
)
_HASHED = re.compile(r"[0-9a-fA-F]{8}\.[0-9]")


def tls_context() -> ssl.SSLContext:
    """Trust the certificates that the system trusts."""
    if sys.platform in ("win32", "darwin"):
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it asks the system about each certificate
    return context_of_files()


def context_of_files() -> ssl.SSLContext:
    """Trust what lies in the system's files, by truststore's own rule; `SSL_CERT_FILE` and `SSL_CERT_DIR` count.

    They are read here, once. truststore would read them for every connection: twenty milliseconds each, in which
    nobody else sends, and at 50 rows a second no pace can be kept.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    usual = ssl.get_default_verify_paths()
    if usual.cafile or (usual.capath and _holds_certificates(usual.capath)):
        context.set_default_verify_paths()
    elif found := next(filter(os.path.isfile, BUNDLES), None):
        context.load_verify_locations(found)
    return context


def _holds_certificates(folder: str) -> bool:
    return any(_HASHED.fullmatch(file.name) for file in Path(folder).iterdir())
