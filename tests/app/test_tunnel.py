"""The relay over a notebook's connection carries everything, and reaches one server."""

from __future__ import annotations

import asyncio
import gzip
import threading
from types import SimpleNamespace

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

from patience import LONG_S
from workbench.app.jupyter.tunnel import Relay

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


class Slow(RequestHandler):
    """Answers when it is let, after a first piece; tells of who has gone."""

    def initialize(self, seen):
        self.seen = seen

    async def get(self):
        self.seen.here.set()
        if self.get_query_argument("begins", ""):
            self.write("a piece")
            await self.flush()
        await asyncio.Event().wait()

    def on_connection_close(self):
        self.seen.gone.set()


class Cut(RequestHandler):
    """Announces more than it sends."""

    async def get(self):
        self.set_header("Content-Length", "1000")
        self.write("a piece")
        await self.flush()
        self.detach().close()


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
    seen = SimpleNamespace(here=threading.Event(), gone=threading.Event())

    def serve():
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        routes = [("/p/text", Text), ("/p/binary", Binary), ("/p/ws", Echo)]
        routes += [("/p/slow", Slow, {"seen": seen}), ("/p/cut", Cut)]
        server = HTTPServer(Application([*routes, ("/secret", Secret)]))
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        state.update(loop=loop, port=sockets[0].getsockname()[1])
        ready.set()
        loop.run_forever()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(LONG_S)
    said = Said()
    relay = Relay(f"http://127.0.0.1:{state['port']}/p", state["loop"], said)
    relay.seen = seen
    yield relay, said
    state["loop"].call_soon_threadsafe(state["loop"].stop)
    thread.join(LONG_S)


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
            assert self.changed.wait_for(lambda: len(self.calls) >= number, LONG_S)
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


@pytest.mark.parametrize("query", ["", "?begins=1"])
def test_the_server_learns_that_nobody_waits_any_more(served, query):
    relay, said = served
    ask(relay, "get", path=f"/p/slow{query}")
    assert relay.seen.here.wait(LONG_S)
    assert not relay.seen.gone.is_set()
    ask(relay, "cancel")
    assert relay.seen.gone.wait(LONG_S)
    ask(relay, "get", path="/p/binary")
    assert said.wait(1)[1] == BINARY, "and nothing is said of what was cancelled"


def test_an_answer_that_is_cut_off_is_none(served):
    relay, said = served
    ask(relay, "get", path="/p/cut")
    assert said.wait(1) == ({"kind": "got", "id": "1", "status": 502}, None)


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
