"""Tiles over HTTP: to whom, which, and how long they are kept."""

from __future__ import annotations

import contextlib
import http.cookiejar
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simplejpeg import decode_jpeg

from browser import panel_serve
from workbench import open_slide
from workbench.errors import OutOfBoundsError, SlideReadError
from workbench.layers.encode import TRANSPARENT, hatched_tile
from workbench.layers.layer import Pyramid
from workbench.layers.slide import SlideLayer
from workbench.slide.readers.base import EncodedTile
from workbench.synthetic import write_slide
from workbench.tileserver import RateLimit, TileCache, TileRegistry, handler
from workbench.tileserver.registry import MAX_TILE_PX

APPS = Path(__file__).parents[1] / "support" / "apps"


class Painted:
    """A layer that counts what is asked of it."""

    name = "painted"
    legend = None
    pyramid = Pyramid((4096, 4096))

    def __init__(self, text="a", version="1", problem=None):
        self.text, self.version, self.problem = text, version, problem
        self.asked = 0

    def tile(self, z, x, y):
        self.asked += 1
        if self.problem:
            raise self.problem
        if self.text is None:
            return None
        return EncodedTile(f"{self.text}{z}{x}{y}".encode(), "image/png")


# -- registry --------------------------------------------------------------------


def test_a_tile_is_drawn_once_for_each_version():
    registry, layer = TileRegistry(), Painted()
    key = registry.register(layer)
    first = registry.tile(key, (0, 0, 0))
    assert registry.tile(key, (0, 0, 0)) == first
    assert layer.asked == 1
    layer.text, layer.version = "b", "2"
    second = registry.tile(key, (0, 0, 0))
    assert second.tile.data == b"b000"
    assert second.version == registry.version(key) != first.version


def test_another_layer_of_the_same_version_is_another_version():
    registry = TileRegistry()
    key = registry.register(Painted("a"))
    first = registry.tile(key, (0, 0, 0))
    registry.replace(key, Painted("b"))
    second = registry.tile(key, (0, 0, 0))
    assert (first.tile.data, second.tile.data) == (b"a000", b"b000")
    assert first.version != second.version


def test_a_released_layer_is_gone_and_so_are_its_tiles():
    cache = TileCache()
    registry = TileRegistry(cache)
    key, other = registry.register(Painted()), registry.register(Painted())
    registry.tile(key, (0, 0, 0))
    registry.tile(other, (0, 0, 0))
    registry.release(key)
    assert cache.nbytes == len(b"a000")
    with pytest.raises(KeyError):
        registry.tile(key, (0, 0, 0))
    registry.release(key)
    assert len(registry) == 1


class Shared(Painted):
    """A layer that other sessions draw as well."""

    drawing = "the same slide"


def test_what_one_session_has_drawn_serves_the_others():
    registry, mine, yours = TileRegistry(), Shared(), Shared()
    first, second = registry.register(mine), registry.register(yours)
    assert registry.tile(first, (0, 0, 0)) == registry.tile(second, (0, 0, 0))
    assert (mine.asked, yours.asked) == (1, 0)
    registry.release(first)
    assert registry.available_tile(second, (0, 0, 0)) is not None
    registry.replace(second, Shared("b", version="2"))
    assert registry.available_tile(second, (0, 0, 0)) is None
    assert registry.tile(second, (0, 0, 0)).tile.data == b"b000"


class Ready(Painted):
    """A layer with some tiles in memory."""

    def tile_in_memory(self, z, x, y):  # noqa: ARG002 - as a layer is asked
        if self.problem:
            raise self.problem
        return EncodedTile(b"ready", "image/png") if x == 0 else None


def test_a_tile_in_memory_is_not_waited_for():
    registry, layer = TileRegistry(), Ready()
    key = registry.register(layer)
    assert registry.available_tile(key, (1, 0, 0)).tile.data == b"ready"
    assert registry.available_tile(key, (1, 1, 0)) is None
    registry.tile(key, (1, 1, 0))
    assert registry.available_tile(key, (1, 1, 0)).tile.data == b"a110"
    layer.problem = SlideReadError("x", "a tile", "it is damaged")
    assert registry.available_tile(key, (1, 0, 1)) is None


