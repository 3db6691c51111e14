"""A run in the colours of several references says how much depends on the stain."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from workbench.cli import main
from workbench.errors import RecipeError
from workbench.inference.engine import run
from workbench.models.registry import find_model
from workbench.models.stain_sensitivity import NAME, StainSensitivity
from workbench.results.run import open_run
from workbench.slide.slide import open_slide
from workbench.stain.multi_reference import MultiReferenceNormalizer, normalizer_of
from workbench.stain.normalizer import fit_normalizer
from workbench.synthetic import write_slide

REFERENCES = ("he-standard", "he-rose", "he-deep")
OPTIONS = {"device": "cpu", "precision": "float32", "min_tissue": 0.5}


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "made.tif"
    write_slide(path, size=(1024, 1024), seed=5, mpp=0.5)
    with open_slide(path) as opened:
        yield opened


def _values(done):
    return np.concatenate([done.heatmap.values])


@pytest.mark.slow
def test_mean_and_disagreement_are_those_of_runs_with_one_reference(slide, tmp_path):
    options = {**OPTIONS, "normalize": "vahadane"}
    each = np.stack(
        [
            _values(run(slide, out=tmp_path / name, reference=name, **options))
            for name in REFERENCES
        ]
    )
    others = ";".join(REFERENCES[1:])
    done = run(slide, out=tmp_path / "all", references=others, **options)
    assert done.card.classes[-1] == NAME
    found = _values(done)
    shape = found.shape
    channel = shape.index(len(done.card.classes))
    found = np.moveaxis(found, channel, 0)
    each = np.moveaxis(each, channel + 1, 1)
    seen = np.isfinite(found[0])
    assert seen.any()
    np.testing.assert_allclose(found[:-1, seen], each.mean(0)[:, seen], atol=1e-5)
    np.testing.assert_allclose(found[-1, seen], each.std(0).max(0)[seen], atol=1e-5)
    assert found[-1, seen].max() > 0
    kept = normalizer_of(open_run(done.path).record["normalizer"])
    assert isinstance(kept, MultiReferenceNormalizer)
    assert len(kept.members) == len(REFERENCES)


def test_equal_colours_do_not_disagree(slide):
    model = StainSensitivity(find_model("tissue-classes"), 2)
    same = fit_normalizer(slide)
    tiles = torch.randint(0, 256, (3, 3, 256, 256), dtype=torch.uint8)
    answers = model(MultiReferenceNormalizer([same, same])(tiles))
    torch.testing.assert_close(answers[:, :-1], model.model(same(tiles)))
    assert answers[:, -1].abs().max() < 1e-6


def test_several_references_need_a_method(slide, tmp_path):
    with pytest.raises(RecipeError, match="no method to use them"):
        run(slide, out=tmp_path / "none", references="he-rose", **OPTIONS)


def test_the_command_line_takes_several_references(slide, tmp_path):
    out = tmp_path / "run"
    flags = [
        "--normalize",
        "macenko",
        "--references",
        "he-rose;he-pale",
        "--device",
        "cpu",
    ]
    box = ["--region", "0,0,512,512", "--no-tissue-only"]
    done = CliRunner().invoke(
        main, ["run", slide.path, "--out", str(out), *flags, *box]
    )
    assert done.exit_code == 0, done.output
    assert open_run(out).card.classes[-1] == NAME
