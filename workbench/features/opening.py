"""Opens files of features; the suffix and the content choose the reader."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from workbench.errors import FeaturesError, UnplacedTilesError
from workbench.features.formats import (
    dicom,
    h5,
    pt,
    run,
    slide2vec,
    spatialdata,
    table,
)
from workbench.features.placement import place
from workbench.features.stored import Request
from workbench.results.run_record import RECORD
from workbench.system.paths import exists, is_file

if TYPE_CHECKING:
    import os

    from workbench.features.features import Features
    from workbench.features.stored import StoredFeatures, Unit
    from workbench.slide.slide import Slide

SUFFIXES: Final = (".h5", ".hdf5", ".pt", ".npz", ".csv", ".parquet", ".dcm", ".zarr")
"""Suffixes of files of features; a run folder has none."""


def open_features(
    path: str | os.PathLike[str],
    slide: Slide | None = None,
    *,
    tile_size_level0: float | None = None,
    unit: Unit | None = None,
    encoder: str | None = None,
    coordinates: str | os.PathLike[str] | None = None,
    within: str | os.PathLike[str] | None = None,
) -> Features:
    """Open vectors or scores of tiles that another tool or a run of ours has made.

    The layout is recognized: TRIDENT, CLAM, STAMP, AtlasPatch, slide2vec, SpatialData
    (LazySlide, wsidata), a run folder, a table of x, y, width, height and scores
    in HDF5, CSV or Parquet, or a DICOM segmentation or parametric map, whose cells are
    the tiles. Vectors are read when they are used.

    Parameters
    ----------
    path : path
        A file, a `.zarr` store, or a run folder.
    slide : Slide, optional
        The slide of the tiles: checks that they fit it, and places coordinates in
        micrometres.
    tile_size_level0 : float, optional
        Side of a tile in level-0 pixels, if the file does not say.
    unit : {"px", "um"}, optional
        Unit of the coordinates, if the file does not say: level-0 pixels or
        micrometres.
    encoder : str, optional
        Which encoder, of a file that has several.
    coordinates : path, optional
        File of the coordinates, of one that has none and none beside it.
    within : path, optional
        Folder that no file which is looked for may leave, also not through a link:
        coordinates are looked for up to two folders above a file. Default: no limit.

    Returns
    -------
    Features

    Raises
    ------
    UnplacedTilesError
        If the file does not say where its tiles lie; the message names the argument.
    OtherSlideError
        If the tiles do not fit the slide.
    FeaturesError
        If the file is damaged, holds no numbers, or has no known layout.
    MissingMppError
        If coordinates in micrometres meet a slide without a pixel size.
    MissingPackageError
        If a DICOM file is opened and the extra `dicom` is not installed.

    Examples
    --------
    A CLAM file of attention would be
    `wb.open_features("slide_blockmap.h5", slide, tile_size_level0=512).scores`.

    >>> wb.open_features("runs/slide", slide).scores.names[0]
    'background'
    """
    beside = None if coordinates is None else Path(coordinates)
    limit = None if within is None else Path(within)
    if Path(path).suffix.lower() == dicom.SUFFIX and is_file(Path(path)):
        return dicom.open_result(Path(path), slide)
    stored = read_features(Path(path), Request(encoder, beside, limit))
    return place(stored, slide, tile_size_level0=tile_size_level0, unit=unit)


def read_features(path: Path, request: Request) -> StoredFeatures:
    """Return what a file says, without placing its tiles.

    Raises
    ------
    FeaturesError
        If it does not exist, is damaged, or has no known layout.
    """
    if is_file(path / RECORD):
        return run.read(path, request)
    if is_file(path / "zarr.json") or is_file(path / ".zgroup"):
        return spatialdata.read(path, request)
    if not is_file(path):
        what = "it is a folder of another kind" if exists(path) else "it does not exist"
        raise FeaturesError(path, what, f"Give a file: {', '.join(SUFFIXES)}.")
    match path.suffix.lower():
        case ".csv" | ".parquet":
            return table.read(path, request)
        case ".npz":
            return slide2vec.read(path, request)
        case ".pt" if request.finds(slide2vec.metadata_of(path)):
            return slide2vec.read(path, request)
        case ".pt":
            return pt.read(path, request)
        case ".h5" | ".hdf5":
            return h5.read_h5(path, request)
        case dicom.SUFFIX:
            missing = "its places are in mm on the glass, so the slide is needed"
            raise UnplacedTilesError(path, missing, "Give the slide: --slide SLIDE.")
        case suffix:
            what = f"'{suffix}' is no suffix of a file of features"
            raise FeaturesError(path, what, f"Give a file: {', '.join(SUFFIXES)}.")
