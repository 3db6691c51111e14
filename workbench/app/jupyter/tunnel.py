"""Tunnels HTTP and websockets through a Jupyter comm, if there is no other connection.

In an editor on another machine, or in Jupyter without a proxy, a browser reaches the
kernel through comms only. `Relay` forwards requests and websockets from a comm to the
app's server; `tunnel.js` replaces `fetch` and `WebSocket` in the app's page.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.tcpclient import TCPClient
from tornado.websocket import WebSocketClosedError, websocket_connect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tornado.websocket import WebSocketClientConnection

_log = logging.getLogger("workbench.app")

_TIMEOUT_S: Final = 60.0
_MAX_BYTES: Final = 100_000_000
_GOING_AWAY: Final = 1001
_SQUEEZED_FROM: Final = 4096
"""Smallest size of text, in bytes, that is compressed."""

_SQUEEZED_TYPES: Final = ("text/", "application/javascript", "application/json")


class Relay:
    """Forwards the requests of a page to one server, and returns the responses.

    A message is a dict with the list "calls"; a call names its buffer, if it has one,
    by its index in the message's buffers. The page calls with

    - get (id, path): the response is "got" (id, status, type, gzip, buffer);
    - cancel (id): the response is no longer needed;
    - open (id, path, protocols): a websocket; "opened" (id, protocol), then "frame"
      (id, text or buffer) in both directions, until "closed" (id, code);
    - close (id).

    Parameters
    ----------
    root : str
        URL of the server; no other URLs are requested.
    loop : asyncio event loop
        Event loop, running in any thread, that executes all requests.
    send : callable
        Takes a message and its buffers; called in the thread of the loop.
    """

    def __init__(
        self, root: str, loop: asyncio.AbstractEventLoop, send: Callable[..., None]
    ) -> None:
        self._root = root
        self._loop = loop
        self._send = send
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._sockets: dict[str, WebSocketClientConnection] = {}
        self._outbox: list[tuple[dict[str, Any], bytes | None]] = []

    def take(self, message: dict[str, Any], buffers: Sequence[Any] = ()) -> None:
        """Receive a message of the page; may be called in any thread."""
        own = [bytes(buffer) for buffer in buffers]
        self._loop.call_soon_threadsafe(self._handle, message, own)

    def _handle(self, message: dict[str, Any], buffers: list[bytes]) -> None:
        for call in message.get("calls", ()):
            name = call["id"]
            match call["kind"]:
                case "get":
                    self._begin(name, self._get(name, call["path"]))
                case "cancel":
                    task = self._tasks.get(name)
                    if task is not None:
                        task.cancel()
                case "open":
                    protocols = call.get("protocols", [])
                    self._begin(name, self._listen(name, call["path"], protocols))
                case "frame":
                    self._pass_on(name, call, buffers)
                case "close" if name in self._sockets:
                    self._sockets[name].close()

    def _begin(self, name: str, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks[name] = task
        task.add_done_callback(lambda _: self._tasks.pop(name, None))

    async def _get(self, name: str, path: str) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                answer = await _request(self._url(path))
        except OSError as error:  # TimeoutError is one
            _log.warning("the app's server did not answer: %s", type(error).__name__)
            self._send_call({"kind": "got", "id": name, "status": 502})
            return
        kind = answer.headers.get("Content-Type", "application/octet-stream")
        body = b"".join(answer.parts)
        squeezed = len(body) >= _SQUEEZED_FROM and kind.startswith(_SQUEEZED_TYPES)
        if squeezed:
            body = await asyncio.to_thread(gzip.compress, body, 5)
        said = {"status": answer.status, "type": kind, "gzip": squeezed}
        self._send_call({"kind": "got", "id": name, **said}, body)

    async def _listen(self, name: str, path: str, protocols: list[str]) -> None:
        """Forward the frames of a websocket until it is closed."""
        url = self._url(path).replace("http", "ws", 1)
        try:
            socket = await websocket_connect(
                url, subprotocols=protocols, max_message_size=_MAX_BYTES
            )
        except Exception as error:  # noqa: BLE001 - of many kinds; sent to the page
            _log.warning("the app's server did not answer: %s", type(error).__name__)
            self._send_call({"kind": "closed", "id": name, "code": _GOING_AWAY})
            return
        self._sockets[name] = socket
        protocol = socket.selected_subprotocol
        self._send_call({"kind": "opened", "id": name, "protocol": protocol or ""})
        while (frame := await socket.read_message()) is not None:
            if isinstance(frame, bytes):
                self._send_call({"kind": "frame", "id": name}, frame)
            else:
                self._send_call({"kind": "frame", "id": name, "text": frame})
        del self._sockets[name]
        code = socket.close_code or _GOING_AWAY
        self._send_call({"kind": "closed", "id": name, "code": code})

    def _pass_on(self, name: str, call: dict[str, Any], buffers: list[bytes]) -> None:
        socket = self._sockets.get(name)
        if socket is None:
            return
        text = call.get("text")
        frame = buffers[call["buffer"]] if text is None else text
        try:
            socket.write_message(frame, binary=text is None)
        except WebSocketClosedError:
            _log.debug("a frame arrived after its socket was closed")

    def _url(self, path: str) -> str:
        """Return the URL of a path on the server; the page's host is ignored."""
        parts = urlsplit(path)
        root = urlsplit(self._root)
        query = f"?{parts.query}" if parts.query else ""
        inside = parts.path.startswith(f"{root.path}/") and ".." not in parts.path
        place = parts.path if inside else f"{root.path}/nothing-here"
        return f"{root.scheme}://{root.netloc}{place}{query}"

    def _send_call(self, call: dict[str, Any], buffer: bytes | None = None) -> None:
        """Queue a call to the page; calls at the same time share one message.

        Jupyter's servers drop messages beyond 1,000 a second.
        """
        if not self._outbox:
            self._loop.call_soon(self._flush)
        self._outbox.append((call, buffer))

    def _flush(self) -> None:
        calls: list[dict[str, Any]] = []
        buffers: list[bytes] = []
        for call, buffer in self._outbox:
            if buffer is None:
                calls.append(call)
            else:
                calls.append({**call, "buffer": len(buffers)})
                buffers.append(buffer)
        self._outbox = []
        self._send({"calls": calls}, buffers)