@pytest.mark.slow
def test_a_stored_tile_in_memory_is_the_stored_tile(tmp_path):
    write_slide(tmp_path / "slide.svs", size=(1024, 768), seed=1)
    with open_slide(tmp_path / "slide.svs") as slide:
        layer = SlideLayer(slide)
        top = layer.pyramid.max_zoom
        for place in [(top, 0, 0), (top, 3, 2)]:
            # None: the file system cannot tell what it has in memory.
            assert layer.tile_in_memory(*place) in (layer.tile(*place), None)
        larger = SlideLayer(slide, tile_px=2 * layer.pyramid.tile_px)
        assert larger.drawing != layer.drawing
        assert larger.tile_in_memory(larger.pyramid.max_zoom, 0, 0) is None
        side = larger.pyramid.tile_px
        drawn = decode_jpeg(larger.tile(larger.pyramid.max_zoom, 0, 0).data)
        assert drawn.shape == (side, side, 3)


def test_there_are_no_tiles_beside_the_pyramid():
    registry, layer = TileRegistry(), Painted()
    key = registry.register(layer)
    for place in [(5, 0, 0), (0, 1, 0), (4, 0, 16)]:
        with pytest.raises(OutOfBoundsError):
            registry.tile(key, place)
        with pytest.raises(OutOfBoundsError):
            registry.available_tile(key, place)
    assert layer.asked == 0


def test_tiles_beyond_a_size_are_not_served():
    huge = Painted()
    huge.pyramid = Pyramid((8192, 8192), tile_px=2 * MAX_TILE_PX)
    with pytest.raises(OutOfBoundsError, match=str(MAX_TILE_PX)):
        TileRegistry().register(huge)


@given(
    rate=st.floats(1, 100),
    steps=st.lists(st.floats(0, 1), min_size=1, max_size=200),
)
def test_nobody_has_more_than_the_rate_and_its_burst(rate, steps):
    now = [0.0]
    limit = RateLimit(rate, clock=lambda: now[0])
    granted = 0
    for step in steps:
        now[0] += step
        granted += limit.spend("me")
    assert granted <= rate * 4 + rate * now[0] + 1e-6
    assert granted >= min(len(steps), int(rate * 4))
    assert limit.spend("somebody else")


def test_clients_that_rest_are_forgotten():
    now = [0.0]
    limit = RateLimit(10, clock=lambda: now[0])
    for number in range(3000):
        now[0] += 1
        assert limit.spend(str(number))
    assert len(limit) < 1100


def test_keys_cannot_be_guessed():
    registry = TileRegistry()
    keys = {registry.register(Painted()) for _ in range(50)}
    assert len(keys) == 50
    assert min(map(len, keys)) >= 20


def test_nothing_to_draw_is_transparent_and_kept():
    registry, layer = TileRegistry(), Painted(text=None)
    key = registry.register(layer)
    assert registry.tile(key, (0, 0, 0)).tile == TRANSPARENT
    registry.tile(key, (0, 0, 0))
    assert layer.asked == 1


def test_a_tile_that_fails_is_marked_not_kept_and_told_without_names(caplog):
    problem = SlideReadError("/slides/Jane Doe.svs", "a tile", "it is damaged")
    registry, layer, heard = TileRegistry(), Painted(problem=problem), []
    key = registry.register(layer, on_error=heard.append)
    answer = registry.tile(key, (3, 2, 1))
    # Not glass: a pathologist has to see that something is missing here.
    assert answer.tile == hatched_tile(256) != TRANSPARENT
    assert answer.failed
    assert heard == [problem]
    assert "SlideReadError" in caplog.text
    assert "(3, 2, 1)" in caplog.text
    assert "Jane" not in caplog.text
    layer.problem = None
    assert registry.tile(key, (3, 2, 1)).tile.data == b"a321"


@given(
    sizes=st.lists(st.integers(0, 40), max_size=60),
    budget=st.integers(0, 100),
)
def test_the_cache_keeps_what_was_used_last_and_no_more_than_its_bytes(sizes, budget):
    cache = TileCache(budget)
    for number, size in enumerate(sizes):
        cache.put("key", "1", (0, number % 7, 0), EncodedTile(bytes(size), "x"))
        assert cache.nbytes <= budget
    total, kept = 0, []
    for number in reversed(range(len(sizes))):
        if number % 7 in {n % 7 for n in range(number + 1, len(sizes))}:
            continue
        total += sizes[number]
        if total > budget:
            break
        kept.append(number)
    for number in kept:
        tile = cache.get("key", "1", (0, number % 7, 0))
        assert tile is not None
        assert len(tile.data) == sizes[number]


