"""`TrainingRecipe`: the options of a training, one frozen value."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from workbench.recipe import MethodChoice, Names, Options, Precision

Task = Literal["classification", "segmentation", "instances"]
"""What a network learns.

classification : one class for each tile
segmentation   : a class for each pixel
instances      : the outline of each object
"""


_USUAL: Final[dict[str, str]] = {
    "classification": "small-cnn",
    "segmentation": "unet",
    "instances": "nucleus-net",
}


class TrainingRecipe(Options):
    """The options of one training.

    Raises
    ------
    RecipeError
        If a value is out of bounds or there is no such option; it names the field.

    Examples
    --------
    >>> recipe = wb.training.TrainingRecipe(labels="study.csv", epochs=5)
    >>> recipe.replace(seed=2).epochs
    5
    """

    task: Annotated[
        Task, Field(description="What the model is to predict for a tile.")
    ] = "classification"
    labels: Annotated[
        str,
        Field(
            description="A CSV with columns slide, labels, and optionally patient and"
            " split (train, validation); a folder of tiles, one folder a class; a"
            " folder of images with masks beside them; or a COCO file."
        ),
    ] = ""
    classes: Annotated[
        Names,
        Field(
            max_length=250,
            description="Classes to learn, separated by semicolons. Default: those of"
            " the labels, in alphabetical order.",
        ),
    ] = ()
    architecture: Annotated[
        str,
        Field(
            description="Network: workbench:small-cnn, workbench:unet,"
            " workbench:nucleus-net, or a classifier, segmentation or Mask R-CNN of"
            " torchvision, such as torchvision:resnet18 or"
            " torchvision:maskrcnn_resnet18_fpn. Default: small-cnn for a"
            " classification, unet for a segmentation, nucleus-net for instances."
        ),
    ] = ""
    start: Annotated[
        str,
        Field(
            description="Name or path of a model of the same architecture to begin"
            " from; layers of another size begin at random. Default: at random."
        ),
    ] = ""
    encoder: Annotated[
        str,
        Field(
            description="Name or path of an encoder: a linear layer on its vectors is"
            " the network of a classification. Give its mpp and tile_px."
        ),
    ] = ""
    unfrozen: Annotated[
        int,
        Field(
            ge=0,
            le=1000,
            description="Last blocks of the encoder that learn too; 0: none.",
        ),
    ] = 0
    lora: Annotated[
        int,
        Field(
            ge=0,
            le=256,
            description="Rank of the changes (LoRA) that the attention of the encoder"
            " learns; 0: none.",
        ),
    ] = 0
    mpp: Annotated[
        float,
        Field(ge=0.05, le=100, description="Micrometres per pixel of the tiles."),
    ] = 1.0
    tile_px: Annotated[
        int, Field(ge=32, le=2048, description="Side of the tiles in pixels.")
    ] = 64
    min_coverage: Annotated[
        float,
        Field(
            ge=0.01,
            le=1,
            description="Share of a tile that its class must cover; of a segmentation,"
            " that labels of any class must cover; of instances, that the areas of"
            " class Region must cover, if there are any.",
        ),
    ] = 0.5
    normalize: Annotated[
        MethodChoice,
        Field(description="Stain normalization of the slides, as for their runs."),
    ] = None
    reference: Annotated[
        str, Field(description="Reference of the normalization, as for a run.")
    ] = "he-standard"
    stain_augmentation: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Standard deviation of the random change of the amount of each"
            " stain, and a fifth of it of its colour; 0: none.",
        ),
    ] = 0.1
    turns: Annotated[bool, Field(description="Turn and mirror tiles at random.")] = True
    scale: Annotated[
        float,
        Field(
            ge=1,
            le=4,
            description="Largest factor by which tiles are enlarged or reduced at"
            " random; 1: none. Beyond the edge of a tile is glass.",
        ),
    ] = 1.0
    blur: Annotated[
        float,
        Field(
            ge=0,
            le=10,
            description="Largest standard deviation, in pixels, of the Gaussian by"
            " which half of the tiles are blurred; 0: none.",
        ),
    ] = 0.0
    validation: Annotated[
        float,
        Field(
            ge=0,
            le=0.9,
            description="Share of the patients (or slides) that is held out, if the"
            " labels do not say which; of a single slide, share of its tiles, in"
            " blocks.",
        ),
    ] = 0.2
    epochs: Annotated[
        int, Field(ge=1, le=100_000, description="Most passes over the examples.")
    ] = 20
    patience: Annotated[
        int,
        Field(
            ge=0,
            le=100_000,
            description="Stop after this many epochs without a better held-out figure;"
            " 0: never.",
        ),
    ] = 0
    batch_size: Annotated[
        int, Field(ge=1, le=65_536, description="Tiles of one step, on all devices.")
    ] = 32
    accumulate: Annotated[
        int,
        Field(
            ge=1,
            le=1024,
            description="Parts in which the tiles of a step are computed, to save"
            " memory; the result is the same but for rounding.",
        ),
    ] = 1
    learning_rate: Annotated[
        float, Field(ge=1e-8, le=10, description="Highest learning rate (AdamW).")
    ] = 1e-3
    weight_decay: Annotated[
        float, Field(ge=0, le=10, description="Weight decay (AdamW).")
    ] = 0.01
    clip: Annotated[
        float,
        Field(ge=0, le=1e6, description="Largest norm of the gradient; 0: any."),
    ] = 1.0
    average: Annotated[
        float,
        Field(
            ge=0,
            le=0.99999,
            description="Decay of the moving average of the weights (EMA), which is"
            " judged and saved; 0: none.",
        ),
    ] = 0.99
    checkpoint_steps: Annotated[
        int,
        Field(ge=1, le=1_000_000, description="Steps between checkpoints."),
    ] = 50
    seed: Annotated[
        int, Field(ge=0, le=2**31 - 1, description="Seed of all that is random.")
    ] = 0
    device: Annotated[
        str,
        Field(
            pattern=r"^(auto|(cpu|mps|cuda)(:\d+)?)$",
            description="Device: auto, cpu, mps, cuda or cuda:N. Under torchrun each"
            " process takes its own GPU.",
        ),
    ] = "auto"
    precision: Annotated[
        Precision, Field(description="Floating-point type of the network.")
    ] = "auto"
    threads: Annotated[
        int, Field(ge=1, le=64, description="Threads that read tiles.")
    ] = 2

    tensorboard: Annotated[
        bool,
        Field(description="Write curves for TensorBoard too (extra `tensorboard`)."),
    ] = False

    @property
    def network(self) -> str:
        """Architecture, given or that of the task."""
        return self.architecture or f"workbench:{_USUAL[self.task]}"