class _Response(HTTPMessageDelegate):
    """Collects the response of a server."""

    def __init__(self) -> None:
        self.status = 0
        self.headers = HTTPHeaders()
        self.parts: list[bytes] = []
        self.is_whole = False

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        if isinstance(start_line, ResponseStartLine):
            self.status, self.headers = start_line.code, headers

    def data_received(self, chunk: bytes) -> None:
        self.parts.append(chunk)

    def finish(self) -> None:
        self.is_whole = True


async def _request(url: str) -> _Response:
    """Request a URL.

    Uses a connection of its own, not Tornado's client, which continues to read when its
    caller is cancelled: a closed connection makes the server stop its work.

    Raises
    ------
    OSError
        If the server cannot be reached, or the response is truncated.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    stream = await TCPClient().connect(host, port, max_buffer_size=_MAX_BYTES)
    try:
        limits = HTTP1ConnectionParameters(no_keep_alive=True, max_body_size=_MAX_BYTES)
        connection = HTTP1Connection(stream, is_client=True, params=limits)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        headers = HTTPHeaders({"Host": parts.netloc, "Connection": "close"})
        await connection.write_headers(RequestStartLine("GET", path, ""), headers)
        connection.finish()
        answer = _Response()
        await connection.read_response(answer)
    finally:
        stream.close()
    if not answer.is_whole:
        message = "the response was truncated"
        raise ConnectionError(message)
    return answer
