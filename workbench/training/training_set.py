"""Export of labelled tiles for the training code of others."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from PIL import Image

from workbench.errors import TrainingError
from workbench.system.atomic_files import disk_errors
from workbench.training.coco_set import CocoWriter
from workbench.training.loop.examples import open_examples
from workbench.training.loop.recipe import TrainingRecipe

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from workbench.training.loop.examples import Examples

Layout = Literal["folders", "webdataset", "hdf5", "coco"]
"""Layout of a training set.

folders    : PNG files, split/class/name.png (torchvision's ImageFolder); masks beside
webdataset : tar files of at most 1,000 tiles: name.png, name.cls, name.json
hdf5       : one file: images, labels, masks, split, source, box
coco       : PNG files, and outlines in the format of COCO for each split
"""

_BATCH: Final = 64
_SHARD: Final = 1000


@dataclass(frozen=True, eq=False, slots=True)
class LabelledTile:
    """One tile with its label and origin."""

    name: str
    """Unique name, without a suffix."""

    pixels: NDArray[np.uint8]
    """uint8 (side, side, 3)."""

    mask: NDArray[Any] | None
    """Class of each pixel, 255: none; of instances their numbers and classes, int32
    (2, side, side); None for a classification."""

    code: int
    """Index of the class."""

    split: str
    source: str
    where: Any
    """Box in level-0 pixels, or the path of a picture."""

    number: int
    """Number of the tile among all."""


def export_training_set(
    recipe: TrainingRecipe | None = None,
    *,
    out: str | os.PathLike[str],
    layout: Layout = "folders",
    **options: Any,
) -> Path:
    """Write the labelled tiles of a recipe as a folder that other programs read.

    The tiles are those that `train` learns from: read at the recipe's mpp, normalized
    if it says so, with its split by patient. `training-set.json` holds recipe, classes
    and split, `tiles.csv` a line for each tile with slide, box, class and split.

    Parameters
    ----------
    recipe : TrainingRecipe, optional
        Labels, task, size of tiles, normalization and split.
    out : path
        Folder to write, which must not exist or be empty.
    layout : {"folders", "webdataset", "hdf5", "coco"}
        See `Layout`.
    **options
        Fields of `TrainingRecipe`, which replace those of the recipe.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    TrainingError
        If the folder holds something, or the labels do not fit the layout.
    RunFolderError
        If the disk is full; nothing is left then.
    """
    given = recipe or TrainingRecipe()
    chosen = given.replace(**options) if options else given
    path = Path(out)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        message = f"'{path}' holds something already."
        raise TrainingError(message, "Give a folder that does not exist.")
    part = path.with_name(f"{path.name}~")
    shutil.rmtree(part, ignore_errors=True)
    if chosen.task == "instances" and layout != "coco":
        message = f"The layout '{layout}' holds no outlines of objects."
        raise TrainingError(message, "Give layout 'coco' for instances.")
    examples = open_examples(chosen)
    try:
        with disk_errors(path):
            part.mkdir(parents=True)
            writer = _WRITERS[layout](part, examples, chosen)
            _write(writer, part, examples, chosen)
            if path.exists():
                path.rmdir()
            part.rename(path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    finally:
        examples.close()
    return path


def _write(writer: Any, part: Path, examples: Examples, recipe: TrainingRecipe) -> None:
    """Write all tiles, their table, and the record."""
    head = ("name", "source", "where", "class", "split")
    with (part / "tiles.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(head)
        for tile in _tiles(examples, recipe):
            writer.add(tile)
            named = "" if tile.mask is not None else examples.classes[tile.code]
            where = (
                tile.where
                if isinstance(tile.where, str)
                else " ".join(map(str, tile.where))
            )
            table.writerow([tile.name, tile.source, where, named, tile.split])
    writer.close()
    record = {
        "format": 1,
        "kind": "training set",
        "recipe": recipe.model_dump(mode="json"),
        "examples": examples.summary(),
        "notes": list(examples.notes),
        "unlabelled": 255,
    }
    text = json.dumps(record, indent=1, ensure_ascii=False)
    (part / "training-set.json").write_text(f"{text}\n", encoding="utf-8")


def _tiles(examples: Examples, recipe: TrainingRecipe) -> Iterator[LabelledTile]:
    """Yield all tiles, in the order of their numbers."""
    read = {"segmentation": examples.masks, "instances": examples.objects}
    for start in range(0, len(examples), _BATCH):
        numbers = np.arange(start, min(len(examples), start + _BATCH))
        pixels = examples.read(numbers, recipe.threads)
        masks: Any = [None] * len(numbers)
        if recipe.task in read:
            masks = read[recipe.task](numbers)
        for number, image, mask in zip(numbers.tolist(), pixels, masks, strict=True):
            index = int(examples.source[number])
            source = examples.sources[index]
            row = int(examples.row[number])
            stem = PurePath(source.name).stem
            yield LabelledTile(
                name=f"{index:03d}-{stem}-{row:06d}",
                pixels=image,
                mask=mask,
                code=int(examples.codes[number]),
                split="validation" if examples.held[number] else "train",
                source=source.name,
                where=source.where(row),
                number=number,
            )


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Return pixels as the content of a PNG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


class _Folders:
    """PNG files in folders by split and class; masks in `masks` beside `images`."""

    def __init__(self, part: Path, examples: Examples, _: TrainingRecipe) -> None:
        self.part, self.classes = part, examples.classes

    def add(self, tile: LabelledTile) -> None:
        """Write a tile."""
        kind = self.classes[tile.code] if tile.mask is None else "images"
        self._save(tile, _safe(kind), tile.pixels)
        if tile.mask is not None:
            self._save(tile, "masks", tile.mask)

    def _save(self, tile: LabelledTile, kind: str, pixels: NDArray[np.uint8]) -> None:
        folder = self.part / tile.split / kind
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{tile.name}.png").write_bytes(png(pixels))

    def close(self) -> None:
        """Do nothing: each file is complete."""


class _Shards:
    """Tar files in the layout of WebDataset."""

    def __init__(self, part: Path, examples: Examples, _: TrainingRecipe) -> None:
        self.part, self.classes = part, examples.classes
        self._open: dict[str, tuple[tarfile.TarFile, int]] = {}
        self._shards: dict[str, int] = {}

    def add(self, tile: LabelledTile) -> None:
        """Append a tile to the shard of its split."""
        tar = self._shard(tile.split)
        facts = {"source": tile.source, "where": tile.where, "split": tile.split}
        members = {"png": png(tile.pixels), "json": json.dumps(facts).encode()}
        if tile.mask is None:
            members["cls"] = str(tile.code).encode()
        else:
            members["mask.png"] = png(tile.mask)
        for suffix, content in members.items():
            member = tarfile.TarInfo(f"{tile.name}.{suffix}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))

    def _shard(self, split: str) -> tarfile.TarFile:
        tar, count = self._open.get(split, (None, _SHARD))
        if tar is None or count >= _SHARD:
            if tar is not None:
                tar.close()
            number = self._shards.get(split, 0)
            self._shards[split] = number + 1
            file = self.part / f"{split}-{number:06d}.tar"
            tar, count = tarfile.TarFile(file, "w"), 0
        self._open[split] = tar, count + 1
        return tar

    def close(self) -> None:
        """Close the shards."""
        for tar, _ in self._open.values():
            tar.close()


class _Hdf5:
    """One HDF5 file with an array of tiles."""

    def __init__(self, part: Path, examples: Examples, recipe: TrainingRecipe) -> None:
        import h5py  # noqa: PLC0415 - for this only

        self.file = h5py.File(part / "tiles.h5", "w")
        number, side = len(examples), recipe.tile_px
        text = h5py.string_dtype()
        make = self.file.create_dataset
        shape = (number, side, side, 3)
        make("images", shape, "uint8", chunks=(1, *shape[1:]), compression="gzip")
        if recipe.task == "segmentation":
            flat = shape[:3]
            make("masks", flat, "uint8", chunks=(1, *flat[1:]), compression="gzip")
        make("labels", data=examples.codes)
        make("validation", data=examples.held)
        for name in ("source", "where"):
            make(name, (number,), text)
        self.file.attrs["classes"] = json.dumps(examples.classes)

    def add(self, tile: LabelledTile) -> None:
        """Write a tile into its row."""
        self.file["images"][tile.number] = tile.pixels
        if tile.mask is not None:
            self.file["masks"][tile.number] = tile.mask
        self.file["source"][tile.number] = tile.source
        self.file["where"][tile.number] = json.dumps(tile.where)

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class _Coco:
    """PNG files by split, with outlines in the format of COCO."""

    def __init__(self, part: Path, examples: Examples, recipe: TrainingRecipe) -> None:
        if recipe.task == "classification":
            message = "COCO holds outlines, and tiles of a classification have none."
            raise TrainingError(message, "Give task = 'segmentation', or 'folders'.")
        self.part = part
        self.writer = CocoWriter(examples.classes)

    def add(self, tile: LabelledTile) -> None:
        """Write a tile and its outlines."""
        folder = self.part / tile.split
        folder.mkdir(exist_ok=True)
        (folder / f"{tile.name}.png").write_bytes(png(tile.pixels))
        assert tile.mask is not None  # noqa: S101 - a segmentation
        facts = {"source": tile.source, "where": tile.where}
        self.writer.add(tile.split, f"{tile.name}.png", tile.mask, facts)

    def close(self) -> None:
        """Write the outlines."""
        self.writer.save(self.part)


_WRITERS: Final[dict[str, Callable[[Path, Examples, TrainingRecipe], Any]]] = {
    "folders": _Folders,
    "webdataset": _Shards,
    "hdf5": _Hdf5,
    "coco": _Coco,
}


def _safe(name: str) -> str:
    """Return the name of a class as that of a folder."""
    cleaned = "".join(
        "_" if c in '/\\:*?"<>|' or not c.isprintable() else c for c in name
    )
    return cleaned.strip(". ") or "_"
