"""The certificates that the system trusts: read from its files once, and by the system's own rule."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import pytest
from fault_server import certificate

from batchrun.io import exchange, trust

OF_FILES = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the system is asked, not its files")


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a file with one certificate of our own."""
    _, client = certificate()
    path = tmp_path / "bundle.pem"
    path.write_text(ssl.DER_cert_to_PEM_cert(client.get_ca_certs(binary_form=True)[0]))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    return path


def trusted(context: ssl.SSLContext) -> int:
    return context.cert_store_stats()["x509_ca"]


def begin_a_connection(context: ssl.SSLContext) -> None:
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")


@OF_FILES
def test_certificates_are_read_once_and_not_for_every_connection(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates = bundle.rename(bundle.with_name("elsewhere.pem"))
    bundle.write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    context = exchange.tls_context()
    certificates.replace(bundle)
    begin_a_connection(context)
    assert trusted(context) == 0, "the file was read again"
    assert trusted(exchange.tls_context()) == 1


@OF_FILES
def test_a_python_that_knows_no_file_finds_the_systems(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    monkeypatch.setattr(trust, "BUNDLES", ("/nowhere", str(bundle)))
    assert trusted(exchange.tls_context()) == 1
    monkeypatch.setattr(trust, "BUNDLES", ("/nowhere",))
    assert trusted(exchange.tls_context()) == 0


@OF_FILES
def test_a_folder_of_hashed_certificates_counts_as_known(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    monkeypatch.setattr(trust, "BUNDLES", (str(bundle),))
    (bundle.parent / "0a1b2c3d.0").write_text("")
    assert trusted(exchange.tls_context()) == 0, "the folder is asked when a certificate is met"


def test_the_systems_certificates_are_demanded_and_the_name_with_them() -> None:
    context = exchange.tls_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
