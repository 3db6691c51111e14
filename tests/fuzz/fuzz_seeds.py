"""Small valid files of every kind that the workbench reads, as trees of bytes."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import tifffile
import zarr
from PIL import Image

import feature_files
import made_dicom
import made_slides

SIDE = (150, 200)


def tree_of(path: Path) -> dict[str, bytes]:
    """Return a file or folder as a tree."""
    if path.is_file():
        return {path.name: path.read_bytes()}
    files = sorted(each for each in path.rglob("*") if each.is_file())
    return {str(each.relative_to(path.parent)): each.read_bytes() for each in files}


def write_tree(tree: dict[str, bytes], folder: Path) -> Path:
    """Write a tree; return its only file, or the folder that holds all of it."""
    for name, data in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    first = next(iter(sorted(tree)))
    return folder / Path(first).parts[0]


def packed(tree: dict[str, bytes]) -> bytes:
    """Return a tree as a zip file that is the same for the same tree."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name in sorted(tree):
            file.writestr(zipfile.ZipInfo(name), tree[name])
    return buffer.getvalue()


def unpacked(data: bytes) -> dict[str, bytes]:
    """Return the tree of a zip file."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def _pixels() -> np.ndarray:
    return made_slides.tissue_like(*SIDE)


def tiff_seeds(folder: Path) -> list[Path]:
    """TIFFs of several codecs, layouts and vendors' descriptions."""
    pixels, tiled = _pixels(), {"tile": (64, 64), "levels": 2}
    write = made_slides.write_tiff
    jpeg = {"photometric": "ycbcr", "compression": "jpeg"}
    paths = [
        write(folder / "jpeg.tif", pixels, **tiled, **jpeg),
        write(folder / "rgb.tif", pixels, **tiled, compression="jpeg"),
        write(folder / "deflate.tif", pixels, **tiled, compression="adobe_deflate"),
        write(folder / "lzw.tif", pixels, **tiled, compression="lzw"),
        write(folder / "raw.tif", pixels, **tiled),
        write(folder / "webp.tif", pixels, **tiled, compression="webp"),
        write(folder / "j2k.tif", pixels, **tiled, compression="jpeg2000"),
        write(folder / "zstd.tif", pixels, **tiled, compression="zstd"),
        write(folder / "strips.tif", pixels, tile=None, levels=1),
        Path(made_slides.ome_tiff(folder)),
    ]
    aperio = "Aperio Image Library v11\n200x150 [0,0] |AppMag = 20|MPP = 0.4990"
    path = folder / "aperio.svs"
    with tifffile.TiffWriter(path) as writer:
        for level in made_slides.halves(pixels, 2):
            options = {"tile": (64, 64), **jpeg, "description": aperio}
            writer.write(level, metadata=None, **options)
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    planar = {"photometric": "rgb", "planarconfig": "separate", "tile": (64, 64)}
    tifffile.imwrite(folder / "planar.tif", planes, **planar)
    return [*paths, path, folder / "planar.tif"]


def image_seeds(folder: Path) -> list[Path]:
    """Plain images."""
    picture = Image.fromarray(_pixels())
    paths = []
    for suffix, mode in [("png", "RGB"), ("png", "P"), ("jpg", "RGB"), ("bmp", "RGB")]:
        path = folder / f"{mode}.{suffix}"
        picture.convert(mode).save(path)
        paths.append(path)
    picture.save(folder / "a.webp")
    picture.convert("RGBA").save(folder / "alpha.png")
    return [*paths, folder / "a.webp", folder / "alpha.png"]


def zarr_seeds(folder: Path) -> list[Path]:
    """OME-Zarr folders of both versions."""
    paths = []
    for version in (2, 3):
        path = folder / f"image-v{version}.zarr"
        group = zarr.open_group(path, mode="w", zarr_format=version)
        sets = []
        for number, level in enumerate(made_slides.halves(_pixels(), 2)):
            planes = np.ascontiguousarray(level.transpose(2, 0, 1))
            shape = {"shape": planes.shape, "chunks": (3, 128, 128), "dtype": "uint8"}
            group.create_array(str(number), **shape)[:] = planes
            scale = {"type": "scale", "scale": [1.0, 0.5 * 2**number, 0.5 * 2**number]}
            sets.append({"path": str(number), "coordinateTransformations": [scale]})
        axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
        axes = [{"name": "c", "type": "channel"}, *axes]
        known = "0.5" if version == 3 else "0.4"
        image = {"version": known, "axes": axes, "datasets": sets}
        about = {"multiscales": [image]}
        group.attrs.update({"ome": about} if version == 3 else about)
        paths.append(path)
    return paths


def dicom_seeds(folder: Path) -> list[Path]:
    """A level in a file, stored and as JPEG, and a folder of two levels."""
    pixels = _pixels()
    stored = made_dicom.write_instance(folder / "stored.dcm", pixels, uid="1")
    jpeg = made_dicom.write_instance(folder / "jpeg.dcm", pixels, jpeg=True, uid="2")
    both = folder / "both"
    both.mkdir()
    for number, level in enumerate(made_slides.halves(pixels, 2)):
        named = {"mpp": (0.5 * 2**number,) * 2, "uid": f"3.{number}"}
        made_dicom.write_instance(both / f"{number}.dcm", level, **named)
    return [stored, jpeg, both]


