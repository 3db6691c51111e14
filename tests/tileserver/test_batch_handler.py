"""Several tiles in one request: each as if it had been asked for alone."""

from __future__ import annotations

import asyncio
import http.client
import threading
import urllib.parse
from types import SimpleNamespace

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from patience import LONG_S, eventually
from tile_frames import frames_in
from workbench.app.jupyter.tunnel import Relay
from workbench.errors import SlideReadError
from workbench.layers.encode import hatched_tile
from workbench.layers.layer import Pyramid
from workbench.slide.readers.base import EncodedTile
from workbench.tileserver import RateLimit, TileRegistry, handler, tile_routes
from workbench.tileserver.batch_handler import MAX_TILES

TOP = 4


class Layer:
    """A layer whose tiles in the first row are in memory; others wait for a gate."""

    name = "layer"
    legend = None
    version = "1"
    pyramid = Pyramid((4096, 4096))

    def __init__(self):
        self.gates = {}
        self.asked = []
        self.problems = {}
        self.drawing = self.most_drawing = 0
        self.lock = threading.Lock()

    def tile_in_memory(self, z, x, y):
        return EncodedTile(f"{z}/{x}/{y}".encode(), "image/png") if y == 0 else None

    def tile(self, z, x, y):
        with self.lock:
            self.asked.append((x, y))
            self.drawing += 1
            self.most_drawing = max(self.most_drawing, self.drawing)
        try:
            if (x, y) in self.gates:
                assert self.gates[x, y].wait(LONG_S)
            if (x, y) in self.problems:
                raise self.problems[x, y]
            return EncodedTile(f"{z}/{x}/{y}".encode(), "image/jpeg")
        finally:
            with self.lock:
                self.drawing -= 1


def _name(handler):
    return handler.request.headers.get("User", "")


@pytest.fixture
def serve():
    """Return what serves a registry to whoever says who they are."""
    loops = []

    def run(registry, rate=None, *, provider=None):
        ready, state = threading.Event(), {}

        def work():
            loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
            application = Application(tile_routes(rate, registry=registry))
            application.auth_provider = provider or SimpleNamespace(
                get_user=_name, get_user_async=None
            )
            sockets = bind_sockets(0, "127.0.0.1")
            HTTPServer(application).add_sockets(sockets)
            state["port"] = sockets[0].getsockname()[1]
            loops.append((loop, threading.current_thread()))
            ready.set()
            loop.run_forever()

        threading.Thread(target=work, daemon=True).start()
        assert ready.wait(LONG_S)
        return state["port"]

    run.loops = loops
    yield run
    for loop, thread in loops:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(LONG_S)


@pytest.fixture
def layer():
    return Layer()


@pytest.fixture
def served(serve, layer):
    registry = TileRegistry()
    key = registry.register(layer)
    return SimpleNamespace(port=serve(registry), key=key, registry=registry)


def begin(served, tiles, *, user="ann", key=None, z=TOP):
    """Ask, and return the response as soon as its head has come."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=LONG_S)
    path = f"/tiles/{key or served.key}/{z}?v=0.1&tiles={tiles}"
    connection.request("GET", path, headers={"User": user} if user else {})
    return connection.getresponse()


def ask(served, tiles, **options):
    """Return (status, headers, frames)."""
    response = begin(served, tiles, **options)
    body = response.read()
    return response.status, response.headers, frames_in(body)


def ask_one(served, place, *, user="ann", query="?v=0.1"):
    """Return (status, headers, body) of a tile that is asked for alone."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=LONG_S)
    path = f"/tiles/{served.key}/{TOP}/{place.replace('.', '/')}{query}"
    connection.request("GET", path, headers={"User": user} if user else {})
    response = connection.getresponse()
    return response.status, response.headers, response.read()


def test_tiles_come_as_they_would_alone(served):
    status, headers, frames = ask(served, "3.0,1.2,0.0,15.15")
    assert status == 200
    # Of many tiles, of which some may have failed: nobody keeps that.
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "ETag" not in headers
    found = {number: rest for number, *rest in frames}
    assert found == {
        0: [200, "image/png", b"4/3/0"],
        1: [200, "image/jpeg", b"4/1/2"],
        2: [200, "image/png", b"4/0/0"],
        3: [200, "image/jpeg", b"4/15/15"],
    }
    assert [number for number, *_ in frames][:2] == [0, 2], "what is there comes first"


