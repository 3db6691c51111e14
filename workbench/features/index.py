"""`FeatureIndex`: tiles of many slides, found by the likeness of their vectors."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import FeaturesError, MissingPackageError, OutOfBoundsError
from workbench.progress import counted_noun
from workbench.results.run_record import DAMAGE
from workbench.results.spherical_kmeans import unit_vectors
from workbench.system.blas_threads import one_thread

if TYPE_CHECKING:
    import os

    import pandas as pd
    from numpy.typing import NDArray

EXTRA: Final = "retrieval"
RECORD: Final = "index.json"
VECTORS: Final = "vectors.npy"
BOXES: Final = "boxes.npy"
CODES: Final = "codes.faiss"
FORMAT: Final = 1

MOST_EXACT: Final = 20_000
"""Number of vectors up to which all are compared; more have codes that are compared."""

_CANDIDATES: Final = 1000
"""Vectors with the nearest codes that are compared exactly; in all but rare cases the
twenty nearest vectors are among them (measured in benchmarks/features.py)."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class FeatureIndex:
    """Vectors of tiles of many slides by one encoder, in a folder.

    Made by `build_index`, opened by `open_index`. The vectors stay on disk; from 20,000
    on, a short code of each is searched in memory and the nearest are compared exactly.

    Examples
    --------
    >>> run = wb.run(slide, wb.Recipe(model="tissue-features"), out="vectors")
    >>> index = wb.build_index([wb.open_features(run.path)], "index")
    >>> found = index.search(index.vector_at("slide", 100, 200), 5)
    >>> found["slide"].tolist()
    ['slide', 'slide', 'slide', 'slide', 'slide']
    """

    path: Path
    """Folder of the index."""

    encoder: str
    """Name of the encoder; empty if the files did not give it."""

    slides: tuple[str, ...]
    """Names of the slides."""

    starts: tuple[int, ...]
    """Row of each slide's first tile, and the number of all tiles as the last."""

    vectors: NDArray[np.float16]
    """Vectors of length 1, float16 (N, D), mapped from disk."""

    boxes: NDArray[np.float64]
    """Edges x0, y0, x1, y1 of each tile in level-0 pixels of its slide."""

    files: tuple[str, ...] = ()
    """File of features of each slide, as it was given."""

    codes: Any = field(default=None, repr=False)
    """Codes of all vectors, a faiss index; None: all vectors are compared."""

    def __len__(self) -> int:
        """Return the number of tiles."""
        return len(self.vectors)

    def rows_of(self, slide: str) -> slice:
        """Return the rows of one slide.

        Raises
        ------
        OutOfBoundsError
            If the index does not hold it.
        """
        if slide not in self.slides:
            message = f"The index '{self.path}' has no slide '{slide}'."
            raise OutOfBoundsError(message, f"It has: {', '.join(self.slides[:20])}.")
        number = self.slides.index(slide)
        return slice(*self.starts[number : number + 2])

    def vector_at(self, slide: str, x: float, y: float) -> NDArray[np.float32]:
        """Return the vector of a slide's tile whose centre is nearest to a point.

        Parameters
        ----------
        slide : str
            Name of the slide.
        x, y : float
            Level-0 pixels.

        Returns
        -------
        float32 (D,)
            Of length 1.

        Raises
        ------
        OutOfBoundsError
            If the index does not hold the slide, or it has no tiles.
        """
        rows = self.rows_of(slide)
        if rows.start == rows.stop:
            message = f"The index '{self.path}' has no tiles of '{slide}'."
            raise OutOfBoundsError(message, "Choose another slide.")
        centres = (self.boxes[rows, :2] + self.boxes[rows, 2:]) / 2
        nearest = rows.start + int(np.hypot(*(centres - (x, y)).T).argmin())
        vector: NDArray[np.float32] = self.vectors[nearest].astype(np.float32)
        return vector

    def search(
        self,
        vector: NDArray[Any],
        count: int = 20,
        *,
        per_slide: int | None = None,
        leave_out: str | None = None,
    ) -> pd.DataFrame:
        """Return the tiles whose vectors are most like one, the most like first.

        Parameters
        ----------
        vector : (D,)
            Vector by the same encoder; its length does not matter.
        count : int
            Number of tiles that are looked for.
        per_slide : int, optional
            At most this many of each slide. Default: no limit.
        leave_out : str, optional
            A slide whose tiles are left out, such as that of the vector.

        Returns
        -------
        DataFrame
            slide, row (in the file of the slide), x0, y0, x1, y1 (level-0 pixels) and
            similarity (cosine, -1 to 1).

        Raises
        ------
        OutOfBoundsError
            If the vector has another length, or is not finite.
        """
        target = self._target(vector)
        skipped = 0
        if leave_out is not None:
            rows = self.rows_of(leave_out)
            skipped = rows.stop - rows.start
        with one_thread("numpy" if self.codes is None else "faiss"):
            wanted = max(_CANDIDATES, 50 * count) + skipped
            candidates = self._candidates(target, wanted)
            cosines = self._cosines(target, candidates)
        order = np.argsort(-cosines, kind="stable")
        found = self._table(candidates[order], cosines[order])
        if leave_out is not None:
            found = found[found["slide"] != leave_out]
        if per_slide is not None:
            found = found.groupby("slide", sort=False).head(per_slide)
        return found.head(count).reset_index(drop=True)

    def _target(self, vector: NDArray[Any]) -> NDArray[np.float32]:
        flat = np.asarray(vector).reshape(-1)
        if flat.size != self.vectors.shape[1] or not np.isfinite(flat).all():
            message = f"'{self.path}' is not searched for {flat.size} such numbers."
            remedy = f"Give {self.vectors.shape[1]} finite numbers"
            raise OutOfBoundsError(message, f"{remedy} by the encoder {self.encoder}.")
        target: NDArray[np.float32] = unit_vectors(flat[None]).reshape(-1)
        return target

    def _candidates(self, target: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        """Return rows among which the nearest are, in ascending order."""
        if self.codes is None or count >= len(self):
            return np.arange(len(self))
        _, (rows,) = self.codes.search(target[None], count)
        candidates: NDArray[np.int64] = np.sort(rows[rows >= 0])
        return candidates

    def _cosines(
        self, target: NDArray[np.float32], rows: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        groups = np.array_split(rows, max(1, len(rows) // MOST_EXACT))
        parts = [self.vectors[group].astype(np.float32) @ target for group in groups]
        return np.concatenate(parts)

    def _table(
        self, rows: NDArray[np.int64], cosines: NDArray[np.float32]
    ) -> pd.DataFrame:
        import pandas as pd  # noqa: PLC0415 - slow, for this only

        slides = np.searchsorted(self.starts, rows, side="right") - 1
        places = self.boxes[rows].T
        return pd.DataFrame(
            {
                "slide": np.array(self.slides, object)[slides],
                "row": rows - np.array(self.starts)[slides],
                **dict(zip(("x0", "y0", "x1", "y1"), places, strict=True)),
                "similarity": cosines,
            }
        )

    def __repr__(self) -> str:
        """Return a one-line description."""
        tiles = counted_noun(len(self), "tiles")
        slides = counted_noun(len(self.slides), "slides")
        return f"<FeatureIndex '{self.path}': {tiles} of {slides}, {self.encoder}>"


def open_index(path: str | os.PathLike[str]) -> FeatureIndex:
    """Open an index that `build_index` has made.

    Raises
    ------
    FeaturesError
        If it does not exist or is damaged.
    MissingPackageError
        If it is large and faiss is not installed.
    """
    folder = Path(path)
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            reason = f"its format is {record['format']}, not {FORMAT}"
            raise FeaturesError(folder, reason)
        vectors = np.load(folder / VECTORS, mmap_mode="r", allow_pickle=False)
        boxes = np.load(folder / BOXES, mmap_mode="r", allow_pickle=False)
        starts = tuple(map(int, record["starts"]))
        slides = tuple(map(str, record["slides"]))
        _check_shapes(vectors, boxes, starts, slides)
        coded = folder / CODES
        codes = _read_codes(coded, vectors.shape) if coded.exists() else None
    except (*DAMAGE, RuntimeError) as error:
        raise FeaturesError(folder, f"it is no index or damaged ({error})") from error
    return FeatureIndex(
        path=folder,
        encoder=str(record["encoder"]),
        slides=slides,
        starts=starts,
        vectors=vectors,
        boxes=boxes,
        files=tuple(map(str, record.get("files", ()))),
        codes=codes,
    )


def _check_shapes(
    vectors: NDArray[Any],
    boxes: NDArray[Any],
    starts: tuple[int, ...],
    slides: tuple[str, ...],
) -> None:
    """Raise ValueError if the parts of an index do not belong together."""
    count = len(vectors)
    fits = vectors.ndim == 2 and boxes.shape == (count, 4)  # noqa: PLR2004 - a table
    ascending = all(a <= b for a, b in pairwise(starts))
    ends = len(starts) == len(slides) + 1 and (starts[0], starts[-1]) == (0, count)
    if not (fits and ascending and ends):
        message = f"{vectors.shape} vectors, {boxes.shape} boxes"
        raise ValueError(message)


def _read_codes(path: Path, shape: tuple[int, ...]) -> Any:
    codes = load_faiss().read_index(str(path))
    if (codes.ntotal, codes.d) != shape:
        message = f"codes of {codes.ntotal} vectors of {codes.d} numbers"
        raise ValueError(message)
    return codes


def load_faiss() -> Any:
    """Return the package faiss.

    Raises
    ------
    MissingPackageError
        If it is not installed.
    """
    try:
        import faiss  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingPackageError(EXTRA) from error
    return faiss
