"""Comparison of the staining of slides, and proposal of a reference slide.

Slides are compared by the optical densities of their stains at full strength: the stain
vectors times the maximal concentrations, six numbers. The proposed reference is the
medoid, the slide with the least total distance to all others. A slide is an outlier if
there are findings against its stains (`fit_quality.assess_fit`), if it is much paler or
deeper than the others, or if normalizing it to the medoid needs colours outside the
gamut.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from workbench.errors import StainError, WorkbenchError
from workbench.progress import Counter, Progress
from workbench.slide.slide import Slide, open_slide
from workbench.stain.fit_quality import Finding, FitQuality, assess_fit, stained_part
from workbench.stain.methods.macenko import MacenkoMap, StainFit, fit_macenko
from workbench.stain.optical_density import ColourHistogram
from workbench.stain.references import Reference
from workbench.stain.tissue_sample import sample_tissue

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    Source: TypeAlias = str | os.PathLike[str] | Slide

_WORKERS: Final = 4
_PALE_RATIO: Final = 0.6
"""Share of the median strength below which a slide is pale; above its inverse, it is
overstained."""

_MIN_SLIDES: Final = 3
"""Minimum number of slides for a median strength."""

_GAMUT: Final = (0.5, 255.5)
"""Grey levels that are not clipped to black or white."""

_MAX_OUTSIDE: Final = 0.01
_COLOURS: Final = 4096
"""Number of stained colours kept of a slide, evenly by rank: enough to compute its
normalization, in little memory."""


@dataclass(frozen=True, eq=False)
class SlideStains:
    """Staining of one slide."""

    path: str
    name: str
    fit: StainFit | None
    """Fit by Macenko's method; None: not measurable, see `findings`."""

    quality: FitQuality | None
    reference: Reference | None
    """Colours of the slide, for every method."""

    findings: tuple[Finding, ...] = ()
    """Findings that make it an outlier; empty: it is none."""

    distance: float = np.nan
    """Mean distance to the slides that are not outliers, in optical density."""

    colours: ColourHistogram | None = None
    """A sample of its stained colours."""

    @property
    def full_strength(self) -> NDArray[np.float64]:
        """Optical densities of the two stains at full strength, float64 (6,)."""
        if self.fit is None:
            message = f"The stains of '{self.path}' could not be measured."
            raise StainError(message, "Leave it out.")
        return (self.fit.stains * self.fit.max_concentrations[:, None]).ravel()

    def row(self) -> dict[str, Any]:
        """Return the numbers as a row of a table."""
        row: dict[str, Any] = {"slide": self.name, "path": self.path}
        fit = self.fit
        for index, stain in enumerate(("hematoxylin", "eosin")):
            vector = [None] * 3 if fit is None else fit.stains[index].tolist()
            for colour, density in zip(("red", "green", "blue"), vector, strict=True):
                row[f"{stain}_{colour}"] = density
            most = None if fit is None else float(fit.max_concentrations[index])
            row[f"{stain}_intensity"] = most
        row["stained_px"] = 0 if self.quality is None else self.quality.stained_px
        row["distance"] = None if np.isnan(self.distance) else self.distance
        row["outlier"] = "; ".join(map(str, self.findings))
        return row


