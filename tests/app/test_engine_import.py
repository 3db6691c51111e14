"""The engine is imported after the server has been quiet, and not with it."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys

import pytest

from event_loop import run_coroutine
from workbench.app.server.engine_import import ENGINE, SHARED, EngineImport


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Return the name of a module that has not been imported."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "heavy_engine.py").write_text("")
    yield "heavy_engine"
    sys.modules.pop("heavy_engine", None)


def test_modules_are_imported_in_a_quiet_moment(module):
    async def serve():
        engine = EngineImport([module], quiet_s=0.01)
        engine.on_server_loaded(None)
        assert module not in sys.modules
        assert await asyncio.to_thread(engine.done.wait, 30)

    run_coroutine(serve())
    assert module in sys.modules


def test_a_page_that_is_opened_postpones_it(module):
    async def serve():
        engine = EngineImport([module], quiet_s=0.0)
        engine.on_server_loaded(None)
        engine._quiet_s = 3600
        await engine.on_session_created(None)
        await asyncio.sleep(0.05)
        assert not engine.done.is_set()

    run_coroutine(serve())
    assert module not in sys.modules


def test_an_engine_that_cannot_be_imported_leaves_the_server_alone(caplog):
    async def serve():
        engine = EngineImport(["there_is_no_such_engine"], quiet_s=0.0)
        engine.on_server_loaded(None)
        assert await asyncio.to_thread(engine.done.wait, 30)

    run_coroutine(serve())
    assert "The engine cannot be imported" in caplog.text


@pytest.mark.slow
def test_no_thread_imports_what_pages_import_too():
    code = """if True:
    import sys
    from workbench.app.server.engine_import import ENGINE, EngineImport
    EngineImport()
    loaded = set(sys.modules)
    import importlib
    for name in ENGINE:
        importlib.import_module(name)
    added = {name.partition(".")[0] for name in set(sys.modules) - loaded}
    print(*sorted(added & {"pandas", "pyarrow", "holoviews", "panel", "bokeh"}))
    """
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.split() == []


def test_what_is_named_is_there():
    for name in (*ENGINE, *SHARED):
        assert importlib.util.find_spec(name) is not None
