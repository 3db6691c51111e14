from __future__ import annotations

import inspect
import pickle

import pytest

import workbench as wb
from workbench import errors
from workbench.instances.store import open_instances
from workbench.models.registry import find_model

CLASSES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.WorkbenchError)
]

MADE = [
    errors.SlideNotFoundError("a.svs"),
    errors.UnsupportedSlideError("a.svs", "it is a DICOM segmentation"),
    errors.BrokenSlideError("a.svs", "its header is cut off"),
    errors.ColourProfileError("a.svs", "it is for CMYK colours, not for RGB"),
    errors.SlideReadError("a.svs", "level 0", "it was removed"),
    errors.MissingMppError("a.svs", "the file does not say"),
    errors.ModelNotFoundError("nobody", ["tissue-classes"]),
    errors.InvalidCardError("card.json", "no 'mpp'"),
    errors.UntrustedModelError("model.pkl", "it is a pickle"),
    errors.RecipeMismatchError("runs/a", "another model"),
    errors.MissingPackageError("xarray"),
    errors.AccessError("secret.svs"),
    errors.ArchiveError("The archive refuses access (401).", "Ask who runs it."),
]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_stands_in_the_tree_and_has_both_codes(kind):
    assert f"{kind.__name__}" in errors.__doc__
    error = kind.__new__(kind)
    assert errors.code_for(error, errors.EXIT_CODES) > 0
    assert 400 <= errors.code_for(error, errors.HTTP_CODES) < 500


@pytest.mark.parametrize("error", MADE, ids=lambda e: type(e).__name__)
def test_an_error_names_the_value_and_the_next_step_and_travels(error):
    assert error.remedy
    assert str(error) == f"{error.message} {error.remedy}"
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.remedy == error.remedy


def test_a_subclass_uses_the_code_of_its_nearest_parent():
    code = errors.code_for(errors.BrokenSlideError("a", "b"), errors.EXIT_CODES)
    assert code == errors.EXIT_CODES[errors.SlideError]


def test_a_message_can_always_be_printed():
    error = errors.WorkbenchError("name '\ud800' of a file", "Rename it.")
    assert str(error).encode() == b"name '\\ud800' of a file Rename it."


def test_a_message_that_quotes_a_file_stays_short():
    error = errors.WorkbenchError("begins " + "x" * 1_000_000 + " ends", "Do this.")
    assert len(str(error)) < 10_000
    assert str(error).startswith("begins ")
    assert str(error).endswith(" ends Do this.")


NAMES = ["x" * 5000, "a\0b", "\ud800", "x" * 5000 + ".json", "a/" * 3000 + "b.tif"]
USES = {
    "slide": wb.open_slide,
    "run": wb.open_run,
    "features": wb.open_features,
    "reference": wb.load_reference,
    "model": find_model,
    "instances": open_instances,
    "address": lambda name: wb.open_slide(f"file://{name}"),
    "weights": lambda name: find_model("resnet18", weights=name),
}


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_names_that_no_disk_can_hold_are_refused(use, name):
    with pytest.raises(errors.WorkbenchError) as caught:
        use(name)
    assert str(caught.value).encode()
