"""Augmentation of tiles on the device: turns, size, blur, and changes of each stain.

All that is random is drawn for a whole step from its number, so that it depends
neither on the parts in which a step is computed nor on the number of processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from workbench.stain.optical_density import IO

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.training.loop.recipe import TrainingRecipe

_COLOUR: Final = 0.2
"""Standard deviation of the change of stain vectors, as a share of that of amounts."""

_MIRRORED: Final = 4
"""Kinds of turns from here on are mirrored, after the turn."""

_CHANNELS: Final = 4
"""Most channels that OpenCV turns."""

_ROTATIONS: Final = (
    -1,
    cv2.ROTATE_90_COUNTERCLOCKWISE,
    cv2.ROTATE_180,
    cv2.ROTATE_90_CLOCKWISE,
)
"""OpenCV's codes of 1, 2 and 3 quarter turns, as `torch.rot90` counts them."""

_MOST: Final = 3.0
"""Largest change of an amount, in standard deviations."""


@dataclass(frozen=True, eq=False, slots=True)
class Changes:
    """Random changes of the tiles of a step."""

    turns: NDArray[np.int64]
    """Quarter turns, 0 to 3, plus 4 if mirrored, int64 (N,)."""

    amounts: NDArray[np.float32]
    """Factor of the amount of each stain, float32 (N, 2)."""

    colours: NDArray[np.float32]
    """Change of the stain vectors, float32 (N, 2, 3)."""

    factors: NDArray[np.float32]
    """Factor by which a tile is enlarged, float32 (N,)."""

    blurs: NDArray[np.float32]
    """Standard deviation of the blur in pixels, 0: none, float32 (N,)."""

    @classmethod
    def draw(cls, recipe: TrainingRecipe, step: int, count: int) -> Changes:
        """Return the changes of all tiles of a step, a function of seed and step."""
        random = np.random.default_rng([recipe.seed, 1, step])
        sd = recipe.stain_augmentation
        turns = random.integers(0, 8, count) * recipe.turns
        normal = np.clip(random.normal(size=(count, 2)), -_MOST, _MOST)
        amounts = np.maximum(0, 1 + sd * normal)
        colours = _COLOUR * sd * random.normal(size=(count, 2, 3))
        factors = recipe.scale ** random.uniform(-1, 1, count)
        blurs = recipe.blur * np.maximum(0, random.uniform(-1, 1, count))
        return cls(
            turns,
            amounts.astype(np.float32),
            colours.astype(np.float32),
            factors.astype(np.float32),
            blurs.astype(np.float32),
        )

    def take(self, which: NDArray[np.int64]) -> Changes:
        """Return the changes of some tiles of the step."""
        return Changes(
            self.turns[which],
            self.amounts[which],
            self.colours[which],
            self.factors[which],
            self.blurs[which],
        )


def augment(
    tiles: Tensor,
    targets: Tensor,
    changes: Changes,
    stains: NDArray[np.float64] | None,
) -> tuple[Tensor, Tensor]:
    """Return tiles and targets as a step sees them.

    Parameters
    ----------
    tiles : Tensor
        uint8 (N, 3, H, W).
    targets : Tensor
        (N,), which stays, or (N, H, W) or (N, C, H, W), which moves with the tiles.
        Beyond a reduced tile uint8 is 255, any other type 0.
    changes : Changes
    stains : float64 (N, 2, 3), optional
        Stain vectors of each tile's slide; None: stains are not varied.
    """
    if stains is not None:
        tiles = vary_stains(tiles, stains, changes)
    moving = targets if targets.ndim > 3 else targets[:, None]  # noqa: PLR2004
    if changes.turns.any():
        tiles = turn(tiles, changes.turns)
        moving = turn(moving, changes.turns) if targets.ndim > 1 else moving
    if (changes.factors != 1).any():
        tiles = resized(tiles, changes.factors, beyond=255, smooth=True)
        beyond = 255 if targets.dtype == torch.uint8 else 0
        if targets.ndim > 1:
            moving = resized(moving, changes.factors, beyond=beyond)
    if changes.blurs.any():
        tiles = blurred(tiles, changes.blurs)
    return tiles, moving if targets.ndim > 3 else moving[:, 0]  # noqa: PLR2004


