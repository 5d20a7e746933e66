"""What an error of the transport proves, and how it is told; one table translates the library's words."""

from __future__ import annotations

import ssl

import httpx

from batchrun.core.answers import Fault

NEVER_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
BROKEN_BY = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError, ExceptionGroup)


def classify(error: Exception) -> Fault:
    """Say what an error proves where no header had begun to leave. Whatever is not known here proves nothing."""
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL | ValueError | ExceptionGroup):
        return Fault.BAD_URL  # the last two: an address or a header that cannot be, before anything was connected
    if isinstance(error, httpx.ProxyError):
        return Fault.PROXY_REFUSED
    if isinstance(error, httpx.ConnectError) and _is_tls(error):
        return Fault.TLS_FAILED
    return Fault.NOT_CONNECTED if isinstance(error, NEVER_CONNECTED) else Fault.BROKEN


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (httpx.ConnectTimeout, "no connection could be made in time"),
    (httpx.PoolTimeout, "no connection was free in time"),
    (httpx.ReadTimeout, "no answer came in time"),
    (httpx.WriteTimeout, "the request could not be written in time"),
    (httpx.RemoteProtocolError, "the connection was closed before a whole answer came"),
    (httpx.ReadError, "the connection broke before a whole answer came"),
    (httpx.WriteError, "the connection broke while the request was being written"),
)


def plain_words(error: Exception) -> str:
    """Say what broke an exchange, in words of ours."""
    # The library's own text may quote what the server sent, and that may quote the header with the key.
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    if isinstance(error, httpx.ConnectError | httpx.UnsupportedProtocol | httpx.InvalidURL | httpx.ProxyError):
        return str(error) or "no connection could be made"
    return f"the exchange broke ({type(error).__name__})"