def geojson_seeds(folder: Path) -> list[Path]:
    """Annotations of other programs."""
    ring = [[0, 0], [90.5, 0], [90.5, 80], [0, 80], [0, 0]]
    hole = [[10, 10], [20, 10], [20, 20], [10, 20], [10, 10]]
    kinds = [
        {"type": "Polygon", "coordinates": [ring, hole]},
        {
            "type": "MultiPolygon",
            "coordinates": [[ring], [[[x + 200, y] for x, y in ring]]],
        },
        {"type": "Point", "coordinates": [3, 4]},
        {"type": "MultiPoint", "coordinates": [[3, 4], [5, 6]]},
        {"type": "LineString", "coordinates": [[0, 0], [10, 20]]},
    ]
    features = [
        {
            "type": "Feature",
            "id": f"0000000{n}-0000-4000-8000-000000000000",
            "geometry": kind,
            "properties": {
                "objectType": "annotation",
                "name": f"n{n}",
                "classification": {"name": "Tumour", "color": [200, 0, 0]},
                "isLocked": False,
                "measurements": {"a": 1.0},
                "metadata": {"author": "somebody"},
            },
        }
        for n, kind in enumerate(kinds)
    ]
    path = folder / "marks.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return [path]


def reference_seeds(folder: Path) -> list[Path]:
    """A saved reference of stains."""
    from workbench.stain.references import REFERENCES  # noqa: PLC0415

    path = folder / "reference.json"
    next(iter(REFERENCES.values())).save(path)
    return [path]


def model_seeds(folder: Path) -> list[Path]:
    """Models of each format, with their cards, in folders."""
    import torch  # noqa: PLC0415
    from safetensors.torch import save_file  # noqa: PLC0415

    paths = []
    card = {"name": "fuzzed", "task": "classification", "classes": ["a", "b"]}
    card["activation"] = "softmax"
    card |= {"mpp": 0.5, "tile_px": 32}
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 2, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    ).eval()
    script = folder / "script"
    script.mkdir()
    torch.jit.trace(network, torch.zeros(1, 3, 32, 32)).save(script / "m.pt")
    (script / "card.json").write_text(json.dumps({**card, "weights": "m.pt"}))
    paths.append(script)
    state = folder / "state"
    state.mkdir()
    small = torch.nn.Linear(3, 2)
    save_file(small.state_dict(), state / "m.safetensors")
    named = {"weights": "m.safetensors", "architecture": "torchvision:resnet18"}
    (state / "card.json").write_text(json.dumps({**card, **named}))
    paths.append(state)
    pickled = folder / "pickled"
    pickled.mkdir()
    torch.save(small.state_dict(), pickled / "m.pth")
    named = {"weights": "m.pth", "architecture": "torchvision:resnet18"}
    (pickled / "card.json").write_text(json.dumps({**card, **named}))
    paths.append(pickled)
    return paths


def run_seeds(folder: Path) -> list[Path]:
    """Folders of a finished classification and of found nuclei."""
    import workbench as wb  # noqa: PLC0415

    slide = folder / "slide.tif"
    made_slides.write_tiff(slide, made_slides.tissue_like(300, 300), levels=1)
    paths = []
    with wb.open_slide(slide) as opened:
        for model in ("tissue-classes", "nuclei-watershed"):
            out = folder / model
            asked = {"model": model, "tissue_only": False, "device": "cpu"}
            wb.run(opened, **asked, out=out)
            paths.append(out)
    return paths


def journal_seeds(folder: Path) -> list[Path]:
    """A slide with the annotations that somebody has drawn on it."""
    import workbench as wb  # noqa: PLC0415

    root = folder / "marked"
    root.mkdir()
    slide = root / "slide.png"
    Image.new("RGB", (100, 100), "white").save(slide)
    with wb.open_slide(slide) as opened:
        marks = wb.open_annotations(opened, folder=root / "marks")
        marks.read(geojson_seeds(folder)[0], by="somebody")
        marks.delete(next(iter(marks)).id, by="somebody")
    return [root]


def features_seeds(folder: Path) -> list[Path]:
    """Return a file in each layout of features."""
    corners, vectors = feature_files.tiles(20, 6)
    scores, names = vectors[:, 0], ("minx", "miny", "width", "height")
    files = [
        feature_files.write_trident(folder / "trident.h5", corners, vectors),
        feature_files.write_clam(folder / "clam.h5", corners, vectors),
        feature_files.write_clam_coordinates(folder / "places.h5", corners),
        feature_files.write_attention(folder / "blockmap.h5", corners, vectors[:, :1]),
        feature_files.write_atlaspatch(folder / "atlaspatch.h5", corners, uni=vectors),
        feature_files.write_spatialdata_store(folder / "a.zarr", corners, vectors),
    ]
    files += [
        feature_files.write_table(folder / f"t{each}", corners, scores, names=names)
        for each in (".csv", ".parquet", ".h5")
    ]
    for suffix in (".npz", ".pt"):
        own = folder / suffix[1:]
        feature_files.write_slide2vec(own, corners, vectors, suffix=suffix)
        files.append(own)
    return files


def seeds(kind: str) -> list[dict[str, bytes]]:
    """Return the seeds of a kind as trees."""
    folder = Path(tempfile.mkdtemp())
    try:
        return [tree_of(path) for path in SEEDS[kind](folder)]
    finally:
        shutil.rmtree(folder)


SEEDS = {
    "features": features_seeds,
    "tiff": tiff_seeds,
    "image": image_seeds,
    "zarr": zarr_seeds,
    "dicom": dicom_seeds,
    "geojson": geojson_seeds,
    "journal": journal_seeds,
    "reference": reference_seeds,
    "model": model_seeds,
    "run": run_seeds,
}