@dataclass(frozen=True, eq=False)
class Advice:
    """Staining of slides, and the proposed reference."""

    slides: tuple[SlideStains, ...]
    """All slides, in the order of the input."""

    medoid: SlideStains | None
    """Slide nearest to all others; None: no slide could be measured."""

    @property
    def outliers(self) -> tuple[SlideStains, ...]:
        """Slides with findings."""
        return tuple(each for each in self.slides if each.findings)

    def frame(self) -> pd.DataFrame:
        """Return a table with one row for each slide."""
        import pandas as pd  # noqa: PLC0415 - slow to import

        table = pd.DataFrame([each.row() for each in self.slides])
        table["proposed"] = [each is self.medoid for each in self.slides]
        return table

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison, ready for JSON."""
        return {
            "proposed": None if self.medoid is None else self.medoid.path,
            "slides": [each.row() for each in self.slides],
        }

    def _repr_html_(self) -> str:
        columns = ["slide", "hematoxylin_intensity", "eosin_intensity", "distance"]
        table = self.frame()[[*columns, "proposed", "outlier"]]
        return table.to_html(index=False, float_format="{:.2f}".format, na_rep="")


def advise(
    slides: Iterable[Source],
    *,
    progress: Callable[[Progress], None] | None = None,
    cancel: threading.Event | None = None,
) -> Advice:
    """Measure the stains of slides, propose a reference, and flag outliers.

    Parameters
    ----------
    Slides of a study. One that cannot be opened or measured becomes an outlier
    with the reason, and does not stop the others.
    progress : callable, optional
        Called after each slide with the number done and its name as the message.
    cancel : threading.Event, optional
        Event that stops before the next slide; the result is then about the slides
        measured so far.

    Raises
    ------
    StainError
        If there are no slides.

    Examples
    --------
    >>> advice = wb.advise(["slide.tif", "other.tif"])
    >>> advice.medoid.name in ("slide.tif", "other.tif")
    True
    """
    sources = list(slides)
    if not sources:
        message = "There are no slides whose stains could be compared."
        raise StainError(message, "Name a folder that has some.")
    return _compare(tuple(_measure_slides(sources, progress, cancel)))


def _measure_slides(
    sources: list[Source],
    progress: Callable[[Progress], None] | None,
    cancel: threading.Event | None,
) -> Iterator[SlideStains]:
    """Measure a few slides at a time; yield them in order."""

    def measure(source: Source) -> SlideStains | None:
        return (
            None if cancel is not None and cancel.is_set() else _measure_source(source)
        )

    report = Counter(progress or (lambda _: None), "fitting stains", "slides")
    workers = min(_WORKERS, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers, thread_name_prefix="advise") as pool:
        for done, each in enumerate(pool.map(measure, sources), 1):
            if each is None:
                continue
            report(done, len(sources), each.name)
            yield each


def _measure_source(source: Source) -> SlideStains:
    path = source.path if isinstance(source, Slide) else os.fspath(source)
    name = os.path.basename(path.rstrip("/"))  # noqa: PTH119 - it may be a URL
    try:
        if isinstance(source, Slide):
            return _measure_slide(source, path, name)
        with open_slide(path) as slide:
            return _measure_slide(slide, path, name)
    except StainError as error:
        finding = Finding("not H&E", _clause(error).replace(path, name))
    except (WorkbenchError, OSError, MemoryError) as error:
        finding = Finding("unreadable", _clause(error).replace(path, name))
    return SlideStains(path, name, None, None, None, (finding,))


def _measure_slide(slide: Slide, path: str, name: str) -> SlideStains:
    histogram = sample_tissue(slide).histogram
    fit = fit_macenko(histogram)
    quality = assess_fit(histogram, fit)
    reference = Reference.of_histogram(
        histogram,
        name=name[:500],
        provenance=f"Tissue of the whole slide {name}, {slide.id}.",
    )
    return SlideStains(
        path,
        name,
        fit,
        quality,
        reference,
        quality.findings,
        colours=_subsample(stained_part(histogram)),
    )


def _subsample(histogram: ColourHistogram) -> ColourHistogram:
    """Return a sample of the colours, with equal probability for each pixel."""
    last = np.cumsum(histogram.counts)
    ranks = (np.arange(_COLOURS) + 0.5) / _COLOURS * last[-1]
    index, counts = np.unique(np.searchsorted(last, ranks), return_counts=True)
    return ColourHistogram(histogram.colours[index], counts, histogram.white)


def _clause(error: BaseException) -> str:
    text = error.message if isinstance(error, WorkbenchError) else str(error)
    return text.rstrip(".") or type(error).__name__


def _compare(slides: tuple[SlideStains, ...]) -> Advice:
    measured = [each for each in slides if each.fit is not None]
    usual = [each for each in measured if not each.findings]
    strengths = [_strength(each) for each in usual]
    assessed = [
        each
        if each.fit is None
        else _add_findings(each, strength_findings(_strength(each), strengths))
        for each in slides
    ]
    usual = [each for each in assessed if each.fit is not None and not each.findings]
    medoid = _medoid(usual or [each for each in assessed if each.fit is not None])
    assessed = [
        each if medoid is None else _check_gamut(each, medoid) for each in assessed
    ]
    others = [each for each in assessed if each.fit is not None and not each.findings]
    final = tuple(replace(each, distance=_distance(each, others)) for each in assessed)
    proposed = None if medoid is None else medoid.path
    return Advice(final, next((e for e in final if e.path == proposed), None))


def _strength(slide: SlideStains) -> list[float]:
    return [] if slide.fit is None else slide.fit.max_concentrations.tolist()


def _add_findings(slide: SlideStains, findings: list[Finding]) -> SlideStains:
    """Add findings of new kinds."""
    known = {each.kind for each in slide.findings}
    new = [each for each in findings if each.kind not in known]
    return replace(slide, findings=(*slide.findings, *new))


def strength_findings(
    strength: Sequence[float], usual: Sequence[Sequence[float]]
) -> list[Finding]:
    """Compare the strength of the stains of a slide with the median of others.

    Parameters
    ----------
    strength : sequence of float
        Maximal concentrations of hematoxylin and eosin.
    usual : sequence of sequence of float
        Those of slides without findings; fewer than three tell nothing.
    """
    if len(usual) < _MIN_SLIDES:
        return []
    found = []
    median = np.median(np.array(usual), axis=0)
    names = ("hematoxylin", "eosin")
    for name, most, half in zip(names, strength, median, strict=True):
        numbers = f"{name} reaches {most:.2f}, half of the slides {half:.2f}"
        if most < _PALE_RATIO * half:
            found.append(Finding("pale", numbers))
        if most > half / _PALE_RATIO:
            found.append(Finding("overstained", numbers))
    return found


def _medoid(slides: list[SlideStains]) -> SlideStains | None:
    """Return the slide with the least total distance to all; the first if equal."""
    if not slides:
        return None
    strengths = np.array([each.full_strength for each in slides])
    distances = np.linalg.norm(strengths[:, None] - strengths, axis=2)
    return slides[int(distances.sum(axis=1).argmin())]


def _check_gamut(slide: SlideStains, medoid: SlideStains) -> SlideStains:
    """Check that the colours of a slide normalized to the medoid are in the gamut."""
    if slide.fit is None or medoid.fit is None or slide.colours is None:
        return slide
    levels = MacenkoMap(slide.fit, medoid.fit)(slide.colours.colours)
    outside = ((levels < _GAMUT[0]) | (levels > _GAMUT[1])).any(axis=1)
    share = float(slide.colours.counts @ outside / slide.colours.total)
    if share <= _MAX_OUTSIDE:
        return slide
    reason = f"{share:.0%} of its tissue would become black or white"
    return _add_findings(slide, [Finding("out of gamut", reason)])


def _distance(slide: SlideStains, others: list[SlideStains]) -> float:
    rest = [each.full_strength for each in others if each.path != slide.path]
    if slide.fit is None or not rest:
        return float("nan")
    return float(np.linalg.norm(np.array(rest) - slide.full_strength, axis=1).mean())
