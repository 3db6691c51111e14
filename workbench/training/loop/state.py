"""State of a training: network, average, optimizer; saved and restored whole."""

from __future__ import annotations

import copy
import io
import math
from typing import TYPE_CHECKING, Final

import torch
from torch import nn

from workbench.errors import TrainingError
from workbench.models.architectures import build_network, with_tile_size
from workbench.training.loop.starting import learn_norms, start_from
from workbench.training.loop.tuning import tune

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.models.card import ModelCard
    from workbench.training.loop.recipe import TrainingRecipe

_WARM: Final = 0.05
"""Share of the steps in which the learning rate rises."""


class State:
    """Everything that changes from step to step.

    Parameters
    ----------
    card : ModelCard
        Card of the network.
    recipe : TrainingRecipe
    device : torch.device

    Attributes
    ----------
    step : int
        Number of steps done.
    best : float
        Best held-out figure so far; -inf: none.
    waited : int
        Epochs since then.
    loss : float
        Sum of the losses of this epoch's steps.
    """

    def __init__(
        self, card: ModelCard, recipe: TrainingRecipe, device: torch.device
    ) -> None:
        self.card, self.recipe, self.device = card, recipe, device
        with torch.random.fork_rng(devices=[]):
            seed_torch(recipe.seed)
            network = build_network(with_tile_size(card), trust=False)
            if recipe.encoder:
                tune(network, recipe)
        if recipe.start:
            start_from(network, recipe.start)
        else:
            learn_norms(network)
        # As in inference; convolutions of channels last are faster on CPUs and GPUs.
        network.to(device).to(memory_format=torch.channels_last)
        self.network: nn.Module = network
        self.average = copy.deepcopy(self.network) if recipe.average else None
        self.optimizer = torch.optim.AdamW(
            [each for each in self.network.parameters() if each.requires_grad],
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
        )
        half = recipe.precision == "float16" and device.type == "cuda"
        self.scaler = torch.amp.GradScaler("cuda", enabled=half)
        self.step, self.waited = 0, 0
        self.best, self.loss = -math.inf, 0.0

    @property
    def judged(self) -> nn.Module:
        """The network that is judged and saved: the average, if there is one."""
        return self.network if self.average is None else self.average

    def learn(self, total: int) -> None:
        """Take one step of the optimizer with the gradients that there are."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * rate_at(self.step, total)
        self.scaler.unscale_(self.optimizer)
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self._follow()

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average towards the network; sooner in the first steps."""
        if self.average is None:
            return
        decay = min(self.recipe.average, (1 + self.step) / (10 + self.step))
        ours, theirs = self.average.state_dict(), self.network.state_dict()
        for name, tensor in ours.items():
            if tensor.is_floating_point():
                tensor.lerp_(theirs[name], 1 - decay)
            else:
                tensor.copy_(theirs[name])

    def content(self) -> bytes:
        """Return the whole state as the content of a file."""
        file = io.BytesIO()
        average = self.average and self.average.state_dict()
        torch.save(
            {
                "step": self.step,
                "best": self.best,
                "waited": self.waited,
                "loss": self.loss,
                "network": self.network.state_dict(),
                "average": average or {},
                "optimizer": self.optimizer.state_dict(),
                "scaler": self.scaler.state_dict(),
            },
            file,
        )
        return file.getvalue()

    def restore(self, file: Path) -> None:
        """Go back to the state in a file.

        Raises
        ------
        TrainingError
            If it is damaged or of another network.
        """
        try:
            # Tensors and numbers only: opening the file cannot run code.
            known = torch.load(file, map_location=self.device, weights_only=True)
            self.network.load_state_dict(known["network"])
            if self.average is not None:
                self.average.load_state_dict(known["average"])
            self.optimizer.load_state_dict(known["optimizer"])
            if self.scaler.is_enabled():
                self.scaler.load_state_dict(known["scaler"])
            self.step, self.waited = int(known["step"]), int(known["waited"])
            self.best, self.loss = float(known["best"]), float(known["loss"])
        except Exception as error:  # torch raises many for a damaged file
            message = f"'{file}' is no state of this training: {error}."
            remedy = "Restore the file, or train into another folder."
            raise TrainingError(message, remedy) from error


def seed_torch(*numbers: int) -> None:
    """Seed the generator from which dropout and new weights are drawn.

    Call it within `torch.random.fork_rng`, which gives the caller's state back.
    """
    import numpy as np  # noqa: PLC0415 - for this only

    (seed,) = np.random.SeedSequence(numbers).generate_state(1).tolist()
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed(seed)


def rate_at(step: int, total: int) -> float:
    """Return the share of the learning rate at a step: a rise, then half a cosine."""
    warm = max(1, math.ceil(_WARM * total))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))
