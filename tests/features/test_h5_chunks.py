"""Addresses of HDF5 chunks: the same as HDF5 lists, or left to it."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from workbench.errors import FeaturesError
from workbench.features.h5_chunks import chunk_addresses
from workbench.features.h5_file import open_h5
from workbench.features.h5_rows import _listed_chunks, h5_rows

ROWS = np.random.default_rng(0).normal(size=(5000, 3)).astype(np.float32)


def write(path, rows, *, facts=0, **options):
    with h5py.File(path, "w", **options) as file:
        data = file.create_dataset(
            "a", shape=(0, 3), maxshape=(None, 3), chunks=(rows, 3), dtype=np.float32
        )
        for number in range(facts):  # the header goes on elsewhere
            data.attrs[f"fact {number}"] = "x" * 200
        for first in range(0, len(ROWS), 700):
            part = ROWS[first : first + 700]
            data.resize(first + len(part), axis=0)
            data[first:] = part
    return path


def read(path):
    with open_h5(path) as file:
        return h5_rows(path, file["a"])


@pytest.mark.parametrize(("rows", "facts"), [(1, 0), (1, 9), (32, 0), (9999, 0)])
def test_the_tree_gives_what_hdf5_lists(tmp_path, rows, facts):
    path = write(tmp_path / "a.h5", rows, facts=facts)
    with h5py.File(path) as file:
        found = chunk_addresses(np.fromfile(path, np.uint8), file["a"])
        listed = _listed_chunks(file["a"])
    order, expected = np.argsort(found[0]), np.argsort(listed[0])
    for mine, theirs in zip(found, listed, strict=True):
        assert mine[order].tolist() == theirs[expected].tolist()
    assert read(path)[:].tobytes() == ROWS.tobytes()


def test_other_indexes_are_listed_by_hdf5(tmp_path):
    path = write(tmp_path / "a.h5", 1, libver="latest")
    with h5py.File(path) as file:
        assert chunk_addresses(np.fromfile(path, np.uint8), file["a"]) is None
    assert read(path)[:].tobytes() == ROWS.tobytes()


def test_a_damaged_tree_is_left_to_hdf5(tmp_path):
    path = write(tmp_path / "a.h5", 1)
    content = bytearray(path.read_bytes())
    at = content.index(b"TREE\x01\x00")
    for damage in ({0: 0}, {6: 255, 7: 255}, {24 + 40 - 2: 255}, {4: 0}):
        broken = bytearray(content)
        for place, value in damage.items():
            broken[at + place] = value
        path.write_bytes(broken)
        with h5py.File(path) as file:
            found = chunk_addresses(np.frombuffer(broken, np.uint8), file["a"])
        if found is not None:  # an address, not the tree
            with pytest.raises(FeaturesError):
                read(path)[:]
