"""Journals and run folders: whole, torn, foreign, in use, on a full disk."""

from __future__ import annotations

import errno
import os
import threading

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from run_records import FACTS, answers_of, began
from workbench.errors import RecipeMismatchError, RunError, RunFolderError
from workbench.results.run import open_run
from workbench.results.run_writer import RunWriter
from workbench.results.tile_results import Raster, TileResults, read_tile_results
from workbench.system import append_log as journals
from workbench.system.append_log import AppendLog, read_records
from workbench.tiling.grid import Grid

GRID = Grid((100, 60), 1.0, 20)
records_of = st.lists(st.binary(min_size=1, max_size=60), max_size=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("journals")


def written(path, records):
    path.unlink(missing_ok=True)
    journal = AppendLog(path)
    for record in records:
        journal.append(record)
    journal.close()


def read(path):
    return [record for _, record in read_records(path)]


@given(records=records_of, data=st.data())
def test_a_journal_cut_off_anywhere_keeps_what_is_whole(folder, records, data):
    path = folder / "cut"
    written(path, records)
    whole = path.read_bytes()
    ends = [end for end, _ in read_records(path)]
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    kept = records[: sum(end <= cut for end in ends)]
    assert read(path) == kept
    journal = AppendLog(path)
    journal.append(b"after")
    journal.close()
    assert read(path) == [*kept, b"after"]
    assert path.stat().st_size == max(end for end, _ in read_records(path))


@given(records=records_of, tail=st.binary(max_size=80))
def test_what_a_power_cut_leaves_behind_is_no_record(folder, records, tail):
    path = folder / "tail"
    written(path, records)
    with path.open("ab") as file:
        file.write(bytes(40) + tail)
    assert read(path) == records


@given(records=records_of.filter(len), data=st.data())
def test_a_flipped_bit_ends_the_reading_before_it(folder, records, data):
    path = folder / "flip"
    written(path, records)
    whole = bytearray(path.read_bytes())
    start = len(whole) - sum(len(r) + 8 for r in records)
    place = data.draw(st.integers(start, len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    ends = [end for end, _ in read_records(path)]
    path.write_bytes(whole)
    assert read(path) == records[: sum(end <= place for end in ends)]


def test_reading_goes_on_where_it_ended(folder):
    path = folder / "live"
    written(path, [b"one"])
    ((end, _),) = read_records(path)
    journal = AppendLog(path)
    assert list(read_records(path, end)) == []
    journal.append(b"two")
    assert [r for _, r in read_records(path, end)] == [b"two"]
    journal.close()


def test_another_file_is_not_taken_for_a_journal(folder):
    path = folder / "other"
    path.write_bytes(b"somebody else's data")
    for use in (AppendLog, read):
        with pytest.raises(RunError, match="not the journal"):
            use(path)
    assert path.read_bytes() == b"somebody else's data"


class FullDisk:
    """A file on a disk that takes `room` bytes more."""

    def __init__(self, file, room):
        self._file, self._room = file, room

    def write(self, data):
        taken = self._file.write(bytes(data[: self._room]))
        self._room -= taken
        if not taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return taken

    def __getattr__(self, name):
        return getattr(self._file, name)


@given(room=st.integers(0, 40))
def test_a_full_disk_takes_a_record_whole_or_not_at_all(folder, room):
    path = folder / "full"
    written(path, [b"first"])
    journal = AppendLog(path)
    disk, journal._file = journal._file, FullDisk(journal._file, room)
    record = b"x" * 24
    if room < 32:
        with pytest.raises(RunFolderError, match="No space left"):
            journal.append(record)
    else:
        journal.append(record)
    journal._file = disk
    journal.append(b"last")
    journal.close()
    assert read(path) == [b"first", *[record] * (room >= 32), b"last"]


@given(st.data())
def test_answers_come_back_as_they_were(data):
    number = data.draw(st.integers(0, 5))
    rng = np.random.default_rng(number)
    values = rng.random((number, 3, 2, 2), np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    answers = TileResults(7, rng.integers(0, 1 << 40, number), values, {3: "grün\n"})
    back = TileResults.decode(answers.encode())
    assert back.chunk == 7
    assert back.failures == {3: "grün\n"}
    assert np.array_equal(back.tiles, answers.tiles)
    assert np.array_equal(back.values, values, equal_nan=True)


def test_a_raster_holds_each_answer_where_its_core_lies():
    raster = Raster(GRID, 2, 2)
    values = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
    raster.paint(TileResults(0, np.array([7]), values))
    row, column = GRID.place(7)
    box = GRID.core(7)
    painted = np.argwhere(~np.isnan(raster.values[0])) * 10
    assert painted.min(0).tolist() == [box.y0, box.x0]
    assert (painted.max(0) + 10).tolist() == [box.y1, box.x1]
    place = np.s_[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
    assert np.array_equal(raster.values[place], values[0])


def test_a_chunk_that_is_tried_again_counts_once():
    raster = Raster(GRID, 2, 2)
    raster.paint(answers_of(0, [1, 2], value=np.nan, failures={2: "damaged"}))
    raster.paint(answers_of(0, [1, 2]))
    assert (raster.tiles_done, raster.failures, raster.version) == (2, {}, 2)


def test_a_run_is_followed_while_it_is_written_and_after(tmp_path):
    path = tmp_path / "run"
    recorder = began(path)
    run = open_run(path)
    assert (run.status, run.tiles_done, run.tiles_total) == ("running", 0, 15)
    recorder.append(answers_of(0, [0, 1]))
    first = run.heatmap
    assert np.nanmax(first.values) == 1
    recorder.append(answers_of(1, [2], failures={2: "damaged"}, value=np.nan))
    assert run.heatmap.version > first.version
    assert (run.tiles_done, run.failures) == (3, {2: "damaged"})
    recorder.append(answers_of(2, range(3, 15)))
    recorder.close("finished", {"tiles": 1.0})
    recorder.__exit__(None, None, None)
    assert (run.status, run.tiles_done, run.tiles_failed) == ("finished", 15, 1)
    assert run.heatmap.version > 2
    again = open_run(path)
    assert np.array_equal(again.heatmap.values, run.heatmap.values, equal_nan=True)
    assert again.heatmap.cell == 10
    assert np.isnan(again.heatmap.values[:, 0:2, 4:6]).all()
    assert not (path / "journal").exists()
    with pytest.raises(ValueError, match="read-only"):
        again.heatmap.values[0] = 0


def test_other_programs_can_read_the_scores(tmp_path):
    with RunWriter(tmp_path / "run") as recorder:
        recorder.create(FACTS, np.arange(15), {})
        recorder.append(answers_of(0, range(15)))
        recorder.close("finished", {})
    scores = zarr.open_array(tmp_path / "run" / "scores.zarr", mode="r")
    assert scores.metadata.zarr_format == 3
    assert (scores.shape, scores.dtype) == ((2, 6, 10), np.float32)
    assert scores.attrs["classes"] == ["a", "b"]
    assert scores.attrs["cell_px"] == 10


def test_a_killed_run_is_interrupted_and_a_failed_one_says_why(tmp_path):
    path = tmp_path / "run"
    recorder = began(path)
    recorder.append(answers_of(0, [0, 1]))
    recorder._lock.release()  # as the system does when a process is killed
    assert open_run(path).status == "interrupted"
    again = RunWriter(path).__enter__()
    again.resume({})
    assert again.chunks_done == {0}
    again.__exit__(ValueError, ValueError("oh"), None)
    run = open_run(path)
    assert (run.status, run.record["message"], run.tiles_done) == ("failed", "oh", 2)
    assert len(run.record["sessions"]) == 2


def test_only_one_writes_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.results.run_writer._LOCK_WAIT_S", 0.05)
    recorder = began(tmp_path / "run")
    with pytest.raises(RunError, match="in progress"), RunWriter(tmp_path / "run"):
        pass
    recorder.__exit__(None, None, None)
    with RunWriter(tmp_path / "run"):
        pass


def test_who_looks_at_a_run_does_not_stop_who_wants_to_write_it(tmp_path):
    path = tmp_path / "run"
    recorder = began(path)
    recorder._lock.release()
    stop = threading.Event()

    def look():
        while not stop.is_set():
            open_run(path).status  # noqa: B018 - the look is what is tested

    lookers = [threading.Thread(target=look) for _ in range(3)]
    for thread in lookers:
        thread.start()
    try:
        for _ in range(5):
            with RunWriter(path):
                pass
    finally:
        stop.set()
        for thread in lookers:
            thread.join()


def test_somebody_elses_folder_is_left_alone(tmp_path):
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(RunError, match=r"thesis\.docx"), RunWriter(tmp_path):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.docx"]


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("slide", "id", "other"),
        ("slide", "mpp", 0.25),
        ("recipe", "normalize", "macenko"),
        ("model", "classes", ["a", "c"]),
        ("grid", "tile_px", 10),
    ],
)
def test_a_run_of_something_else_is_not_continued(tmp_path, section, name, value):
    with RunWriter(tmp_path / "run") as recorder:
        recorder.create(FACTS, np.arange(15), {})
    other = {**FACTS, section: {**FACTS[section], name: value}}
    with (
        RunWriter(tmp_path / "run") as recorder,
        pytest.raises(RecipeMismatchError, match=f"{section}.{name}"),
    ):
        recorder.check(other)
    with RunWriter(tmp_path / "run") as recorder:
        recorder.check(FACTS)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 99}', "\x00" * 40], ids=range(5)
)
def test_what_is_no_record_is_refused_in_words(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunError, match=str(tmp_path)):
        open_run(tmp_path)
    with pytest.raises(RunError, match=str(tmp_path)), RunWriter(tmp_path):
        pass
    with pytest.raises(RunError, match="no run"):
        open_run(tmp_path / "nowhere")


def test_the_disk_is_waited_for_at_most_once_a_second(tmp_path, monkeypatch):
    syncs = []
    monkeypatch.setattr(journals.os, "fsync", syncs.append)
    clock = iter(np.arange(0, 100, 0.25))
    monkeypatch.setattr(journals.time, "monotonic", lambda: next(clock))
    journal = AppendLog(tmp_path / "journal")
    for _ in range(12):
        journal.append(b"x")
    assert 2 <= len(syncs) - 1 <= 4
    journal.close()
    assert len(list(read_tile_results(tmp_path / "none"))) == 0


def test_a_run_shows_itself_without_running_what_is_in_its_names(tmp_path):
    facts = {**FACTS, "slide": {**FACTS["slide"], "name": "<script>"}}
    with RunWriter(tmp_path / "run") as recorder:
        recorder.create(facts, np.arange(15), {})
        recorder.close("cancelled", {})
    run = open_run(tmp_path / "run")
    assert "<script>" not in run._repr_html_()
    assert "0 of 15" in run._repr_html_()
    assert "cancelled" in repr(run)
    assert run._repr_html_().count("data:image/png") == len(run.heatmap.classes)
