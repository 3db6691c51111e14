"""TIFFs as scanners write them, made by hand: NDPI, SCN, SVS, OME of several images."""

from __future__ import annotations

import io
import struct

import numpy as np
import tifffile
from PIL import Image


def place_picture(width, height, period=512):
    """Return RGB that says where it is: red by x, green by y, blue soft; uint8."""
    x, y = np.arange(width, dtype=float), np.arange(height, dtype=float)
    picture = np.empty((height, width, 3), np.uint8)
    picture[..., 0] = 40 + np.abs((x / period) % 2 - 1)[None, :] * 180
    picture[..., 1] = 40 + np.abs((y / period) % 2 - 1)[:, None] * 180
    picture[..., 2] = 128 + 60 * np.sin(x[None, :] / 37) * np.cos(y[:, None] / 29)
    return picture


def shrunk(picture, by):
    """Return the mean of blocks, uint8."""
    height, width = (side // by for side in picture.shape[:2])
    blocks = picture[: height * by, : width * by].reshape(height, by, width, by, 3)
    return blocks.mean((1, 3)).round().astype(np.uint8)


def tiled(**options):
    return {
        "tile": (256, 256),
        "photometric": "rgb",
        "metadata": None,
        "software": None,
        **options,
    }


def jpeg(quality=95):
    return {"compression": "jpeg", "compressionargs": {"level": quality}}


def write_svs(path, full, *, shrinks=(2, 4), words="AppMag = 20|MPP = 0.5", **options):
    """Write an SVS with a thumbnail and smaller levels."""
    height, width, _ = full.shape
    head = f"Aperio Image Library v12.0.15\r\n{width}x{height}"
    how = tiled(**(options or jpeg()))
    with tifffile.TiffWriter(path) as file:
        text = f"{head} [0,0 {width}x{height}] (256x256) JPEG/RGB Q=90|{words}"
        file.write(full, description=text, **how)
        thumbnail = full[::8, ::8].copy()
        size = f"{thumbnail.shape[1]}x{thumbnail.shape[0]}"
        strips = {"photometric": "rgb", "metadata": None, "software": None}
        file.write(thumbnail, description=f"{head} -> {size} - |{words}", **strips)
        for by in shrinks:
            small = shrunk(full, by)
            size = f"{small.shape[1]}x{small.shape[0]}"
            file.write(small, description=f"{head} -> {size} JPEG/RGB Q=90", **how)
    return str(path)


def write_pyramid(path, full, *, shrinks=(1, 2, 4), **options):
    """Write a plain pyramid without any words."""
    how = {"resolutionunit": "CENTIMETER", **tiled(**options)}
    with tifffile.TiffWriter(path, bigtiff=how.pop("bigtiff", False)) as file:
        for by in shrinks:
            small = full if by == 1 else shrunk(full, by)
            per_cm = 20000 / by
            file.write(
                small, subfiletype=int(by > 1), resolution=(per_cm, per_cm), **how
            )
    return str(path)


def punch(path, holes, *, only="both"):
    """Leave out tiles: holes is [(page, [tile, ...]), ...]."""
    codes = {"both": (324, 325), "counts": (325,), "offsets": (324,)}[only]
    with tifffile.TiffFile(path, mode="r+") as file:
        for page, tiles in holes:
            for code in codes:
                tag = file.pages[page].tags[code]
                values = list(tag.value)
                for tile in tiles:
                    values[tile] = 0
                tag.overwrite(values)
    return str(path)


def write_ome(path, images, *, subifds=1, resolution=None):
    """Write an OME-TIFF of several images: [(name, picture, metadata), ...]."""
    how = {"tile": (256, 256), "photometric": "rgb", "compression": "zlib"}
    with tifffile.TiffWriter(path, ome=True) as file:
        for name, picture, more in images:
            large = min(picture.shape[:2]) > 256
            tags = {"resolution": resolution} if resolution else {}
            file.write(
                picture,
                subifds=subifds if large else 0,
                metadata={"axes": "YXS", "Name": name, **more},
                **tags,
                **how,
            )
            for level in range(subifds if large else 0):
                by = 2 ** (level + 1)
                file.write(shrunk(picture, by), subfiletype=1, **how)
    return str(path)


def write_ndpi(path, levels, *, mpp=0.5):
    """Write a Hamamatsu NDPI: levels are [(picture, restart interval or 0), ...]."""
    data = bytearray(b"II*\0" + b"\0" * 8)
    previous = 4
    full = levels[0][0].shape[1]
    pages = [(rgb, every, 20.0 / 2**n) for n, (rgb, every) in enumerate(levels)]
    pages.append((levels[0][0][::16, ::16].copy(), 0, -1.0))
    for rgb, every, lens in pages:
        height, width, _ = rgb.shape
        buffer = io.BytesIO()
        extra = {"restart_marker_blocks": every} if every else {}
        Image.fromarray(rgb).save(buffer, "JPEG", quality=95, subsampling=0, **extra)
        stored = buffer.getvalue()
        start = _add(data, stored)
        scale = struct.pack("<II", int(1e7 / (mpp * full / width)), 1000)
        resolution = _add(data, scale)
        maker = _add(data, b"Hamamatsu\0")
        bits = _add(data, struct.pack("<HHH", 8, 8, 8))
        tags = [
            *((254, 4, 1, 0), (256, 4, 1, width), (257, 4, 1, height)),
            *((258, 3, 3, bits), (259, 3, 1, 7), (262, 3, 1, 6)),
            *((271, 2, 10, maker), (273, 4, 1, start), (277, 3, 1, 3)),
            *((278, 4, 1, height), (279, 4, 1, len(stored))),
            *((282, 5, 1, resolution), (283, 5, 1, resolution), (296, 3, 1, 3)),
            (65420, 4, 1, 1),
            (65421, 11, 1, struct.unpack("<I", struct.pack("<f", lens))[0]),
            *((65422, 9, 1, 0), (65423, 9, 1, 0), (65424, 9, 1, 0)),
        ]
        if every:
            starts = _restarts(stored)
            place = _add(data, struct.pack(f"<{len(starts)}I", *starts))
            tags.append((65426, 4, len(starts), place))
        data += b"\0" * (-len(data) % 8)
        here = len(data)
        struct.pack_into("<Q", data, previous, here)
        data += struct.pack("<H", len(tags))
        for tag in tags:
            data += struct.pack("<HHII", *tag)
        previous = len(data)
        data += struct.pack("<Q", 0) + b"\0" * 4 * len(tags)
    path.write_bytes(bytes(data))
    return str(path)


def _add(data, more):
    data += b"\0" * (-len(data) % 8)
    place = len(data)
    data += more + b"\0" * 8
    return place


def _restarts(stored):
    at = 2
    marker = 0
    while marker != 0xFFDA:
        marker, length = struct.unpack(">HH", stored[at : at + 4])
        at += 2 + length
    starts = [at]
    while (at := stored.find(b"\xff", at)) >= 0 and at + 1 < len(stored):
        if 0xD0 <= stored[at + 1] <= 0xD7:
            starts.append(at + 2)
        at += 2
    return starts


def write_scn(path, areas, *, size=(6000, 4000), nm=500, shrinks=(1, 4)):
    """Write a Leica SCN: areas are [((x, y) on the slide, picture), ...]."""
    macro = np.full((400, 600, 3), 230, np.uint8)
    width, height = (side * nm for side in size)
    settings = (
        "<scanSettings><objectiveSettings><objective>20</objective></objectiveSettings>"
        "<illuminationSettings><numericalAperture>0.4</numericalAperture>"
        "<illuminationSource>brightfield</illuminationSource></illuminationSettings>"
        "</scanSettings>"
    )
    head = (
        "<creationDate>2020-01-01T00:00:00Z</creationDate>"
        '<device model="Leica SCN400;Leica SCN" version="1.4"/>'
    )
    pages, images = [macro], [_scn_image(macro, [0], (0, 0, width, height), head)]
    for (x, y), picture in areas:
        first = len(pages)
        pages += [picture if by == 1 else shrunk(picture, by) for by in shrinks]
        view = (x * nm, y * nm, picture.shape[1] * nm, picture.shape[0] * nm)
        numbers = range(first, len(pages))
        sizes = [pages[number].shape for number in numbers]
        images.append(_scn_image(picture, numbers, view, head, sizes))
    images = [image.replace("</image>", f"{settings}</image>") for image in images]
    space = "http://www.leica-microsystems.com/scn/2010/10/01"
    uuid = "urn:uuid:d9fcefd6-4a8c-4807-86ba-085e664f1f76"
    text = (
        f'<?xml version="1.0"?><scn xmlns="{space}" uuid="{uuid}">'
        f'<collection name="made" uuid="{uuid}" sizeX="{width}" sizeY="{height}">'
        f"{''.join(images)}</collection></scn>"
    )
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for number, page in enumerate(pages):
            words = {"description": text} if number == 0 else {}
            file.write(page, **words, **tiled(**jpeg()))
    return str(path)


def _scn_image(picture, numbers, view, head, sizes=None):
    height, width, _ = picture.shape
    sizes = sizes or [picture.shape]
    levels = "".join(
        f'<dimension sizeX="{w}" sizeY="{h}" r="{r}" ifd="{ifd}"/>'
        for r, (ifd, (h, w, _)) in enumerate(zip(numbers, sizes, strict=True))
    )
    x, y, across, down = view
    return (
        f'<image name="made">{head}<pixels sizeX="{width}" sizeY="{height}">{levels}'
        f'</pixels><view sizeX="{across}" sizeY="{down}" offsetX="{x}" offsetY="{y}"/>'
        "</image>"
    )
