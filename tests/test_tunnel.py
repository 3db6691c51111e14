"""The relay over a notebook's connection carries everything, and reaches one server."""

from __future__ import annotations

import asyncio
import gzip
import threading

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

from workbench.app.tunnel import Relay

TEXT = "text " * 4000
BINARY = bytes(range(256)) * 8


class Text(RequestHandler):
    def get(self):
        self.set_header("Content-Type", "text/css")
        self.finish(TEXT + self.get_query_argument("more", ""))


class Binary(RequestHandler):
    def get(self):
        self.set_header("Content-Type", "image/jpeg")
        self.finish(BINARY)


class Secret(RequestHandler):
    def get(self):
        self.finish("outside of the prefix")


class Echo(WebSocketHandler):
    def select_subprotocol(self, subprotocols):
        return subprotocols[0]

    def on_message(self, message):
        self.write_message(message, binary=isinstance(message, bytes))


@pytest.fixture
def served():
    """Return a relay to a server on another thread, and what it has said."""
    ready = threading.Event()
    state = {}

    def serve():
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        routes = [("/p/text", Text), ("/p/binary", Binary), ("/p/ws", Echo)]
        server = HTTPServer(Application([*routes, ("/secret", Secret)]))
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        state.update(loop=loop, port=sockets[0].getsockname()[1])
        ready.set()
        loop.run_forever()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(10)
    said = Said()
    relay = Relay(f"http://127.0.0.1:{state['port']}/p", state["loop"], said)
    yield relay, said
    state["loop"].call_soon_threadsafe(state["loop"].stop)
    thread.join(10)


class Said:
    """Keeps what a relay says, each call with its buffer."""

    def __init__(self):
        self.calls = []
        self.changed = threading.Condition()

    def __call__(self, message, buffers):
        with self.changed:
            for call in message["calls"]:
                buffer = buffers[call["buffer"]] if "buffer" in call else None
                self.calls.append((call, buffer))
            self.changed.notify_all()

    def wait(self, number):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.calls) >= number, 20)
            return self.calls[number - 1]


def ask(relay, kind, **call):
    relay.take({"calls": [{"kind": kind, "id": "1", **call}]})


def test_text_comes_squeezed_and_pictures_as_they_are(served):
    relay, said = served
    ask(relay, "get", path="/p/text?more=1")
    call, buffer = said.wait(1)
    assert (call["status"], call["type"], call["gzip"]) == (200, "text/css", True)
    assert gzip.decompress(buffer).decode() == f"{TEXT}1"
    ask(relay, "get", path="/p/binary")
    call, buffer = said.wait(2)
    assert (call["gzip"], buffer) == (False, BINARY)


@pytest.mark.parametrize(
    "path",
    ["/secret", "/p/../secret", "http://example.org/secret", "//example.org/p", "/px"],
)
def test_nothing_outside_of_the_servers_prefix_is_reached(served, path):
    relay, said = served
    ask(relay, "get", path=path)
    call, buffer = said.wait(1)
    assert call["status"] == 404
    assert b"outside" not in (buffer or b"")


def test_a_websocket_carries_text_and_bytes_in_order(served):
    relay, said = served
    ask(relay, "open", path="/p/ws", protocols=["bokeh", "token"])
    assert said.wait(1)[0] == {"kind": "opened", "id": "1", "protocol": "bokeh"}
    for number in range(20):
        ask(relay, "frame", text=f"frame {number}")
    relay.take({"calls": [{"kind": "frame", "id": "1", "buffer": 0}]}, [BINARY])
    assert said.wait(22)[1] == BINARY
    texts = [call["text"] for call, _ in said.calls[1:21]]
    assert texts == [f"frame {number}" for number in range(20)]
    ask(relay, "close")
    assert said.wait(23)[0]["kind"] == "closed"


def test_a_socket_that_is_refused_is_closed(served):
    relay, said = served
    ask(relay, "open", path="/p/nothing", protocols=[])
    assert said.wait(1)[0]["kind"] == "closed"
