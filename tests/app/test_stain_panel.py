"""The stain's panels without a browser: references kept, looks, and what is shown."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from stained_slide import stained_pixels, write_stained
from workbench.app.catalog.references import ReferenceLibrary
from workbench.app.panels.stain.fit_card import fit_of, picture_of_sample
from workbench.app.panels.stain.panel import StainPanel
from workbench.app.panels.stain.state import LOOKS, layer_of
from workbench.app.viewer.viewer import Viewer
from workbench.app.widgets.background import Background
from workbench.errors import StainError
from workbench.geometry import Box
from workbench.inference.plan import RunPlan
from workbench.recipe import Recipe
from workbench.slide.slide import open_slide
from workbench.stain.normalizer import fit_normalizer
from workbench.stain.references import REFERENCES, load_reference
from workbench.stain.registry import METHODS
from workbench.stain.slide_fit import fit_slide
from workbench.stain.tissue_sample import sample_tissue
from workbench.tileserver import TileRegistry


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = tmp_path_factory.mktemp("slide") / "tissue.tif"
    write_stained(path, width=1024, height=896)
    with open_slide(path) as opened:
        yield opened


@pytest.fixture
def told():
    return []


@pytest.fixture
def panel(slide, tmp_path, told):
    panel = StainPanel(Background(told.append), tmp_path / "references")
    panel.attach(Viewer(slide, registry=TileRegistry()))
    return panel


def picture(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["macenko", "vahadane", "reinhard"])
def test_to_switch_gives_what_a_fit_from_the_beginning_gives(slide, method):
    for name in ("he-rose", "he-deep", "he-rose"):
        quick = fit_slide(slide, method, REFERENCES[name]).normalizer
        anew = fit_normalizer(slide, REFERENCES[name], method=method)
        assert quick.fingerprint == anew.fingerprint


def test_every_look_is_a_layer_of_its_own(slide):
    stain = fit_slide(slide, "macenko", REFERENCES["he-rose"])
    layers = [layer_of(stain, look) for look in LOOKS]
    assert len({layer.version for layer in layers}) == len(LOOKS)
    alone = fit_slide(slide, None, REFERENCES["he-rose"])
    np.testing.assert_array_equal(alone.fit.stains, stain.fit.stains)
    assert (
        layer_of(alone, "normalized").version == layer_of(alone, "as scanned").version
    )


def test_the_fit_says_what_was_found_and_where(slide):
    stain = fit_slide(slide, "macenko", REFERENCES["he-rose"])
    text = fit_of(stain)
    for number in (*stain.fit.stains[0], *stain.fit.max_concentrations):
        assert f"{number:.2f}" in text
    assert f"{stain.quality.stained_px:,}" in text
    assert "<img" in picture_of_sample(stain)
    assert "±" in fit_of(fit_slide(slide, "reinhard", REFERENCES["he-rose"]))


def test_a_method_offers_its_looks_and_takes_them_back(panel):
    assert (panel.look, panel.fitted) == ("as scanned", None)
    panel.preset(look="eosin")
    assert panel.fitted.normalizer is None
    panel.preset(look="difference")  # needs a method
    assert panel.look == "eosin"
    panel.preset(method="macenko", look="difference")
    assert panel.look == "difference"
    panel.preset(method="none")
    assert panel.look == "as scanned"
    panel.preset(method="vahadane")
    assert (panel.look, panel.normalizer.method) == ("normalized", "vahadane")


@pytest.mark.slow
def test_a_box_becomes_the_reference_of_a_recipe(panel, slide, told):
    box = Box(300, 250, 700, 600)
    panel.preset(method="macenko")
    panel.select(slide, Box(0, 0, 8, 8))
    assert panel.references._take.disabled
    panel.select(slide, box)
    panel.references._take.clicks += 1
    assert not told
    text = panel.options["reference"]
    assert text == f"{slide.path}@300,250,700,600"
    assert panel.references.url_key not in REFERENCES
    expected = fit_normalizer(slide, load_reference(text))
    assert panel.normalizer.fingerprint == expected.fingerprint
    panel.select(slide, Box(0, 0, 60, 60))  # glass
    panel.references._take.clicks += 1
    assert told
    assert panel.options["reference"] == text


def test_uploads_are_kept_or_refused_in_a_sentence(tmp_path):
    library = ReferenceLibrary(tmp_path / "references")
    content = picture(stained_pixels(320, 288))
    choice = library.upload(content, "mine.png")
    assert choice.item["name"] == "mine.png"
    assert str(tmp_path) not in str(choice.item)
    assert load_reference(choice.text).stains == choice.reference.stains
    for bad in (
        b"no picture",
        b'{"name": "half"}',
        b'{"name": ' + b"1" * 200_000,
        picture(np.full((64, 64, 3), 240, np.uint8)),
    ):
        with pytest.raises(StainError):
            library.upload(bad, "bad.json")
    record = REFERENCES["he-deep"].model_dump_json().encode()
    assert library.upload(record, "deep.json").reference == REFERENCES["he-deep"]
    assert not list((tmp_path / "references").glob("*.tmp"))


def test_saved_references_are_offered_by_name(tmp_path):
    library = ReferenceLibrary(tmp_path)
    saved = library.save(REFERENCES["he-deep"], "../our lab: deep")
    assert (tmp_path / "saved").resolve() in [
        path.parent.resolve() for path in tmp_path.rglob("*.json")
    ]
    assert saved.key == "saved/our-lab-deep"
    (tmp_path / "saved" / "broken.json").write_text("{")
    keys = [choice.key for choice in ReferenceLibrary(tmp_path).choices()]
    assert keys == [*REFERENCES, "saved/our-lab-deep"]
    assert load_reference(saved.text).stains == REFERENCES["he-deep"].stains
    library.save(REFERENCES["he-deep"], "../our lab: deep")
    with pytest.raises(StainError, match="already"):
        library.save(REFERENCES["he-rose"], "our lab: deep")
    with pytest.raises(StainError, match="name"):
        library.save(REFERENCES["he-rose"], " .. ")


@pytest.mark.parametrize("method", METHODS)
def test_a_run_takes_the_fit_that_the_app_has_made(method, tmp_path, monkeypatch):
    seed = 80 + list(METHODS).index(method)  # a slide that nobody has looked at
    file = write_stained(tmp_path / "slide.tif", width=640, height=512, seed=seed)
    looks = []

    def looked(slide, *, tissue):
        looks.append(tissue)
        return sample_tissue(slide, tissue=tissue)

    monkeypatch.setattr("workbench.stain.slide_fit.sample_tissue", looked)
    with open_slide(file) as slide:
        shown = fit_slide(slide, method, REFERENCES["he-rose"]).normalizer
        recipe = Recipe(normalize=method, reference="he-rose", device="cpu")
        for options in {}, {}, {"ink": "keep"}, {"references": "he-pale"}:
            asked = RunPlan.of(slide, recipe.replace(**options)).normalizer()
            if not options:
                assert asked.to_dict() == shown.to_dict()
    assert len(looks) == 2  # for the ink, once more
