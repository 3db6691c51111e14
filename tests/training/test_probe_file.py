"""A probe saved as a model gives the scores of the probe."""

from __future__ import annotations

import json

import numpy as np
import pytest

import workbench as wb
from workbench.training.probe import Probe

ENCODER = "tissue-features"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("probe")


@pytest.fixture(scope="module")
def slide(folder):
    wb.synthetic.write_slide(folder / "slide.tif", size=(1536, 1536), seed=3)
    with wb.open_slide(folder / "slide.tif") as opened:
        yield opened


@pytest.fixture(scope="module")
def tiles(folder, slide):
    run = wb.run(
        slide, model=ENCODER, normalize="macenko", tissue_only=False, out=folder / "v"
    )
    return wb.training.EmbeddedSlide.of(wb.features.features_of(run))


@pytest.fixture(scope="module")
def probe(slide, tiles):
    truth = wb.synthetic.load_truth(slide.path)
    labels = wb.training.TileLabels()
    for name in ("background", "stroma", "tumour"):
        shares = [truth.share(name, box) for box in tiles.boxes]
        for row in np.argsort(shares)[-4:]:
            labels = labels.with_click(int(row), name, author="me")
    return wb.training.fit_probe(tiles, labels)


@pytest.fixture(scope="module")
def saved(folder, probe):
    return wb.training.save_probe(
        probe, folder / "my tissue", colours={"tumour": (1, 2, 3)}
    )


@pytest.mark.slow
def test_a_run_of_the_model_gives_the_scores_of_the_probe(
    folder, slide, tiles, probe, saved
):
    run = wb.run(
        slide,
        model=str(saved),
        normalize="macenko",
        tissue_only=False,
        out=folder / "r",
    )
    expected = probe.scores(tiles)
    assert run.heatmap.classes == expected.names
    found = run.heatmap.values.reshape(3, -1).T
    assert len(found) == len(expected)
    assert expected.values.max() > 0.9
    np.testing.assert_allclose(found, expected.values, atol=2e-3)


@pytest.mark.slow
def test_the_card_says_what_it_is_and_how_to_run_it(saved):
    card = wb.find_model(saved).card
    assert card.name == "my tissue"
    assert card.classes == ("background", "stroma", "tumour")
    assert card.colours[2] == (1, 2, 3)
    assert "normalize = 'macenko', reference = 'he-standard'" in card.intended_use
    assert "background 4, stroma 4, tumour 4" in card.source
    known = json.loads((saved / "training.json").read_text())
    assert known["encoder"]["name"] == ENCODER
    assert known["classes"] == {"background": 4, "stroma": 4, "tumour": 4}
    assert {label["author"] for label in known["slides"][0]["labels"]} == {"me"}
    assert known["accuracy"] is None


def test_accuracy_is_saved_with_the_model(tmp_path, tiles, probe):
    labels = wb.training.TileLabels().with_click(0, "a").with_click(5, "b")
    figure = wb.training.probe_accuracy(tiles, labels)
    path = wb.training.save_probe(probe, tmp_path / "m", accuracy=figure)
    known = json.loads((path / "training.json").read_text())["accuracy"]
    assert known["share"] is None
    assert known["notes"]


@pytest.mark.slow
def test_the_model_is_exported_like_any_other(tmp_path, saved):
    exported = wb.models.export_model(saved, tmp_path / "probe.pt")
    assert exported.is_file()


@pytest.mark.parametrize(
    ("encoder", "error", "message"),
    [
        ("tissue-classes", wb.errors.TrainingError, "gives no vectors; the probe was"),
        ("nothing", wb.errors.ModelNotFoundError, "no model 'nothing'"),
    ],
)
def test_another_encoder_is_refused(tmp_path, probe, encoder, error, message):
    with pytest.raises(error, match=message):
        wb.training.save_probe(probe, tmp_path / "m", encoder=encoder)
    assert not (tmp_path / "m").exists()


def test_vectors_of_other_weights_are_refused(tmp_path, probe):
    one = dict(probe.provenance[0])
    one["features"] = {**one["features"], "model_sha256": "0" * 64}
    other = Probe(probe.classes, probe.head, probe.encoder, (one,))
    with pytest.raises(wb.errors.TrainingError, match="made by other weights"):
        wb.training.save_probe(other, tmp_path / "m")


@pytest.mark.parametrize("options", [{}, {"encoder": "workbench:linear-probe"}])
def test_a_card_without_an_encoder_is_refused(tmp_path, saved, options):
    fields = json.loads((saved / "card.json").read_text())
    (tmp_path / "card.json").write_text(json.dumps({**fields, "options": options}))
    weights = (saved / "weights.safetensors").read_bytes()
    (tmp_path / "weights.safetensors").write_bytes(weights)
    with pytest.raises(wb.errors.InvalidCardError, match=r"options\.encoder"):
        wb.find_model(tmp_path)
