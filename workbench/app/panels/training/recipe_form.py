"""Form of a training: its recipe, made from widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui

from workbench.app.widgets.controls import STYLE, choice, note, stack, widget_for
from workbench.app.widgets.lazy import Fold
from workbench.recipe import options
from workbench.training.loop.recipe import TrainingRecipe

if TYPE_CHECKING:
    from pathlib import Path

THIS: Final = "this slide"
ALL: Final = "all slides"
_FIRST: Final = ("task", "mpp", "tile_px", "epochs")
_MORE: Final = (
    *("min_coverage", "normalize", "stain_augmentation", "validation", "patience"),
    *("batch_size", "learning_rate", "seed", "device", "precision"),
)
_NETWORKS: Final = {
    "classification": {
        "small (seconds)": "workbench:small-cnn",
        "ResNet-18": "torchvision:resnet18",
        "ResNet-50": "torchvision:resnet50",
        "ConvNeXt tiny": "torchvision:convnext_tiny",
        "EfficientNet B0": "torchvision:efficientnet_b0",
    },
    "segmentation": {
        "U-Net": "workbench:unet",
        "DeepLab v3, ResNet-50": "torchvision:deeplabv3_resnet50",
    },
}
"""Architectures that are offered, by task and label."""


class RecipeForm(pn.viewable.Viewer):
    """Widgets of the name, the labels and the options of a training."""

    def __init__(self) -> None:
        super().__init__()
        known = {each.name: each for each in options(TrainingRecipe)}
        self.name_field = pmui.TextInput(label="Name of the model", **STYLE)
        self.labels = choice("Labels: annotations of", [THIS, ALL], THIS)
        self.options = {name: widget_for(known[name]) for name in (*_FIRST, *_MORE)}
        self.options["mpp"] = pmui.FloatInput(
            label="Pixel size (µm)", value=1.0, start=0.05, end=100, step=0.25, **STYLE
        )
        self.options["tile_px"].label = "Side of a tile (px)"
        tasks = list(_NETWORKS)
        self.options["task"].param.update(options=tasks, value=tasks[0])
        self.network = pmui.Select(label="Network", **STYLE)
        self.options["task"].param.watch(lambda _: self._offer(), "value")
        self._offer()
        first = [self.options[name] for name in _FIRST]
        self.body = stack(
            self.name_field,
            self.labels,
            note(
                "Each tile that an area covers is an example of its class.",
                margin=(0, 2, 8, 2),
            ),
            first[0],
            self.network,
            *first[1:],
            Fold("More options", stack(*(self.options[name] for name in _MORE))),
        )

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return self.body

    @property
    def model_name(self) -> str:
        """Name of the model to be made."""
        return str(self.name_field.value or "").strip()

    @property
    def all_slides(self) -> bool:
        """Whether the annotations of all served slides are learnt from."""
        return bool(self.labels.value == ALL)

    def recipe(self, labels: Path) -> TrainingRecipe:
        """Return the recipe of the options as they are now.

        Raises
        ------
        RecipeError
            If an option is out of bounds.
        """
        values = {name: widget.value for name, widget in self.options.items()}
        return TrainingRecipe.of(
            labels=str(labels), architecture=self.network.value, **values
        )

    def _offer(self) -> None:
        offered = _NETWORKS[self.options["task"].value]
        self.network.param.update(options=offered, value=next(iter(offered.values())))
