"""A load generator for tile servers: keep-alive HTTP over raw sockets, one thread.

It costs some 30 µs for a request, so that what is measured is the server.
"""

from __future__ import annotations

import selectors
import socket
import time
from dataclasses import dataclass, field

import numpy as np

_TIMEOUT_S = 60
_CHUNK = 1 << 18


class LoadError(RuntimeError):
    """A server did not answer with a tile."""


@dataclass
class Load:
    """What came of some requests."""

    latencies: list[float] = field(default_factory=list)
    """Seconds from asking to the last byte, for each request."""

    seconds: float = 0.0
    """From the first request to the last byte."""

    nbytes: int = 0
    """Of all the bodies."""

    @property
    def rate(self) -> float:
        """Tiles for each second."""
        return len(self.latencies) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """Return a percentile of the latencies in milliseconds."""
        return float(np.percentile(self.latencies, percent)) * 1e3


class Connection:
    """One keep-alive connection; asks for one thing at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.socket = self._connect()
        self._data = b""
        self._started = 0.0

    def _connect(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self._port), _TIMEOUT_S)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def ask(self, path: str) -> None:
        """Send a request."""
        self._data = b""
        self._started = time.perf_counter()
        self.path = path
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n\r\n"
        self.socket.sendall(head.encode())

    def read(self) -> tuple[float, bytes] | None:
        """Take what has come; return seconds and body once it is complete."""
        part = self.socket.recv(_CHUNK)
        self._data += part
        head, separator, body = self._data.partition(b"\r\n\r\n")
        if not part and not separator:
            message = f"{self.path}: the connection was closed"
            raise LoadError(message)
        if not separator:
            return None
        status, length, closes = _parsed(head)
        if part and (length is None or len(body) < length):
            return None
        seconds = time.perf_counter() - self._started
        if status != 200:
            message = f"{self.path}: {status} {body[:200]!r}"
            raise LoadError(message)
        self.closes = closes
        return seconds, body

    def renew(self) -> None:
        """Connect again."""
        self.socket.close()
        self.socket = self._connect()


def _parsed(head: bytes) -> tuple[int, int | None, bool]:
    """Return status, length and whether the server closes, from a header."""
    first, *lines = head.lower().split(b"\r\n")
    length = None
    closes = first.startswith(b"http/1.0")
    for line in lines:
        if line.startswith(b"content-length:"):
            length = int(line[15:])
        elif line.startswith(b"connection:"):
            closes = b"close" in line
    return int(first.split()[1]), length, closes


def fetch(port: int, path: str) -> bytes:
    """Return the body of one answer."""
    connection = Connection(port)
    connection.ask(path)
    while (got := connection.read()) is None:
        pass
    connection.socket.close()
    return got[1]


def load(port: int, paths: list[str], connections: int) -> Load:
    """Ask for all paths, over so many connections at once.

    Raises
    ------
    LoadError
        If an answer is not a tile.
    """
    result = Load()
    waiting = iter(paths)
    selector = selectors.DefaultSelector()
    start = time.perf_counter()
    for path, _ in zip(waiting, range(connections), strict=False):
        connection = Connection(port)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.ask(path)
    while selector.get_map():
        for key, _ in selector.select(_TIMEOUT_S):
            connection = key.data
            got = connection.read()
            if got is None:
                continue
            result.latencies.append(got[0])
            result.nbytes += len(got[1])
            _ask_on(selector, connection, waiting)
    result.seconds = time.perf_counter() - start
    return result


def _ask_on(selector, connection: Connection, waiting) -> None:
    """Let a connection ask for the next path, or end it."""
    path = next(waiting, None)
    if path is None or connection.closes:
        selector.unregister(connection.socket)
        if path is None:
            connection.socket.close()
            return
        connection.renew()
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    connection.ask(path)