def test_many_threads_get_the_tiles_they_asked_for():
    registry = TileRegistry(TileCache(200))
    key = registry.register(Painted())
    wrong = []

    def ask():
        for number in range(300):
            place = (4, number % 11, number % 5)
            if registry.tile(key, place).tile.data != b"a4%d%d" % place[1:]:
                wrong.append(place)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# -- over HTTP -------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Serve one layer behind a login and a prefix; give its address and version."""
    folder = tmp_path_factory.mktemp("auth")
    told = folder / "key"
    options = ["--basic-auth", "open sesame", "--cookie-secret", "x" * 32]
    env = {"PYTHONPATH": str(APPS), "KEY_FILE": str(told)}
    with panel_serve(
        APPS / "empty_app.py",
        folder / "log",
        *options,
        plugin="auth_plugin",
        env=env,
        prefix="/lab",
    ) as url:
        key, version = told.read_text().split()
        root = url.removesuffix("/empty_app")
        yield SimpleNamespace(root=root, tiles=f"{root}/tiles/{key}", version=version)


@pytest.fixture(scope="module")
def insider(served):
    """Return what opens URLs after a login."""
    jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    opener = urllib.request.build_opener(jar)
    form = urllib.parse.urlencode({"username": "me", "password": "open sesame"})
    # Where the login sends one afterwards (`/`) there is no page.
    with contextlib.suppress(urllib.error.HTTPError):
        opener.open(f"{served.root}/login", form.encode(), timeout=30).close()
    return opener


def code_of(opener, url):
    try:
        with opener.open(url, timeout=30) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("place", ["0/0/0", "0/0/0?v=1", "9/9/9"])
def test_who_is_not_logged_in_gets_no_tile(served, place):
    stranger = urllib.request.build_opener()
    assert code_of(stranger, f"{served.tiles}/{place}") == 403
    # Nor may anybody learn which keys there are.
    assert code_of(stranger, f"{served.root}/tiles/nothing/0/0/0") == 403


def test_a_forged_cookie_is_no_login(served):
    forger = urllib.request.build_opener()
    forger.addheaders = [("Cookie", "user=me; is_guest=1; user_info=e30")]
    assert code_of(forger, f"{served.tiles}/0/0/0") == 403


def test_who_is_logged_in_gets_tiles_to_keep(served, insider):
    url = f"{served.tiles}/0/0/0?v={urllib.parse.quote(served.version)}"
    with insider.open(url, timeout=30) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "image/jpeg"
        kept = response.headers["Cache-Control"]
        assert "private" in kept
        assert "immutable" in kept
        assert response.read(2) == b"\xff\xd8"


@pytest.mark.parametrize("query", ["", "?v=old"])
def test_a_tile_of_another_version_is_not_kept(served, insider, query):
    with insider.open(f"{served.tiles}/0/0/0{query}", timeout=30) as response:
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.slow
def test_what_is_not_there_is_not_found(served, insider):
    assert code_of(insider, f"{served.root}/tiles/nothing/0/0/0") == 404
    assert code_of(insider, f"{served.tiles}/x/0/0") == 404


@pytest.mark.parametrize(
    "place", ["0/7/7", "99/0/0", "2/9999999/0", "123/0/0", "2/-1/0", "2/1e3/0"]
)
@pytest.mark.slow
def test_a_tile_beside_the_slide_is_not_found(served, insider, place):
    assert code_of(insider, f"{served.tiles}/{place}") == 404


# -- work that nobody waits for --------------------------------------------------


@pytest.mark.slow
def test_work_is_dropped_when_the_client_has_gone(monkeypatch):
    pool = handler.ThreadPoolExecutor(1)
    monkeypatch.setattr(handler, "_POOL", pool)
    gate = threading.Event()
    blocked = pool.submit(gate.wait)
    request = SimpleNamespace(_pending=pool.submit(pytest.fail))
    handler.TileHandler.on_connection_close(request)
    gate.set()
    assert blocked.result(5)
    pool.shutdown()
    assert request._pending.cancelled()
