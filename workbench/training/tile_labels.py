"""Labels of tiles, from clicks and from annotations."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import shapely

from workbench.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from workbench.annotations.annotation import Annotation

CLICK: Final = "click"
"""Source of a label that was given to a tile itself."""

IGNORED: Final = "ignore"
"""Classes whose name begins so, in any case, give no labels (as in QuPath)."""


@dataclass(frozen=True, slots=True)
class Label:
    """The class of one tile, and where it comes from."""

    name: str
    """Class of the tile."""

    source: str = CLICK
    """Id of the annotation, or "click"."""

    author: str = ""
    """User who gave the label."""


@dataclass(frozen=True, slots=True)
class TileLabels:
    """Labels of some tiles of a slide, by row; an earlier value undoes a change.

    Examples
    --------
    >>> labels = wb.training.TileLabels().with_click(4, "tumour", author="me")
    >>> labels.counts, labels.with_click(4, None).counts
    ({'tumour': 1}, {})
    """

    by_row: Mapping[int, Label] = field(default_factory=dict)
    """Label of each labelled tile; the keys are rows of the slide's tiles."""

    def __post_init__(self) -> None:
        """Copy the mapping, so that nothing outside changes the labels."""
        object.__setattr__(self, "by_row", dict(self.by_row))

    def __len__(self) -> int:
        """Return the number of labelled tiles."""
        return len(self.by_row)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows of the labelled tiles, ascending, int64 (N,)."""
        return np.array(sorted(self.by_row), np.int64)

    @property
    def names(self) -> list[str]:
        """Class of each labelled tile, in the order of `rows`."""
        return [self.by_row[row].name for row in sorted(self.by_row)]

    @property
    def counts(self) -> dict[str, int]:
        """Number of labelled tiles of each class, most first."""
        return dict(Counter(self.names).most_common())

    def with_click(self, row: int, name: str | None, *, author: str = "") -> Self:
        """Return the labels with that of one tile set, or removed (None)."""
        changed = {k: v for k, v in self.by_row.items() if k != row}
        if name is not None:
            changed[row] = Label(name, author=author)
        return type(self)(changed)

    def updated(self, other: TileLabels) -> Self:
        """Return the labels of both; where both label a tile, that of `other`."""
        return type(self)({**self.by_row, **other.by_row})


def label_tiles(
    boxes: NDArray[np.float64],
    annotations: Iterable[Annotation],
    *,
    min_coverage: float = 0.5,
) -> TileLabels:
    """Return the labels that annotations give to tiles.

    An area labels the tiles of which it covers at least a share; a point labels the
    tile that contains it, of several the one with the nearest centre. A tile on which
    several annotations lie has the class of a point, else of the area that covers
    most of it, else of the later one. Lines, annotations without a class and classes
    that begin with "Ignore" give no labels.

    Parameters
    ----------
    boxes : float64 (N, 4)
        x0, y0, x1, y1 of each tile in level-0 pixels.
    annotations : iterable of Annotation
        In level-0 pixels, such as `open_annotations(slide)` or `read_geojson(file)`.
    min_coverage : float
        Least share of a tile that an area must cover, above 0, at most 1.

    Raises
    ------
    TrainingError
        If `min_coverage` is out of bounds.

    Examples
    --------
    >>> import shapely
    >>> tumour = wb.Annotation(
    ...     geometry=shapely.box(0, 0, 200, 100), classification="tumour"
    ... )
    >>> boxes = np.array([[0, 0, 100, 100], [180, 0, 280, 100]], float)
    >>> wb.training.label_tiles(boxes, [tumour]).rows.tolist()
    [0]
    """
    if not 0 < min_coverage <= 1:
        message = f"min_coverage = {min_coverage:g} is no share of a tile."
        raise TrainingError(message, "Give a number above 0, at most 1.")
    shares = np.zeros(len(boxes))
    found: dict[int, Label] = {}
    for each in annotations:
        name = each.classification
        if not name or name.lower().startswith(IGNORED) or each.kind == "line":
            continue
        label = Label(name, each.id, each.editor or each.author)
        if each.kind == "point":
            rows, covered = _rows_at(boxes, each), np.array(np.inf)
        else:
            rows, covered = _rows_in(boxes, each)
        chosen = (covered >= min_coverage) & (covered >= shares[rows])
        shares[rows[chosen]] = np.broadcast_to(covered, rows.shape)[chosen]
        found |= dict.fromkeys(rows[chosen].tolist(), label)
    return TileLabels(found)


def _rows_in(
    boxes: NDArray[np.float64], area: Annotation
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the tiles that an area overlaps, and the covered share of each."""
    x0, y0, x1, y1 = area.geometry.bounds
    near = (boxes[:, 0] < x1) & (boxes[:, 2] > x0)
    rows = np.flatnonzero(near & (boxes[:, 1] < y1) & (boxes[:, 3] > y0))
    tiles = shapely.box(*boxes[rows].T)
    shapely.prepare(area.geometry)
    shares = shapely.contains(area.geometry, tiles).astype(np.float64)
    cut = np.flatnonzero(shares == 0)
    parts = shapely.intersection(tiles[cut], area.geometry)
    shares[cut] = shapely.area(parts) / shapely.area(tiles[cut])
    return rows, shares


def _rows_at(boxes: NDArray[np.float64], points: Annotation) -> NDArray[np.int64]:
    """Return the tile of each point that lies on one."""
    rows = []
    for x, y in shapely.get_coordinates(points.geometry):
        inside = (boxes[:, 0] <= x) & (x < boxes[:, 2])
        holding = np.flatnonzero(inside & (boxes[:, 1] <= y) & (y < boxes[:, 3]))
        if len(holding):
            centres = (boxes[holding, :2] + boxes[holding, 2:]) / 2
            rows.append(holding[np.hypot(*(centres - (x, y)).T).argmin()])
    return np.unique(np.array(rows, np.int64))
