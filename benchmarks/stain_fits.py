"""How well, and how fast, stains are fitted: beside spams, scikit-learn and the peers.

All learn a dictionary of two stains from the same pixels, at the same penalty, and
are judged by the same price: half the squared error in optical density plus the
penalty for each unit of stain, with the best amounts for their stains.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from stain_peers import importable
from workbench.errors import StainError
from workbench.stain.methods.sparse_coding import sparse_codes
from workbench.stain.methods.vahadane import (
    BETA,
    fit_vahadane,
    objective,
    vahadane_density,
)
from workbench.stain.optical_density import ColourHistogram

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PENALTIES = (0.1, 0.01)
MOST = 1 << 14
"""Pixels of a picture that everybody learns from."""


def pictures(data: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and pixels, uint8 (H, W, 3), of all real pictures."""
    for folder in ("tiles", "stain_oracle"):
        for path in sorted((data / folder).rglob("*")):
            if path.suffix in {".png", ".jpg", ".jpeg"}:
                name = path.relative_to(data).as_posix()
                yield name, np.asarray(Image.open(path).convert("RGB"))


def tissue_pixels(picture: np.ndarray, most: int = MOST) -> np.ndarray:
    """Return at most so many stained pixels, uint8 (K, 3), evenly over the picture."""
    flat = picture.reshape(-1, 3)
    stained = flat[vahadane_density(flat).max(axis=1) >= BETA]
    chosen = np.linspace(0, len(stained) - 1, min(most, len(stained)))
    return np.ascontiguousarray(stained[chosen.astype(np.int64)])


def priced(pixels: np.ndarray, stains: np.ndarray, penalty: float) -> float:
    """Return the price of the pixels in terms of stains, made feasible first."""
    feasible = np.maximum(stains, 0)
    length = np.linalg.norm(feasible, axis=1, keepdims=True)
    if not length.min() > 0:
        return float("inf")
    histogram = ColourHistogram.of(pixels)
    return objective(histogram, feasible / length, penalty=penalty)


def by_spams(pixels: np.ndarray, penalty: float) -> np.ndarray:
    import spams  # noqa: PLC0415

    points = np.asfortranarray(vahadane_density(pixels).T)
    threads = torch.get_num_threads()
    learnt = spams.trainDL(
        X=points,
        K=2,
        lambda1=penalty,
        mode=2,
        modeD=0,
        posAlpha=True,
        posD=True,
        verbose=False,
    )
    torch.set_num_threads(threads)  # which spams sets to all there are
    return learnt.T


def by_torch_staintools(pixels: np.ndarray, penalty: float) -> np.ndarray:
    from torch_staintools.constants import CONFIG  # noqa: PLC0415
    from torch_staintools.functional.stain_extraction.vahadane import (  # noqa: PLC0415
        DEFAULT_VAHADANE_CONFIG,
        VahadaneAlg,
    )

    CONFIG.ENABLE_COMPILE = False  # else it compiles anew for every number of pixels
    DEFAULT_VAHADANE_CONFIG.regularizer = penalty
    points = torch.from_numpy(vahadane_density(pixels).T.copy()).float()[None, :, None]
    mask = torch.ones_like(points[:, :1], dtype=torch.bool)
    rng = torch.Generator().manual_seed(0)
    return (
        VahadaneAlg(DEFAULT_VAHADANE_CONFIG)(points, mask, 2, rng)[0].double().numpy()
    )


def by_tiatoolbox(pixels: np.ndarray, penalty: float) -> np.ndarray:
    from tiatoolbox.tools.stainextract import VahadaneExtractor  # noqa: PLC0415

    extractor = VahadaneExtractor(luminosity_threshold=1.1, regularizer=penalty)
    return extractor.get_stain_matrix(pixels[None].copy())


