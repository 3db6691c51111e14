"""TIAToolbox: its annotation store and its reader of GeoJSON."""

from __future__ import annotations

from receiving import check, main
from tiatoolbox.annotation.storage import DictionaryStore, SQLiteStore

if not hasattr(__import__("sqlite3").connect(":memory:"), "enable_load_extension"):
    # It asks SQLite for its options by an extension; without one it cannot start.
    SQLiteStore.compile_options = staticmethod(lambda: ["ENABLE_RTREE", "ENABLE_JSON1"])


@check("tiatoolbox", "tiatoolbox")
def length(folder, expected):
    """SQLiteStore counts the annotations."""
    store = SQLiteStore(folder / "instances-tiatoolbox.db")
    assert len(store) == expected["instances"]
    assert len(SQLiteStore(folder / "scores-tiatoolbox.db")) == expected["cells"]


@check("tiatoolbox", "tiatoolbox")
def box_query(folder, expected):
    """A query of a box finds the same outlines, unchanged."""
    store = SQLiteStore(folder / "instances-tiatoolbox.db")
    found = store.query(expected["box"], geometry_predicate="intersects")
    assert len(found) == expected["in_box"]
    whole = store.values()
    area = sum(each.geometry.area for each in whole)
    assert abs(area / expected["area_px"] - 1) < 1e-9


@check("tiatoolbox", "tiatoolbox")
def property_query(folder, expected):
    """The viewer's query of types finds the classes, and a filter their number."""
    store = SQLiteStore(folder / "instances-tiatoolbox.db")
    assert set(store.pquery("props['type']")) == set(expected["classes"])
    for name, number in expected["instances_of"].items():
        assert len(store.query(where=f'props["type"]=="{name}"')) == number
    assert len(store.query(where='props["prob"]>0.5')) > 0


@check("geojson", "tiatoolbox")
def from_geojson(folder, expected):
    """from_geojson reads the same number of outlines."""
    store = DictionaryStore.from_geojson(folder / "instances-plain.geojson")
    assert len(store) == expected["instances"]
    area = sum(each.geometry.area for each in store.values())
    assert abs(area / expected["area_px"] - 1) < 1e-6


main()
