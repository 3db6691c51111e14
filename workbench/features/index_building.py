"""Builds a `FeatureIndex` from features of many slides."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import FeaturesError, OutOfBoundsError
from workbench.features.index import (
    BOXES,
    CODES,
    FORMAT,
    MOST_EXACT,
    RECORD,
    VECTORS,
    FeatureIndex,
    load_faiss,
    open_index,
)
from workbench.features.rows import groups_of
from workbench.results.spherical_kmeans import unit_vectors
from workbench.system.atomic_files import disk_errors, replace_folder
from workbench.system.long_work import Count, followed

if TYPE_CHECKING:
    import os
    import threading
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from workbench.features.features import Features
    from workbench.progress import Progress

_COMPONENTS: Final = 256
"""Principal components that a code describes."""

_FEWEST_NUMBERS: Final = 16
"""Numbers of a vector below which comparing them all is as fast as codes."""

_TRAINING: Final = 50_000
"""Vectors from which the principal components are computed."""


def build_index(
    features: Sequence[Features],
    path: str | os.PathLike[str],
    *,
    names: Sequence[str] | None = None,
    progress: Callable[[Progress], None] | bool | None = None,
    cancel: threading.Event | None = None,
) -> FeatureIndex:
    """Write an index of the tiles of many slides, searched by likeness.

    An index at the same place is replaced. Tiles whose vector is not finite are kept
    with a vector of zeros, which is like no other. Above 20,000 tiles, codes of 64
    bytes are made by product quantization of 256 principal components (Jégou et al.,
    IEEE TPAMI 2011; faiss), and the nearest are compared by their float16 vectors.

    Parameters
    ----------
    features : sequence of Features
        Vectors of one encoder, one item per slide.
    path : path
        Folder of the index.
    names : sequence of str, optional
        Name of each slide in the index. Default: that of its file, with as many of its
        folders as tell files of the same name apart.
    progress : callable or True, optional
        Called with a `Progress` several times a second; True draws a bar.
    cancel : threading.Event, optional
        Stops the work when it is set.

    Returns
    -------
    FeatureIndex

    Raises
    ------
    OutOfBoundsError
        If there are no vectors, vectors of different encoders, or a slide twice.
    FeaturesError
        If the path exists and is no index.
    MissingPackageError
        If there are many tiles and faiss is not installed.
    RunFolderError
        If the disk is full; an index at the same place is then unchanged.
    StoppedError
        If it was stopped; an index at the same place is then unchanged.
    """
    folder = Path(path)
    named = _names_of(features) if names is None else list(names)
    _check(features, named, folder)
    starts = np.cumsum([0, *map(len, features)])
    many = starts[-1] > MOST_EXACT and features[0].dimensions >= _FEWEST_NUMBERS
    codes = _new_codes(features) if many else None
    part = folder.with_name(f"{folder.name}~")
    with (
        disk_errors(part),
        followed(progress, "indexing", "tiles", cancel=cancel),
        _removed_on_error(part),
    ):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        count = Count(int(starts[-1]))
        vectors = np.lib.format.open_memmap(
            part / VECTORS, "w+", np.float16, (int(starts[-1]), features[0].dimensions)
        )
        for start, each in zip(starts, features, strict=False):
            for row, group in groups_of(each.vectors):
                units = np.nan_to_num(unit_vectors(group))
                vectors[start + row : start + row + len(units)] = units
                if codes is not None:
                    codes.add(units)
                count.add(len(units))
        vectors.flush()
        del vectors
        np.save(part / BOXES, np.concatenate([each.boxes for each in features]))
        if codes is not None:
            load_faiss().write_index(codes, str(part / CODES))
        record = {
            "format": FORMAT,
            "encoder": features[0].encoder,
            "slides": named,
            "starts": starts.tolist(),
            "files": [str(each.path) for each in features],
        }
        (part / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
    replace_folder(part, folder)
    return open_index(folder)


@contextmanager
def _removed_on_error(folder: Path) -> Iterator[None]:
    """Remove an unfinished folder if this block ends with an error."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _names_of(features: Sequence[Features]) -> list[str]:
    """Return the name of each slide, with folders where they are equal otherwise."""
    names = [slide_name(each) for each in features]
    twice = {name for name in names if names.count(name) > 1}
    paths = [each.path.absolute().with_suffix("").parts for each in features]
    for name in twice:
        mine = [number for number, each in enumerate(names) if each == name]
        for depth in range(2, max(len(paths[number]) for number in mine) + 1):
            longer = ["/".join(paths[number][-depth:]) for number in mine]
            if len(set(longer)) == len(mine):
                for number, better in zip(mine, longer, strict=True):
                    names[number] = better
                break
    return names


def _check(features: Sequence[Features], names: list[str], folder: Path) -> None:
    """Raise an error if no index can be made."""
    if folder.exists() and not (folder / RECORD).is_file():
        raise FeaturesError(folder, "it is no index", "Choose another folder.")
    if not features:
        message = "There are no features to be indexed."
        raise OutOfBoundsError(message, "Give one file of features per slide.")
    first = features[0]
    for each in features:
        if not each.dimensions or len(each) != each.vectors.shape[0]:
            message = f"'{each.path}' has no vector for each of its tiles."
            raise OutOfBoundsError(message, "Leave it out.")
        if (each.encoder, each.dimensions) != (first.encoder, first.dimensions):
            kinds = [
                f"{f.encoder or 'unknown'} ({f.dimensions})" for f in (first, each)
            ]
            message = f"Vectors of {' and '.join(kinds)} cannot be compared."
            raise OutOfBoundsError(message, "Make an index for each encoder.")
    if len(names) != len(features):
        message = f"{len(names)} names are given for {len(features)} slides."
        raise OutOfBoundsError(message, "Give one name for each file of features.")
    for name in names:
        if names.count(name) > 1:
            message = f"There are {names.count(name)} files of the slide '{name}'."
            raise OutOfBoundsError(message, "Give one file of features per slide.")


def slide_name(features: Features) -> str:
    """Return the name of the slide of features, without a suffix."""
    named = features.attributes.get("slide")
    return Path(named).stem if isinstance(named, str) else features.path.stem


def _new_codes(features: Sequence[Features]) -> Any:
    """Return a trained faiss index without vectors."""
    faiss = load_faiss()
    sample = _sample(features)
    dimensions = sample.shape[1]
    components = min(_COMPONENTS, dimensions // 2 * 2)
    kind = f"PCAR{components},PQ{components // 2}x4fs"
    codes = faiss.index_factory(dimensions, kind, faiss.METRIC_INNER_PRODUCT)
    codes.train(sample)
    return codes


def _sample(features: Sequence[Features]) -> NDArray[np.float32]:
    """Return vectors of length 1, evenly from all tiles, float32 (n, D)."""
    total = sum(map(len, features))
    step = max(1, total // _TRAINING)
    parts = [
        np.asarray(each.vectors[np.arange(start % step, len(each), step)])
        for start, each in enumerate(features)
    ]
    units = unit_vectors(np.concatenate(parts))
    return units[np.isfinite(units).all(axis=1)]