def test_what_is_wanted_first_is_drawn_first(served, layer):
    places = [(x, 1 + x % 3) for x in range(MAX_TILES)]
    ask(served, ",".join(f"{x}.{y}" for x, y in reversed(places)))
    turns = [places[::-1].index(place) for place in layer.asked]
    assert max(abs(turn - at) for at, turn in enumerate(turns)) <= 1  # two at a time


def test_a_tile_is_sent_before_a_slower_one_is_drawn(served, layer):
    layer.gates[5, 5] = threading.Event()
    response = begin(served, "5.5,2.0,3.3,4.4")
    body = b""
    while len(frames_in(body)) < 3:
        body += response.read1()
    assert [each.number for each in frames_in(body)] == [1, 2, 3]
    layer.gates[5, 5].set()
    body += response.read()
    assert frames_in(body)[-1][::3] == (0, b"4/5/5")


def test_one_request_does_not_take_all_threads(served, layer, monkeypatch):
    pool = handler.ThreadPoolExecutor(8)
    monkeypatch.setattr(handler, "_POOL", pool)
    gate = threading.Event()
    layer.gates = {(x, 1): gate for x in range(8)}
    response = begin(served, ",".join(f"{x}.1" for x in range(8)))
    eventually(lambda: layer.drawing == 2)
    gate.set()
    assert len(frames_in(response.read())) == 8
    assert layer.most_drawing == 2
    pool.shutdown()


@pytest.mark.parametrize(
    "tiles",
    [
        "",
        "1",
        "1.2,",
        ",1.2",
        "1.2,,3.4",
        "1.2.3",
        "-1.2",
        "1.2%20,3.4",
        "a.b",
        "1e3.2",
        "99999999.0",
        "%D9%A1.0",  # a digit, but none of ours
        ",".join(f"{x}.0" for x in range(MAX_TILES + 1)),
        "1.0," * 5_000,
    ],
)
def test_what_is_no_list_of_a_few_tiles_is_refused(served, layer, tiles):
    status, headers, _ = ask(served, tiles)
    assert status == 400
    assert "Access-Control-Allow-Origin" not in headers
    assert layer.asked == []


def test_as_many_as_may_be_asked_for_come(served):
    tiles = ",".join(f"{x}.{x % 2}" for x in range(MAX_TILES))
    assert {each.number for each in ask(served, tiles)[2]} == set(range(MAX_TILES))


def test_a_bad_tile_leaves_the_others_as_they_are(served, layer, caplog):
    layer.problems = {
        (1, 1): SlideReadError("/slides/Jane Doe.svs", "a tile", "it is damaged"),
        (2, 1): RuntimeError("a bug"),
    }
    _, _, frames = ask(served, "0.1,1.1,2.1,3.1,16.0,4.0")
    found = {each.number: each for each in frames}
    assert {number: each.status for number, each in found.items()} == {
        0: 200,
        1: 200,
        2: 500,
        3: 200,
        4: 404,
        5: 200,
    }
    assert found[1].data == hatched_tile(256).data, "a damaged place is marked as one"
    assert (found[2].data, found[4].data) == (b"", b"")
    assert (found[0].data, found[3].data) == (b"4/0/1", b"4/3/1")
    assert "Jane" not in caplog.text
    # None of them is kept: the next request finds what has been mended.
    layer.problems = {}
    assert [each.data for each in ask(served, "1.1,1.0")[2]] == [b"4/1/0", b"4/1/1"]


def test_no_zoom_beside_the_pyramid(served):
    _, _, frames = ask(served, "0.0,1.0", z=9)
    assert [each.status for each in frames] == [404, 404]


def test_a_layer_that_goes_while_it_is_drawn_is_not_there_any_more(served, layer):
    layer.gates = {(x, 1): threading.Event() for x in (0, 1)}
    response = begin(served, "0.1,1.1,2.1,3.1")
    eventually(lambda: len(layer.asked) == 2)
    served.registry.release(served.key)
    for gate in layer.gates.values():
        gate.set()
    statuses = {each.number: each.status for each in frames_in(response.read())}
    assert (statuses[2], statuses[3]) == (404, 404)
    assert ask(served, "0.0,1.0")[0] == 404


@pytest.mark.parametrize("place", ["3.0", "2.2"])
def test_a_tile_of_the_version_asked_for_may_be_kept(served, layer, place):
    layer.version = "a/b é&c"
    v = urllib.parse.quote(f"0.{layer.version}", safe="")
    for query, kept in ((f"?v={v}", True), (f"?x=1&v={v}", True), ("?v=0.1", False)):
        status, headers, body = ask_one(served, place, query=query)
        assert (status, body) == (200, f"{TOP}/{place.replace('.', '/')}".encode())
        assert ("immutable" in headers["Cache-Control"]) == kept


