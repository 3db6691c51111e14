"""Defects of made slides, each with the mask of where it is."""

from __future__ import annotations

import cv2
import numpy as np

import workbench as wb


def render(folder, *, size=(3072, 3072), seed=0, scanner="aurora", mpp=0.5):
    """Return the pixels of a made slide, uint8 (H, W, 3)."""
    path = folder / f"made-{seed}-{scanner}.tif"
    if not path.exists():
        wb.synthetic.write_slide(path, size=size, seed=seed, scanner=scanner, mpp=mpp)
    with wb.open_slide(path) as slide:
        return slide.read(slide.box).pixels.copy()


def blur(pixels, box, um, mpp=0.5):
    """Take a box (x0, y0, x1, y1) out of focus by a Gaussian; return the mask."""
    x0, y0, x1, y1 = box
    soft = cv2.GaussianBlur(pixels, (0, 0), um / mpp)
    pixels[y0:y1, x0:x1] = soft[y0:y1, x0:x1]
    return _mask(pixels, lambda mask: cv2.rectangle(mask, (x0, y0), (x1, y1), 1, -1))


def fold(pixels, line, width_um, mpp=0.5):
    """Fold the tissue along a line: a band lies over the tissue beside it."""
    width = round(width_um / mpp)
    mask = _mask(pixels, lambda mask: _stroke(mask, line, width))
    above = np.roll(pixels, (width, width), (0, 1)).astype(np.float32) / 255
    both = np.clip(pixels * above, 0, 255).astype(np.uint8)
    pixels[mask] = both[mask]
    return mask


def pen(pixels, line, width_um, mpp=0.5, colour=(30, 60, 170)):
    """Draw a stroke of a pen."""
    width = round(width_um / mpp)
    mask = _mask(pixels, lambda mask: _stroke(mask, line, width))
    pixels[mask] = colour
    return mask


def air(pixels, centre, radius_um, mpp=0.5, rim_um=25):
    """Draw a bubble of air: a dark rim, and blurred, pale tissue within."""
    radius, rim = round(radius_um / mpp), round(rim_um / mpp)
    inside = _mask(pixels, lambda mask: cv2.circle(mask, centre, radius, 1, -1))
    soft = cv2.GaussianBlur(pixels, (0, 0), 3 / mpp)
    pixels[inside] = soft[inside]
    edge = _mask(pixels, lambda mask: cv2.circle(mask, centre, radius, 1, rim))
    pixels[edge] = (pixels[edge] * 0.15 + 60).astype(np.uint8)
    return inside | edge


def _stroke(mask, line, width):
    cv2.polylines(mask, [np.array(line)], isClosed=False, color=1, thickness=width)


def _mask(pixels, draw):
    mask = np.zeros(pixels.shape[:2], np.uint8)
    draw(mask)
    return mask > 0


def as_slide(pixels, path, mpp=0.5):
    """Write pixels as a slide in JPEG; return the path."""
    wb.synthetic.write_pyramid(path, pixels, mpp=mpp)
    return path
