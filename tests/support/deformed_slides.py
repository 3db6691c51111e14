"""Pairs of drawn slides: the second in another stain, turned and bent, with truth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from workbench.synthetic import write_pyramid


@dataclass(frozen=True)
class Deformation:
    """Where each point of the fixed slide lies in the moving one, in µm."""

    size_um: tuple[float, float]
    angle: float = 14.0
    scale: float = 1.02
    shift_um: tuple[float, float] = (180.0, -120.0)
    bend_um: float = 100.0
    wave_um: float = 5000.0
    seed: int = 0

    def bend(self, points):
        """Return the smooth displacement: `bend_um` at most, in each direction."""
        rng = np.random.default_rng(self.seed)
        total = np.zeros(points.shape)
        for axis in (0, 1):
            for _ in range(3):
                turn, phase = rng.uniform(0, 2 * np.pi, 2)
                length = self.wave_um * rng.uniform(1, 1.6)
                along = points @ [np.cos(turn), np.sin(turn)]
                wave = np.sin(2 * np.pi * along / length + phase)
                total[..., axis] += wave / 3
        return self.bend_um * total

    def _affine(self):
        turn = np.deg2rad(self.angle)
        cos, sin = np.cos(turn), np.sin(turn)
        return self.scale * np.array([[cos, -sin], [sin, cos]])

    def __call__(self, points):
        """Map points (..., 2) in µm."""
        middle = np.array(self.size_um) / 2
        moved = (points - middle) @ self._affine().T + middle + self.shift_um
        return moved + self.bend(points)

    def inverse(self, points):
        """Map back, by iteration."""
        middle = np.array(self.size_um) / 2
        back = np.linalg.inv(self._affine()).T
        found = (points - middle - self.shift_um) @ back + middle
        for _ in range(30):
            step = (points - self(found)) @ back
            found = found + step
            if np.abs(step).max() < 0.01:
                break
        return found


STAINS = {
    "he": ((0.65, 0.70, 0.29), (0.07, 0.99, 0.11)),
    "h-dab": ((0.65, 0.70, 0.29), (0.27, 0.57, 0.78)),
    "trichrome": ((0.60, 0.62, 0.45), (0.80, 0.45, 0.12)),
    "pas": ((0.55, 0.70, 0.35), (0.18, 0.90, 0.38)),
}
"""Absorption of nuclei and of what is between them, in red, green and blue."""


class Tissue:
    """Nuclei in clusters on a section with an uneven outline, in µm."""

    def __init__(self, size_um, *, seed=0, per_mm2=2500):
        self.size_um = size_um
        self._rng = np.random.default_rng(seed)
        self._waves = self._rng.uniform(0, 2 * np.pi, (24, 2))
        count = int(per_mm2 * np.prod(size_um) / 1e6 * 3)
        places = self._rng.uniform((0, 0), size_um, (count, 2))
        chance = self._rng.random(count)
        self.nuclei = places[chance < self.density(places) * self.inside(places)]

    def _noise(self, points, first, length):
        total = np.zeros(points.shape[:-1])
        for turn, phase in self._waves[first : first + 8]:
            along = points @ [np.cos(turn), np.sin(turn)]
            total += np.sin(2 * np.pi * along / (length * (1 + phase / 8)) + 9 * phase)
        return total / 4

    def density(self, points):
        """Return how dense nuclei are, 0 to 1."""
        return np.clip(0.35 + 0.5 * self._noise(points, 0, 330), 0.05, 1)

    def inside(self, points):
        """Return whether points are tissue."""
        away = (points - np.array(self.size_um) / 2) / (np.array(self.size_um) / 2)
        edge = 0.62 + 0.12 * self._noise(points, 16, self.size_um[0] * 0.7)
        return np.hypot(*np.moveaxis(away, -1, 0)) < edge

    def between(self, points):
        """Return the amount of the second stain, 0 to 1."""
        return np.clip(0.4 + 0.3 * self._noise(points, 8, 700), 0.1, 1)

    def draw(self, mpp, stain, *, place=None, back=None, kept=1.0, seed=0):
        """Return the section as pixels, uint8 (H, W, 3).

        `place` maps points of the tissue to the slide, `back` the other way. A share
        of the nuclei is those of the tissue; the others are elsewhere.
        """
        rng = np.random.default_rng(seed)
        width, height = (round(side / mpp) for side in self.size_um)
        nuclei = self.nuclei.copy()
        other = rng.random(len(nuclei)) >= kept
        nuclei[other] += rng.normal(0, 40, (other.sum(), 2))
        moved = nuclei if place is None else place(nuclei)
        first, second = np.array(STAINS[stain])
        amount = np.zeros((height, width), np.float32)
        for (x, y), radius in zip(
            ((moved / mpp - 0.5) * 16).round().astype(int).tolist(),
            (rng.uniform(3, 5, len(moved)) / mpp * 16).astype(int).tolist(),
            strict=True,
        ):
            cv2.circle(amount, (x, y), radius, 1.0, -1, cv2.LINE_8, 4)
        pixels = np.empty((height, width, 3), np.uint8)
        for top in range(0, height, 256):
            bottom = min(height, top + 256)
            y, x = np.mgrid[top:bottom, :width]
            points = (np.stack([x, y], axis=-1) + 0.5) * mpp
            points = points if back is None else back(points)
            tissue = self.inside(points)
            eosin = self.between(points) * tissue * 0.6
            dark = cv2.GaussianBlur(amount, (3, 3), 0)[top:bottom] * 1.1
            density = dark[..., None] * first + eosin[..., None] * second
            noise = rng.normal(0, 2, (bottom - top, width, 1))
            light = 245 * np.exp(-density) + noise
            pixels[top:bottom] = np.clip(light, 0, 255)
        return pixels


def write_deformed(
    folder, *, size_um=(2600, 2000), mpp=2.0, stain="h-dab", kept=0.8, seed=0, **bend
):
    """Write fixed.tif and moving.tif; return them, the deformation and the tissue."""
    fixed, moving = folder / "fixed.tif", folder / "moving.tif"
    tissue = Tissue(size_um, seed=seed)
    deformation = Deformation(size_um, **bend)
    write_pyramid(fixed, tissue.draw(mpp, "he"), mpp=mpp)
    drawn = tissue.draw(
        mpp,
        stain,
        place=deformation,
        back=deformation.inverse,
        kept=kept,
        seed=seed + 1,
    )
    write_pyramid(moving, drawn, mpp=mpp)
    return fixed, moving, deformation, tissue
