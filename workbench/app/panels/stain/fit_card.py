"""Card of a stain fit: stains found, places sampled, warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2

from workbench.app.widgets.gallery import picture_url
from workbench.app.widgets.html_snippets import bar, table_of
from workbench.layers.colormaps import hex_colour
from workbench.markup import render
from workbench.progress import counted_noun
from workbench.stain.optical_density import swatches

if TYPE_CHECKING:
    import numpy as np
    from markupsafe import Markup
    from numpy.typing import NDArray

    from workbench.stain.methods.macenko import StainFit
    from workbench.stain.slide_fit import SlideStain

_OVERVIEW_PX: Final = 312
_FRAME: Final = (10, 132, 255)
_NAMES: Final = ("hematoxylin", "eosin")


def sampled_picture(stain: SlideStain) -> NDArray[np.uint8]:
    """Return an overview of the slide with frames around the sampled places."""
    slide = stain.slide
    pixels = slide.thumbnail(_OVERVIEW_PX).pixels.copy()
    scale = pixels.shape[1] / slide.size[0]
    for box in stain.sample.boxes:
        x0, y0, x1, y1 = (
            round(edge * scale) for edge in (box.x0, box.y0, box.x1, box.y1)
        )
        corners = (x0, y0), (max(x0 + 2, x1 - 1), max(y0 + 2, y1 - 1))
        cv2.rectangle(pixels, *corners, _FRAME, 1)
    return pixels


def picture_of_sample(stain: SlideStain) -> Markup:
    """Return the overview of `sampled_picture` as HTML."""
    url = picture_url(sampled_picture(stain))
    alt = "The slide, with frames where its colours were looked at"
    return render("sampled", url=url, alt=alt)


def _sample_text(stain: SlideStain) -> str:
    """Return the size of the sample and the quality of the fit as text."""
    quality = stain.quality
    tiles = counted_noun(len(stain.sample.boxes), "tiles")
    return (
        f"Looked at {quality.seen_px:,} pixels in {tiles} all over the tissue;"
        f" {quality.stained_px:,} of them are stained. The two stains are"
        f" {quality.angle:.0f}° apart and explain {quality.explained:.1%} of the"
        " colour."
    )


def fit_of(stain: SlideStain) -> Markup:
    """Return the stains of the slide and of the reference in numbers, as HTML."""
    rows = _rows("slide", stain.fit)
    if stain.reference is not None:
        known = stain.reference.stain_fit
        if stain.normalizer is not None and stain.normalizer.method == "vahadane":
            known = stain.reference.sparse_fit
        rows += _rows("reference", known)
    head = ["", "", "R", "G", "B", "max"]
    table = table_of(head, rows)
    by_lab = stain.normalizer is not None and stain.normalizer.method == "reinhard"
    more = _lab_of(stain) if by_lab else ""
    return render("fit", table=table, more=more, seen=_sample_text(stain))


def warnings_of(stain: SlideStain) -> str:
    """Return warnings about the fit as sentences; empty for none."""
    return " ".join(
        f"{finding.kind.capitalize()}: {finding.reason}."
        for finding in stain.quality.findings
    )


def _rows(whose: str, fit: StainFit) -> list[list[str]]:
    rows = []
    gradients = swatches(fit.stains, fit.max_concentrations)
    for index, name in enumerate(_NAMES):
        colours = [hex_colour(colour) for colour in gradients[index]]
        label = f"{whose} {name[0].upper()}"
        vector = [f"{part:.2f}" for part in fit.stains[index]]
        most = f"{fit.max_concentrations[index]:.2f}"
        rows.append([label, bar(colours, width=44), *vector, most])
    return rows


def _lab_of(stain: SlideStain) -> Markup:
    """Return the Lab means and deviations of Reinhard's method as HTML."""
    record = {} if stain.normalizer is None else stain.normalizer.to_dict()
    rows = [
        [
            side,
            *(
                f"{m:.0f} ± {s:.0f}"
                for m, s in zip(fit["mean"], fit["std"], strict=True)
            ),
        ]
        for side, fit in (
            ("slide", record["source"]),
            ("reference", record["reference"]),
        )
    ]
    return table_of(["", "L", "a", "b"], rows)