def by_sklearn(pixels: np.ndarray, penalty: float) -> np.ndarray:
    from sklearn.decomposition import MiniBatchDictionaryLearning  # noqa: PLC0415

    learner = MiniBatchDictionaryLearning(
        2,
        alpha=penalty,
        max_iter=2,
        fit_algorithm="cd",
        transform_algorithm="lasso_cd",
        positive_code=True,
        positive_dict=True,
        random_state=0,
    )
    return learner.fit(vahadane_density(pixels)).components_


LEARNERS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "spams": by_spams,
    "torch_staintools": by_torch_staintools,
    "tiatoolbox": by_tiatoolbox,
    "sklearn": by_sklearn,
}
"""By the module that must be there."""


def objectives(
    pixels: np.ndarray, penalty: float, names: set[str]
) -> dict[str, float] | None:
    """Return everybody's price; None for pixels that have not two stains."""
    try:
        ours = fit_vahadane(ColourHistogram.of(pixels), penalty=penalty).stains
    except StainError:
        return None
    found = {"ours": priced(pixels, ours, penalty)}
    for name in sorted(names & set(LEARNERS)):
        found[name] = priced(pixels, LEARNERS[name](pixels, penalty), penalty)
    return found


def compare(
    data: Path, *, most: int = MOST
) -> tuple[list[str], dict[str, dict[str, dict[str, float]]]]:
    """Return a table of gaps, and every price by picture and penalty."""
    names = importable(set(LEARNERS))
    record: dict[str, dict[str, dict[str, float]]] = {}
    for name, picture in pictures(data):
        pixels = tissue_pixels(picture, most)
        for penalty in PENALTIES:
            found = objectives(pixels, penalty, names)
            if found is not None:
                record.setdefault(name, {})[str(penalty)] = found
    lines = gaps(record, sorted(names))
    if "spams" in names:
        apart = max(
            codes_against_spams(tissue_pixels(picture, most))
            for name, picture in pictures(data)
            if name in record
        )
        lines += ["", f"Amounts differ from spams.lasso's by {apart:.1e} at most."]
    return lines, record


def gaps(record: dict, names: list[str]) -> list[str]:
    """Return how far the others are above us, as Markdown: median, most and least."""
    count = len(record)
    lines = [f"| above ours, of {count} pictures | penalty | median | most | least |"]
    lines.append("|---|--:|--:|--:|--:|")
    for name in names:
        for penalty in map(str, PENALTIES):
            rows = [each[penalty] for each in record.values() if penalty in each]
            gap = [row[name] / row["ours"] - 1 for row in rows]
            if gap:
                cells = " | ".join(f"{f(gap):.1e}" for f in (np.median, max, min))
                lines.append(f"| {name} | {penalty} | {cells} |")
    return lines


def codes_against_spams(pixels: np.ndarray, penalty: float = 0.01) -> float:
    """Return the largest difference of our amounts from those of `spams.lasso`."""
    import spams  # noqa: PLC0415

    stains = fit_vahadane(ColourHistogram.of(pixels)).stains
    points = vahadane_density(pixels)
    theirs = spams.lasso(
        X=np.asfortranarray(points.T),
        D=np.asfortranarray(stains.T),
        lambda1=penalty,
        mode=2,
        pos=True,
    ).toarray()
    return float(np.abs(theirs.T - sparse_codes(points, stains, penalty)).max())


def fit_seconds(pixels: np.ndarray, rounds: int) -> dict[str, float]:
    """Return the median seconds of learning, ours and spams', in turn."""
    flat = pixels.reshape(-1, 3)
    work: dict[str, Callable] = {
        "ours": lambda: fit_vahadane(ColourHistogram.of(flat)),
        "spams": lambda: by_spams(flat, 0.1),
    }
    if "spams" not in importable({"spams"}):
        del work["spams"]
    work["ours"]()  # compiles, once on a machine
    took: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, learn in work.items():
            start = time.perf_counter()
            learn()
            took[name].append(time.perf_counter() - start)
    return {name: float(np.median(each)) for name, each in took.items()}