def resized(
    images: Tensor, factors: NDArray[np.float32], *, beyond: int, smooth: bool = False
) -> Tensor:
    """Return images (N, C, H, W), each enlarged about its middle by a factor.

    Whole numbers below 2^24 stay exact, unless they are interpolated (`smooth`).
    """
    flat = torch.zeros((len(images), 2, 3), device=images.device)
    flat[:, 0, 0] = flat[:, 1, 1] = 1 / torch.from_numpy(factors).to(images.device)
    grid = functional.affine_grid(flat, list(images.shape), align_corners=False)
    mode = "bilinear" if smooth else "nearest"
    values = images.float() - beyond
    found = functional.grid_sample(values, grid, mode=mode, align_corners=False)
    return found.add_(beyond).round_().to(images.dtype)


def blurred(tiles: Tensor, sigmas: NDArray[np.float32]) -> Tensor:
    """Return uint8 tiles (N, 3, H, W), each blurred by its own Gaussian."""
    from torchvision.transforms.functional import gaussian_blur  # noqa: PLC0415 - slow

    made = tiles.clone()
    for index in np.flatnonzero(sigmas).tolist():
        sigma = float(sigmas[index])
        reach = max(1, round(3 * sigma))
        size = [2 * reach + 1] * 2
        soft = gaussian_blur(tiles[index].float(), size, [sigma, sigma])
        made[index] = soft.round_().to(torch.uint8)
    return made


def turn(images: Tensor, turns: NDArray[np.int64]) -> Tensor:
    """Return images (N, C, H, W), each turned and mirrored in its own way."""
    plain = images.dtype == torch.uint8 and images.shape[1] <= _CHANNELS
    if images.device.type == "cpu" and plain:
        return _turn_on_cpu(images, turns)
    made = torch.empty_like(images)
    for kind in np.unique(turns).tolist():
        mine = torch.from_numpy(np.flatnonzero(turns == kind)).to(images.device)
        some = images[mine]
        some = torch.rot90(some, kind % 4, (-2, -1))
        made[mine] = some.flip(-1) if kind >= _MIRRORED else some
    return made


def _turn_on_cpu(images: Tensor, turns: NDArray[np.int64]) -> Tensor:
    """Return uint8 images as `turn` does.

    OpenCV takes a fifth of torch's time where channels are last, as slides give them.
    """
    made = torch.empty_like(images)
    into = made.permute(0, 2, 3, 1).numpy()
    for i, pixels in enumerate(images.permute(0, 2, 3, 1).numpy()):
        kind = int(turns[i])
        turned = cv2.rotate(pixels, _ROTATIONS[kind % 4]) if kind % 4 else pixels
        turned = cv2.flip(turned, 1) if kind >= _MIRRORED else turned
        into[i] = turned.reshape(into[i].shape)  # OpenCV drops a single channel
    return made


def vary_stains(tiles: Tensor, stains: NDArray[np.float64], changes: Changes) -> Tensor:
    """Return tiles with other amounts and colours of their stains.

    By the law of Beer and Lambert: the densities that the slide's two stains explain
    are mixed again with changed amounts and vectors; the rest of a pixel stays.

    Parameters
    ----------
    tiles : Tensor
        uint8 (N, 3, H, W).
    stains : float64 (N, 2, 3)
        Stain vectors of each tile's slide.
    changes : Changes
    """
    device = tiles.device
    vectors = torch.from_numpy(stains.astype(np.float32)).to(device)
    unmix = torch.linalg.pinv(vectors)  # (N, 3, 2)
    amounts = torch.from_numpy(changes.amounts).to(device)
    other = vectors + torch.from_numpy(changes.colours).to(device)
    other = other / other.norm(dim=2, keepdim=True)
    density = -torch.log((tiles.float() + 1) / IO)
    found = torch.einsum("nchw,ncs->nshw", density, unmix).clamp(min=0)
    mixed = torch.einsum("nshw,nsc->nchw", found, amounts[:, :, None] * other - vectors)
    levels = IO * torch.exp(-(density + mixed)) - 1
    return levels.round_().clamp_(0, 255).to(torch.uint8)
