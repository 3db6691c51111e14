"""Files of lines that many processes append to, however they are damaged meanwhile."""

from __future__ import annotations

import errno
import multiprocessing

import numpy as np
import pytest

from made_instances import made_store
from made_slides import tissue_like, write_tiff
from workbench.annotations.annotation import Annotation
from workbench.annotations.collection import open_annotations
from workbench.errors import AnnotationError, WorkbenchError
from workbench.instances.edits import InstanceEdits
from workbench.instances.store import open_instances
from workbench.slide.slide import open_slide
from workbench.system.line_log import LineLog, read_lines

SQUARE = [(10, 10), (30, 10), (30, 30), (10, 30)]


class Kept:
    def __init__(self):
        self.read = []

    def take(self, lines):
        self.read += lines
        return ["" if isinstance(line, dict) else "it is no object" for line in lines]

    def forget(self):
        self.read.clear()

    def lines(self):
        return list(self.read)


def opened(path):
    kept = Kept()
    return LineLog(path, kept), kept


def add(log, kept, *lines):
    kept.take(log.append(lambda: list(lines)))


def test_lines_go_both_ways_and_damage_costs_itself_alone(tmp_path):
    path = tmp_path / "a.jsonl"
    (one, mine), (two, other) = opened(path), opened(path)
    add(one, mine, {"n": 1}, {"n": "µ \ud800"})
    assert two.refresh()
    assert not two.refresh()
    add(two, other, {"n": 3})
    with path.open("ab") as file:
        file.write(b"\0" * 5000 + b'{"n": 4}\nbroken\n' + b'{"n": 5}\n{"torn')
    add(one, mine, {"n": 6})
    two.refresh()
    wanted = [1, "µ \ud800", 3, 4, 5, 6]
    assert [line["n"] for line in mine.read] == wanted
    assert [line["n"] for line in other.read] == wanted
    assert len(one.damaged) == len(two.damaged) == 2
    assert read_lines(path) == (mine.read, one.damaged)


def test_a_line_without_end_is_stepped_over(tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.system.line_log._MAX_LINE_BYTES", 1000)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n": 1}\n' + b"x" * 5_000_000 + b'\n{"n": 2}\n')
    log, kept = opened(path)
    log.refresh()
    assert kept.read == [{"n": 1}, {"n": 2}]
    assert "line 2" in log.damaged[0]
    path.write_bytes(path.read_bytes() + b"y" * 5_000_000)
    add(log, kept, {"n": 3})
    assert read_lines(path)[0] == [{"n": 1}, {"n": 2}, {"n": 3}]


@pytest.mark.parametrize("how", ["gone", "empty", "cut", "replaced", "longer"])
def test_a_file_that_was_changed_under_a_session_stays_whole(tmp_path, how):
    path = tmp_path / "a.jsonl"
    log, kept = opened(path)
    add(log, kept, *({"n": n} for n in range(5)))
    data = path.read_bytes()
    other = b'{"m": 1}\n' * (9 if how == "longer" else 2)
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "cut": data[:20]}.get(how, other))
    add(log, kept, {"n": 9})
    lines, damaged = read_lines(path)
    assert damaged == []
    assert lines == kept.read
    wanted = {"gone": 6, "empty": 6, "cut": 3, "replaced": 3, "longer": 10}
    assert len(lines) == wanted[how]


def _spoil(path):
    """Put zeros and garbage behind what is there, as a failing disk might."""
    with path.open("ab") as file:
        file.write(b"\0" * 600 + b"\n" + b"garbage\n")


def _annotate(slide_path, folder, who):
    with open_slide(slide_path) as slide:
        here = open_annotations(slide, folder=folder)
        for number in range(30):
            here.put(Annotation(geometry=_box(number), name=f"{who}{number}"), by=who)


def _box(number):
    import shapely  # noqa: PLC0415 - in a process of its own

    return shapely.box(number, 0, number + 5, 5)


def _edit(store_path, first, taken):
    edits = InstanceEdits(open_instances(store_path))
    for number in range(30):
        if taken and number == 15:
            edits.path.unlink(missing_ok=True)
        edits.delete([first + number], by=f"p{first}")


def _all_done(target, *arguments):
    spawn = multiprocessing.get_context("spawn")
    people = [spawn.Process(target=target, args=each) for each in arguments]
    for each in people:
        each.start()
    return people


@pytest.mark.slow
def test_several_who_annotate_a_file_that_is_damaged_meanwhile_lose_nothing(tmp_path):
    path = tmp_path / "a.tif"
    write_tiff(path, tissue_like(), mpp=0.5)
    with open_slide(path) as slide:
        here = open_annotations(slide, folder=tmp_path)
        people = _all_done(
            _annotate, *((str(path), tmp_path, who) for who in ("Ada", "Ben"))
        )
        here.put(Annotation(geometry=_box(0), name="first"), by="x")
        _spoil(here.path)
        here.put(Annotation(geometry=_box(0), name="second"), by="x")
        for each in people:
            each.join(120)
        here.refresh()
        names = {f"{who}{n}" for who in ("Ada", "Ben") for n in range(30)}
        for each in (here, open_annotations(slide, folder=tmp_path)):
            assert {a.name for a in each} == names | {"first", "second"}


@pytest.mark.slow
def test_edits_whose_file_is_taken_away_by_another_process_can_be_opened(tmp_path):
    store = made_store(tmp_path, 500)
    here = InstanceEdits(store)
    people = _all_done(_edit, (store.path, 0, False), (store.path, 100, True))
    for each in people:
        each.join(120)
        assert each.exitcode == 0
    here.refresh()
    again = InstanceEdits(open_instances(store.path))
    assert again.damaged == ()
    gone = set(again.current.gone.tolist())
    # What the session knew that wrote first after it was taken away, and all later.
    assert set(range(115, 130)) <= gone
    assert gone <= {*range(30), *range(100, 130)}
    assert np.array_equal(here.current.gone, again.current.gone)


def test_a_disk_that_refuses_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    log, kept = opened(tmp_path / "file" / "a.jsonl")
    with pytest.raises(AnnotationError, match="could not be written or read"):
        add(log, kept, {"n": 1})
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(WorkbenchError, match="could not be written or read"):
        opened(tmp_path / "folder.jsonl")[0].refresh()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_line_that_the_disk_refuses_does_not_come_back(code, tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    (one, mine), (two, other) = opened(path), opened(path)
    add(one, mine, {"n": 1})

    def refuse(_):
        raise OSError(code, "refused")

    with monkeypatch.context() as full:
        full.setattr("workbench.system.line_log.os.fsync", refuse)
        with pytest.raises(AnnotationError, match="could not be written or read"):
            add(one, mine, {"n": 2})
    one.refresh()
    two.refresh()
    assert mine.read == other.read == [{"n": 1}]
    add(one, mine, {"n": 3})
    two.refresh()
    assert mine.read == other.read == [{"n": 1}, {"n": 3}]