def test_refusals_too_are_for_our_own_pages(served):
    for place, user in (("3.0", ""), ("3.0", "ann"), ("99.0", "ann")):
        headers = ask_one(served, place, user=user)[1]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Server" not in headers


def test_each_tile_counts(serve, layer):
    registry, now = TileRegistry(), [0.0]
    key = registry.register(layer)
    rate = RateLimit(2.5, clock=lambda: now[0])  # ten at once
    served = SimpleNamespace(port=serve(registry, rate), key=key)
    eight = ",".join(f"{x}.0" for x in range(8))
    assert [each.status for each in ask(served, eight)[2]] == [200] * 8
    frames = ask(served, eight)[2]
    assert [each.status for each in frames] == [200] * 2 + [429] * 6
    status, headers, _ = ask(served, eight)
    assert (status, headers["Retry-After"]) == (429, "1")
    now[0] += 0.4
    assert [each.status for each in ask(served, "0.0,1.0")[2]] == [200, 429]


async def _name_later(handler):
    await asyncio.sleep(0.01)
    return _name(handler)


@pytest.mark.parametrize(
    "provider",
    [
        SimpleNamespace(get_user=_name, get_user_async=None),
        SimpleNamespace(get_user=None, get_user_async=_name_later),
    ],
    ids=["at once", "later"],
)
def test_only_its_owner_has_a_layer(serve, layer, provider):
    registry = TileRegistry()
    key = registry.register(layer, owner="ann")
    served = SimpleNamespace(port=serve(registry, provider=provider), key=key)
    assert ask(served, "0.0,1.1")[0] == 200
    for user in ("bob", ""):
        status, _, frames = ask(served, "0.0,2.2", user=user)
        assert (status, frames) == (403, [])
        # Nor may anybody learn by a mistake which keys there are.
        assert ask(served, "nonsense", user=user)[0] == 403
    assert ask(served, "0.0", key="nothing", user="")[0] == 403
    assert ask(served, "0.0", key="nothing")[0] == 404
    assert layer.asked == [(1, 1)]
    for user, status in (("ann", 200), ("bob", 403), ("", 403)):
        assert ask_one(served, "3.0", user=user)[0] == status
        assert ask_one(served, "4.4", user=user)[0] == status
    assert layer.asked == [(1, 1), (4, 4)]


def let_it_hear(served):
    """Let a server hear of what has happened, on the loop that also answers these."""
    for _ in range(5):
        assert ask(served, "0.0,1.0")[0] == 200


def test_nothing_more_is_drawn_for_who_has_gone(served, layer):
    gate = threading.Event()
    layer.gates = {(0, 1): gate, (1, 1): gate}
    response = begin(served, ",".join(f"{x}.1" for x in range(MAX_TILES)))
    eventually(lambda: len(layer.asked) == 2)
    response.close()
    let_it_hear(served)
    gate.set()
    eventually(lambda: layer.drawing == 0)
    assert ask(served, "0.0,1.0")[0] == 200
    assert len(layer.asked) == 2


def test_nothing_more_is_drawn_of_what_a_notebook_cancels(serve, layer):
    registry = TileRegistry()
    key = registry.register(layer)
    nobody = SimpleNamespace(get_user=lambda _: "anybody", get_user_async=None)
    served = SimpleNamespace(port=serve(registry, provider=nobody), key=key)
    gate = threading.Event()
    layer.gates = {(0, 1): gate, (1, 1): gate}
    loop, _ = serve.loops[-1]
    relay = Relay(f"http://127.0.0.1:{served.port}/tiles", loop, lambda *_: None)
    tiles = ",".join(f"{x}.1" for x in range(MAX_TILES))
    path = f"/tiles/{served.key}/{TOP}?v=0.1&tiles={tiles}"
    relay.take({"calls": [{"kind": "get", "id": "1", "path": path}]})
    eventually(lambda: len(layer.asked) == 2)
    relay.take({"calls": [{"kind": "cancel", "id": "1"}]})
    let_it_hear(served)
    gate.set()
    eventually(lambda: layer.drawing == 0)
    assert ask(served, "0.0,1.0")[0] == 200
    assert len(layer.asked) == 2
