"""Encoders on real tissue that none of them learned from.

    python benchmarks/encoders.py [--data ../shared/data]

Four pictures of different tissues, stains and scanners: skin (CMU-1-Small-Region), a
lymph node with a metastasis (a TMA core), breast (HEnorm) and ovary (HGSC). Tiles of
224 px as stored, every 56 px, are glass, stroma, epithelium or lymphocytes where three
quarters of them are: of cells of 112 px that the developers named by eye (`OUTLINES`),
in the ovary of nuclei with published classes.

Within: trained on one half of a picture, judged on the other, without tiles on both.
Across: trained on three pictures, judged on the fourth. Probe: logistic regression of
standardized vectors; kNN: the five nearest by cosine. Both balanced accuracy, mean over
halves or pictures. Retrieval: of the five tiles of other pictures that are most alike
the share of the same class, mean over classes. Compared are 15 numbers of colour (mean,
deviation, percentiles 10, 50 and 90 of each channel), the features of `tissue-classes`,
an ImageNet network as it is, and `tissue-features`. Figures: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import shapely
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import workbench as wb
from workbench.geometry import Box
from workbench.models.formats.weights import load_network
from workbench.models.tile_model import TileModel

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from efficientnet_lite0 import EfficientNetLite0

SIDE, STEP, CELL = 224, 56, 112
SHARE = 0.75
NUCLEI = 5
"""Least number of nuclei in a tile that is judged by them."""

GLASS = 120
"""Tiles of glass that are kept of the skin."""

NEAREST = 5
CLASSES = "gsel"
"""Glass, stroma, epithelium, lymphocytes."""

OUTLINES = {
    "node": """
        ggg......ggg gg.lll.l..gg g.llll.....g ..lllllll... .eeee..lll..
        .leee...llll lleeee..llll ll.ee.e..ll. .leeeeee.e.. ..ee.eeeeee.
        g.lleeeeee.. gg.l.eee...g ggg....e..gg
    """,
    "skin": """
        .gggggggg..gggggggg gggggggg....ggggggg ggggggg.......ggggg
        gggggggg......ggggg ggggggg.......ggggg gggggggg.......ggg.
        gggggggg.se....gggg gggggggg.se....gggg gggggggg.seee..gggg
        g.......ss.e......g g..ggggg.s.e....... ggggggggsse........
        ggggggg.sse........ ggggggg.s.e.....ggg ggggggg.s.e....gggg
        ggggggg.s.e....gggg ggggggg.sse.....ggg ggggggg..see.....gg
        ggggggg.sse..sss.gg gggggg..sse..sss.gg gggggg..sseesss..gg
        gggggg..ss..sss..gg ggggg...ss.sss.e.gg ggggg.e.sssssse.ggg
        gggg..e.ssssss..ggg gggg.e.ssssss...ggg
    """,
    "breast": """
        e....see. e.see.ees ss.eeesss .eeee.sss ee.eessss .eee.ssss eee.s..e.
        .e.se.e.s e.sss..ss
    """,
}
OVARY = {"connective": "s", "neoplastic": "e", "inflammatory": "l"}


@dataclass
class Tiles:
    pixels: np.ndarray
    place: np.ndarray
    picture: np.ndarray
    label: np.ndarray


def pictures(data):
    """Yield the name and pixels of each picture, uint8 (H, W, 3)."""
    for name, path in (
        ("node", "wsi/HE_TMA_core_0.5mpp.ome.tif"),
        ("skin", "wsi/CMU-1-Small-Region.svs"),
    ):
        with wb.open_slide(data / path) as slide:
            width, height = slide.size
            yield name, slide.read_tiles([Box(0, 0, width, height)], (width, height))[0]
    for name, path in (
        ("breast", "stain_oracle/HEnorm_example1.png"),
        ("ovary", "nuclei_hgsc_nest/img/hgsc_nest.jpg"),
    ):
        yield name, np.asarray(Image.open(data / path).convert("RGB"))


def shares_by_cell(outline, x, y):
    """Return the share of each class in a tile, of cells named by eye."""
    rows = [[CLASSES.find(c) for c in row] for row in outline.split()]
    cells = np.kron(np.array(rows), np.ones((CELL, CELL), int))
    tile = cells[y : y + SIDE, x : x + SIDE]
    if tile.shape != (SIDE, SIDE):
        return np.zeros(len(CLASSES))
    return np.array([(tile == index).mean() for index in range(len(CLASSES))])


def shares_by_nucleus(nuclei, x, y):
    """Return the share of each class among the nuclei in a tile."""
    where, classes = nuclei
    inside = ((where >= (x, y)) & (where < (x + SIDE, y + SIDE))).all(1)
    if inside.sum() < NUCLEI:
        return np.zeros(len(CLASSES))
    return np.bincount(classes[inside], minlength=len(CLASSES)) / inside.sum()


def labelled_tiles(data):
    table = pd.read_parquet(data / "nuclei_hgsc_nest/hgsc_nest.parquet")
    centres = shapely.centroid(shapely.from_wkb(list(table.geometry)))
    classes = table.class_name.map(lambda name: CLASSES.index(OVARY[name])).to_numpy()
    nuclei = (shapely.get_coordinates(centres), classes)
    rows = []
    for name, picture in pictures(data):
        height, width = picture.shape[:2]
        for y in range(0, height - SIDE + 1, STEP):
            for x in range(0, width - SIDE + 1, STEP):
                shares = (
                    shares_by_nucleus(nuclei, x, y)
                    if name == "ovary"
                    else shares_by_cell(OUTLINES[name], x, y)
                )
                if shares.max() >= SHARE:
                    tile = picture[y : y + SIDE, x : x + SIDE]
                    rows.append((tile, (x, y), name, int(shares.argmax())))
    glass = [i for i, row in enumerate(rows) if row[2] == "skin" and row[3] == 0]
    dropped = set(np.random.default_rng(0).permutation(glass)[GLASS:])
    kept = [row for i, row in enumerate(rows) if i not in dropped]
    return Tiles(*(np.array(each) for each in zip(*kept, strict=True)))


def colours(pixels):
    values = pixels.reshape(len(pixels), -1, 3) / np.float32(255)
    levels = np.percentile(values, (10, 50, 90), axis=1)
    return np.concatenate([values.mean(1), values.std(1), *levels], axis=1)


def vectors(model, pixels, side=SIDE):
    if side != SIDE:
        area = cv2.INTER_AREA
        resized = [
            cv2.resize(each, (side, side), interpolation=area) for each in pixels
        ]
        pixels = np.stack(resized)
    given = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
    return torch.cat([model(batch) for batch in given.split(32)]).numpy()


def encoders(data, pixels):
    """Yield the name and vectors of each encoder."""
    yield "15 colour features", colours(pixels)
    old = wb.models.find_card("tissue-classes")
    embedding = {"task": "embedding", "classes": ("length",), "dimensions": 96}
    fields = {**old.model_dump(), **embedding, "activation": "none", "colours": ()}
    card = wb.ModelCard.model_validate(fields)
    folder = Path(wb.models.catalogue.__file__).parent / "bundled"
    network = load_network(card, folder / card.weights, trust=False)
    # The same tissue at the resolution of its card, twice as coarse.
    yield (
        "tissue-classes without its last layer",
        vectors(TileModel(card, network), pixels, SIDE // 2),
    )
    card = wb.ModelCard(
        name="lite0",
        task="embedding",
        classes=("length",),
        dimensions=1280,
        mpp=0.5,
        tile_px=SIDE,
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        architecture="efficientnet_lite0:build",
    )
    weights = data / "models/efficientnet-lite0-57934424.pth"
    network = EfficientNetLite0(1000)
    network.load_state_dict(torch.load(weights, weights_only=True))
    network._fc = torch.nn.Identity()  # noqa: SLF001 - named so in the weights
    model = TileModel(card, network)
    yield "EfficientNet-Lite0, ImageNet, as it is", vectors(model, pixels)
    yield "tissue-features", vectors(wb.find_model("tissue-features"), pixels)


def probe(values, labels, train, test):
    strength = 0.1 if values.shape[1] > 50 else 1.0
    fit = LogisticRegression(C=strength, max_iter=300)
    model = make_pipeline(StandardScaler(), fit).fit(values[train], labels[train])
    return balanced_accuracy_score(labels[test], model.predict(values[test]))


def unit(values, train):
    scaled = (values - values[train].mean(0)) / (values[train].std(0) + 1e-6)
    return scaled / np.linalg.norm(scaled, axis=1, keepdims=True)


def nearest(values, labels, train, test):
    scaled = unit(values, train)
    order = np.argsort(-scaled[test] @ scaled[train].T, axis=1)[:, :NEAREST]
    votes = [np.bincount(labels[train][row]).argmax() for row in order]
    return balanced_accuracy_score(labels[test], votes)


def halves(tiles):
    """Yield indices of two halves of each picture that share no pixel."""
    for name in np.unique(tiles.picture):
        own = np.flatnonzero(tiles.picture == name)
        for axis in (0, 1):
            at = tiles.place[own, axis]
            line = np.median(at) + SIDE / 2
            first, second = own[at + SIDE <= line], own[at >= line]
            for train, test in ((first, second), (second, first)):
                both = np.intersect1d(tiles.label[train], tiles.label[test])
                if len(both) > 1:
                    yield train, test[np.isin(tiles.label[test], both)]


def others(tiles):
    """Yield indices of three pictures and of the fourth."""
    for name in np.unique(tiles.picture):
        own = tiles.picture == name
        yield np.flatnonzero(~own), np.flatnonzero(own)


def retrieval(values, tiles):
    scaled = unit(values, np.arange(len(values)))
    alike = scaled @ scaled.T
    alike[tiles.picture[:, None] == tiles.picture] = -np.inf
    order = np.argsort(-alike, axis=1)[:, :NEAREST]
    hits = (tiles.label[order] == tiles.label[:, None]).mean(1)
    return np.mean([hits[tiles.label == index].mean() for index in range(len(CLASSES))])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    data = parser.parse_args().data
    warnings.filterwarnings("ignore", category=UserWarning)
    tiles = labelled_tiles(data)
    print(len(tiles.label), "tiles")
    splits = {"within": list(halves(tiles)), "across": list(others(tiles))}
    for name, values in encoders(data, tiles.pixels):
        row = [f"{values.shape[1]:4d}"]
        for pairs in splits.values():
            for judge in (probe, nearest):
                scores = [judge(values, tiles.label, *pair) for pair in pairs]
                row.append(f"{np.mean(scores):.3f}")
        print("|", " | ".join([name, *row, f"{retrieval(values, tiles):.3f}"]), "|")


if __name__ == "__main__":
    main()
