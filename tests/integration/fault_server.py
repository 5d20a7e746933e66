"""A server on raw sockets that does wrong on purpose, byte by byte, and counts what it has read.

It imports nothing of batchrun, so that it cannot share a mistake. A test gives it one behaviour a request; a behaviour
reads, sends and breaks as it likes. `posts` counts the POSTs that were read whole, `post_bytes` every byte of a POST.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gzip
import ipaddress
import json
import socket
import ssl
import struct
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

Behaviour = Callable[["Peer"], Awaitable[None]]

ACCEPTED = {"runId": "run_1", "status": "running", "statusUrl": "/runs/run_1"}


class Gone(Exception):
    """The client has gone, or the behaviour has ended the connection."""


def message(
    status: int,
    body: object = b"",
    *,
    headers: tuple[str, ...] = (),
    length: int | None = None,
    kind: str = "application/json",
) -> bytes:
    """Give an answer's bytes; `length` is a Content-Length that may lie."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    stated = len(content) if length is None else length
    lines = [f"HTTP/1.1 {status} Some Reason", f"Content-Type: {kind}", f"Content-Length: {stated}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def accepted(run_id: str = "run_1") -> bytes:
    """Give the documented 202."""
    return message(202, {**ACCEPTED, "runId": run_id})


class Peer:
    """One connection, and the request that is being answered on it."""

    def __init__(self, server: FaultServer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.request = b""
        self.ended = False
        self.lingers = False
        self._pushed_back = b""
        self._tls: ssl.SSLObject | None = None
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()

    async def read(self, most: int) -> bytes:
        """Read at most so many bytes, and never more than were asked for (of plain text)."""
        if self._pushed_back:
            data, self._pushed_back = self._pushed_back[:most], self._pushed_back[most:]
            return data
        data = await (self._received(most) if self._tls is None else self._decrypted(most))
        if not data:
            raise Gone
        return data

    async def _received(self, most: int) -> bytes:
        try:
            return await asyncio.get_running_loop().sock_recv(self.sock, most)
        except OSError:
            raise Gone from None

    async def _decrypted(self, most: int) -> bytes:
        assert self._tls is not None
        while True:
            try:
                return self._tls.read(most)
            except ssl.SSLWantReadError:
                await self._feed_tls()
            except ssl.SSLError:
                raise Gone from None

    async def _feed_tls(self) -> None:
        await self._flush_tls()
        data = await self._received(65536)
        if not data:
            raise Gone
        self._in.write(data)

    async def _flush_tls(self) -> None:
        if self._out.pending:
            await self._transmit(self._out.read())

    async def _transmit(self, data: bytes) -> None:
        try:
            await asyncio.get_running_loop().sock_sendall(self.sock, data)
        except OSError:
            raise Gone from None

    async def start_tls(self) -> None:
        """Take the server's side of a TLS handshake."""
        self._tls = self.server.tls_context().wrap_bio(self._in, self._out, server_side=True)
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._feed_tls()
            except ssl.SSLError:
                with contextlib.suppress(Gone):
                    await self._flush_tls()
                raise Gone from None
        await self._flush_tls()

    async def begins(self) -> None:
        """Wait for the first byte of a request."""
        self.request = b""
        self._pushed_back = await self.read(1)

    async def read_bytes(self, count: int) -> bytes:
        """Read exactly so many bytes of the request, and count them."""
        while len(self.request) < count:
            self._take(await self.read(count - len(self.request)))
        return self.request

    async def read_request(self) -> bytes:
        """Read the whole request, and count it where it is a POST."""
        while b"\r\n\r\n" not in self.request:
            self._take(await self.read(65536 if self._tls is not None else 1))
        head, _, body = self.request.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            length = int(value) if name.strip().lower() == b"content-length" else length
        await self.read_bytes(len(head) + 4 + length)
        assert len(body) <= length
        self.server.requests.append(self.request)
        if self.request.startswith(b"POST "):
            self.server.posts += 1
        return self.request

    def _take(self, data: bytes) -> None:
        before = self.request
        self.request += data
        if b"POST ".startswith(self.request[:5]):
            self.server.post_bytes += len(data) if b"POST ".startswith(before[:5]) else len(self.request)

    async def send(self, data: bytes) -> None:
        """Send bytes; over TLS each call makes a record of its own."""
        if self._tls is None:
            await self._transmit(data)
        elif data:
            self._tls.write(data)
            await self._flush_tls()

    async def send_together(self, *parts: bytes) -> None:
        """Send parts so that they arrive at once, over TLS as one record each."""
        if self._tls is None:
            await self._transmit(b"".join(parts))
            return
        for part in parts:
            self._tls.write(part)
        await self._flush_tls()

    def close(self) -> None:
        """Close in order (FIN; RST where bytes were left unread)."""
        self.ended = True
        self.sock.close()

    def reset(self) -> None:
        """Break the connection (RST)."""
        self.ended = True
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def half_close(self) -> None:
        """Send a FIN alone: what was left unread makes no RST."""
        self.ended = self.lingers = True
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def end(self, how: str) -> None:
        """Close, half-close or reset."""
        {"reset": self.reset, "fin": self.half_close}.get(how, self.close)()


class FaultServer:
    """Listens on loopback. Requests take the behaviours of `plan` in turn, and then `usual`."""

    def __init__(self, *, tls: bool = False, idle: float | None = None, proxy: Behaviour | None = None) -> None:
        self.plan: list[Behaviour] = []
        self.usual: Behaviour = answers(accepted())
        self.at_accept: list[str] = []
        self.posts = 0
        self.post_bytes = 0
        self.requests: list[bytes] = []
        self.connections = 0
        self._tls = tls
        self._idle = idle
        self._proxy = proxy
        self._listening = socket.socket()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def origin(self) -> str:
        """Give the address that a client uses."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def tls_context(self) -> ssl.SSLContext:
        """Give the server's certificate, made when it is first asked for."""
        context, _ = certificate()
        return context

    async def __aenter__(self) -> FaultServer:
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.bind(("127.0.0.1", 0))
        self._listening.listen(128)
        self._listening.setblocking(False)
        self.port = self._listening.getsockname()[1]
        self._start(self._accept())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._listening.close()

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(self._listening)
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            peer = Peer(self, sock)
            if self.at_accept:
                peer.end(self.at_accept.pop(0))
            else:
                self._start(self._serve(peer))

    async def _serve(self, peer: Peer) -> None:
        try:
            if self._proxy is not None:
                await peer.begins()
                await self._proxy(peer)
            elif self._tls:
                await peer.start_tls()
            while not peer.ended:
                async with asyncio.timeout(self._idle):
                    await peer.begins()
                await (self.plan.pop(0) if self.plan else self.usual)(peer)
            if peer.lingers:
                await asyncio.sleep(0.1)
        except (Gone, TimeoutError):
            pass
        finally:
            peer.sock.close()


@contextlib.asynccontextmanager
async def silent_port() -> AsyncIterator[int]:
    """Give a port on which no connection is ever made: its queue is full, so that a handshake has no answer."""
    listening = socket.socket()
    waiting = [socket.socket() for _ in range(4)]
    try:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for one in waiting:
            one.setblocking(False)
            with contextlib.suppress(OSError):
                one.connect(listening.getsockname())
        await asyncio.sleep(0.02)
        yield listening.getsockname()[1]
    finally:
        for one in (*waiting, listening):
            one.close()


def closed_port() -> int:
    """Give a port at which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def answers(*parts: bytes, gap: float = 0.0, end: str | None = None) -> Behaviour:
    """Read the whole request, then send the parts, with a gap between them."""

    async def behave(peer: Peer) -> None:
        await peer.read_request()
        for number, part in enumerate(parts):
            if gap and number:
                await asyncio.sleep(gap)
            await peer.send(part)
        if end is not None:
            peer.end(end)

    return behave


def cut_request(count: int, how: str) -> Behaviour:
    """Read exactly so many bytes of the request, then end the connection."""

    async def behave(peer: Peer) -> None:
        await peer.read_bytes(count)
        peer.end(how)

    return behave


def cut_answer(answer: bytes, count: int, how: str) -> Behaviour:
    """Send so many bytes of an answer, then end the connection."""
    return answers(answer[:count], end=how)


def early(answer: bytes, count: int, how: str) -> Behaviour:
    """Answer after so many bytes of the request, without reading the rest."""

    async def behave(peer: Peer) -> None:
        await peer.read_bytes(count)
        await peer.send(answer)
        peer.end(how)

    return behave


def stalls(first: bytes = b"") -> Behaviour:
    """Read the whole request, send `first`, and then nothing more."""

    async def behave(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(first)
        with contextlib.suppress(Gone):
            while True:
                await peer.read(1)
        peer.close()

    return behave


def trickles(answer: bytes, first: int, gap: float) -> Behaviour:
    """Send `first` bytes of an answer at once, then one by one for ever."""
    one_by_one = [answer[place : place + 1] for place in range(first, len(answer))]
    return answers(answer[:first], *one_by_one, *[b" "] * 10_000, gap=gap)


def stray(answer: bytes, *strays: bytes, pause: float | None = None) -> Behaviour:
    """Answer, and then send answers that nobody asked for: with the answer, or after a pause."""

    async def behave(peer: Peer) -> None:
        await peer.read_request()
        if pause is None:
            await peer.send_together(answer, *strays)
            return
        await peer.send(answer)
        await asyncio.sleep(pause)
        await peer.send_together(*strays)

    return behave


def echoes(status: int) -> Behaviour:
    """Answer with the request itself, header and all, as careless debugging pages do."""

    async def behave(peer: Peer) -> None:
        request = await peer.read_request()
        line = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"authorization"))
        await peer.send(message(status, {"error": request.decode()}, headers=(f"X-You-Sent: {line.decode()}",)))

    return behave


def chunked(*chunks: bytes, status: int = 202) -> bytes:
    """Give a chunked answer from chunks as they stand on the wire."""
    head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode() + b"".join(chunks)


def chunk(data: bytes) -> bytes:
    """Give one good chunk."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def packed(body: bytes) -> bytes:
    """Give a gzip of a body that is the same on each call."""
    return gzip.compress(body, mtime=0)


def tunnels(status: int = 200, *, how: str | None = None, after: float = 0.0) -> Behaviour:
    """Be a proxy: answer CONNECT, and where it agrees be the other end, too."""

    async def behave(peer: Peer) -> None:
        await peer.read_request()
        await asyncio.sleep(after)
        if how is not None:
            peer.end(how)
            return
        await peer.send(f"HTTP/1.1 {status} Proxy Says\r\n\r\n".encode())
        if status != 200:
            peer.close()
            return
        await peer.start_tls()

    return behave


@functools.cache
def certificate() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a certificate for 127.0.0.1; give the server's context, and a client's that trusts it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fault server")])
    now = datetime.now(UTC)
    alternatives = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = signed.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "both.pem"
        path.write_bytes(private + public)
        server.load_cert_chain(path)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=public.decode())
    return server, client
