"""Quality of the slides of a study: measured once for each, compared among them.

quality/SLIDE.json in the study has the measures of a slide, by the id of its content.
"""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import WorkbenchError
from workbench.quality.likeness import alike
from workbench.quality.measures import SlideQuality, measure_quality
from workbench.recipe import ARTEFACTS
from workbench.slide.pixel_size import parse_mpp
from workbench.slide.slide import open_slide
from workbench.study.slide_table import same_content
from workbench.system.atomic_files import replace_file
from workbench.system.thread_pool import available_cores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

    from workbench.slide.slide import Slide
    from workbench.study.slide_table import SlideRow
    from workbench.study.study import Study

FOLDER: Final = "quality"
_FORMAT: Final = 1
_MOST_THREADS: Final = 8


def measure_slides(
    study: Study,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancel: threading.Event | None = None,
) -> pd.DataFrame:
    """Measure the slides of a study that were not measured yet; see `quality_table`."""
    rows = study.rows
    (study.path / FOLDER).mkdir(exist_ok=True)
    missing = [row for row in rows if _stored(study.path, row) is None]
    report, cancel = progress or (lambda *_: None), cancel or threading.Event()

    def measure(row: SlideRow) -> None:
        if not cancel.is_set():
            facts = {"format": _FORMAT, "id": row.id, "mpp": row.mpp, **_measured(row)}
            replace_file(_file(study.path, row), json.dumps(facts).encode())

    threads = min(_MOST_THREADS, available_cores())
    with ThreadPoolExecutor(threads, thread_name_prefix="quality") as pool:
        for done, _ in enumerate(pool.map(measure, missing), 1):
            report(done, len(missing))
    return quality_table(study)


def quality_table(study: Study) -> pd.DataFrame:
    """Return the quality of the slides that were measured, a row per slide.

    Returns
    -------
    DataFrame
        `slide`; `qc_flags`: what is unusual; `qc_blur`, `qc_fold`, `qc_pen`, `qc_air`:
        shares of the tissue, 0 to 1; `qc_sharpness`; `qc_nucleus_um`;
        `qc_hematoxylin` and `qc_eosin`: strength of the stains, optical density;
        `qc_like`: slides that look the same.
    """
    import pandas as pd  # noqa: PLC0415 - slow to import

    stored = {row.name: _stored(study.path, row) for row in study.rows}
    known = {name: facts for name, facts in stored.items() if facts is not None}
    good = {name: facts for name, facts in known.items() if "measures" in facts}
    like = alike({name: facts["measures"]["hashes"] for name, facts in good.items()})
    for names in same_content(study.slides):
        for name in names:
            others = [other for other in names if other != name]
            like[name] = sorted({*like.get(name, []), *others})
    outliers = _stain_outliers(good)
    rows = []
    for name, facts in known.items():
        row: dict[str, Any] = {"slide": name}
        flags = list(facts.get("flags", []))
        if name in outliers:
            flags.append(f"stain: {outliers[name]}")
        if name in like:
            flags.append("duplicate")
        row["qc_flags"] = "; ".join(flags)
        measures = facts.get("measures", {})
        for key in (*ARTEFACTS, "sharpness", "nucleus_um"):
            row[f"qc_{key}"] = measures.get(key)
        for key, value in zip(
            ("hematoxylin", "eosin"), facts.get("strength") or (None, None), strict=True
        ):
            row[f"qc_{key}"] = value
        row["qc_like"] = ", ".join(like.get(name, []))
        rows.append(row)
    return pd.DataFrame(rows, columns=None if rows else ["slide", "qc_flags"])


def _file(root: Path, row: SlideRow) -> Path:
    return root / FOLDER / f"{row.name}.json"


def _stored(root: Path, row: SlideRow) -> dict[str, Any] | None:
    """Return the measures of a slide; None if there are none of its content."""
    try:
        facts = dict(json.loads(_file(root, row).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    same = (facts.get("format"), facts.get("id"), facts.get("mpp"))
    return facts if same == (_FORMAT, row.id, row.mpp) else None


def _measured(row: SlideRow) -> dict[str, Any]:
    """Return the measures of a slide; one that cannot be measured is a flag."""
    try:
        with open_slide(row.path, mpp=parse_mpp(row.mpp) if row.mpp else None) as slide:
            quality = measure_quality(slide)
            facts = {"measures": quality.to_dict(), "flags": list(quality.flags)}
            return {**facts, **_stains(slide, quality)}
    except (WorkbenchError, OSError) as error:
        return {"flags": [f"unreadable: {_clause(error)}"]}


def _stains(slide: Slide, quality: SlideQuality) -> dict[str, Any]:
    """Return the strength of the stains of H&E, and what speaks against their fit."""
    from workbench.stain.fit_quality import assess_fit  # noqa: PLC0415 - loads torch
    from workbench.stain.methods.macenko import fit_macenko  # noqa: PLC0415
    from workbench.stain.tissue_sample import sample_tissue  # noqa: PLC0415

    if not quality.tissue_mm2:
        return {}
    try:
        histogram = sample_tissue(slide).histogram
        fit = fit_macenko(histogram)
        findings = [str(each) for each in assess_fit(histogram, fit).findings]
    except WorkbenchError as error:
        return {"stain": [f"not H&E ({_clause(error)})"]}
    return {"strength": fit.max_concentrations.tolist(), "stain": findings}


def _stain_outliers(known: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return what is unusual in the staining of slides, by name.

    A slide is pale below 0.6 of the median strength, and overstained above its inverse,
    as the adviser has it.
    """
    from workbench.stain.adviser import strength_findings  # noqa: PLC0415 - loads torch

    usual = [
        facts["strength"]
        for facts in known.values()
        if facts.get("strength") and not facts["stain"]
    ]
    found = {}
    for name, facts in known.items():
        reasons = list(facts.get("stain", []))
        if facts.get("strength"):
            reasons += map(str, strength_findings(facts["strength"], usual))
        if reasons:
            found[name] = "; ".join(reasons)
    return found


def _clause(error: BaseException) -> str:
    text = error.message if isinstance(error, WorkbenchError) else str(error)
    return text.rstrip(".") or type(error).__name__
