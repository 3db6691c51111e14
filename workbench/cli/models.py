"""`workbench models`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

import click

from workbench.cli.options import json_flag, mpp_flag, reference_flag
from workbench.recipe import NO_METHOD, StainMethod

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.models.encoders.adding import Pooling
    from workbench.models.export import EnginePrecision
    from workbench.slide.pixel_size import Mpp
    from workbench.stain.normalizer import Normalizer

Command = TypeVar("Command", bound="Callable[..., Any]")

weights_flag = click.option(
    "--weights", default=None, help="Weights, as for `workbench run`."
)
trust_flag = click.option("--trust", is_flag=True, help="Load files that can run code.")


def precision_flag(default: str, text: str) -> Callable[[Command], Command]:
    """Return the flag for the arithmetic of a TensorRT engine."""
    choice = click.Choice(("float32", "float16"))
    return click.option(
        "--precision", type=choice, default=default, show_default=True, help=text
    )


@click.group("models", invoke_without_command=True)
@json_flag
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> None:
    """List the models that can be run by name, add an encoder, or export a model.

    Other models are given by path: a TorchScript, ONNX, TensorRT or safetensors file
    with its card, or a WSInfer-zoo folder.
    """
    if context.invoked_subcommand is not None:
        return
    from workbench.models.catalogue import known_cards  # noqa: PLC0415 - see LazyGroup

    cards = known_cards()
    if as_json:
        click.echo(json.dumps([c.model_dump(mode="json") for c in cards], indent=2))
        return
    for card in cards:
        zoom = f"{card.mpp:g} µm per pixel" if card.mpp else "by clicks, at any zoom"
        click.echo(f"{card.name}  ({card.task}, {zoom})")
        click.echo(f"    answers: {', '.join(card.classes)}")
        if card.intended_use:
            click.echo(f"    {card.intended_use}")


@command.command("encoders")
@json_flag
def encoders(*, as_json: bool) -> None:
    """List the published encoders whose weights can be added by name.

    The weights are not part of the workbench. Where the hub is marked "gated", its
    conditions must be accepted there.
    """
    from workbench.models.encoders.preset import (  # noqa: PLC0415 - see LazyGroup
        encoder_presets,
    )
    from workbench.models.user_models import user_models  # noqa: PLC0415 - as above

    presets, added = encoder_presets(), user_models()
    if as_json:
        rows = [
            {**p.model_dump(mode="json"), "added": p.name in added} for p in presets
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    for preset in presets:
        mark = "  [added]" if preset.name in added else ""
        click.echo(f"{preset.name}  ({preset.title}){mark}")
        click.echo(
            f"    {preset.tile_px} px at {preset.mpp:g} µm per pixel,"
            f" {preset.dimensions} dimensions, {preset.precision}"
        )
        place = preset.hub or preset.source[-1]
        gated = ", gated" if preset.gated else ""
        click.echo(f"    {place}{gated}; licence: {preset.licence}; {preset.paper}")


@command.command("add")
@click.argument("name")
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    help="File of weights, or a local copy of the encoder's hub repository.",
)
@click.option(
    "--from-hub",
    is_flag=True,
    help="Download the weights from the Hugging Face hub, with your own token.",
)
@click.option(
    "--pooling",
    type=click.Choice(("cls", "mean", "cls+mean")),
    help="Vector from the tokens, if not the usual one.",
)
@click.option("--copy", is_flag=True, help="Copy the weights instead of linking them.")
def add(
    name: str, *, weights: Path | None, from_hub: bool, pooling: str | None, copy: bool
) -> None:
    """Add an encoder by name, with weights from this machine.

    `workbench models encoders` lists the names. Nothing is downloaded without
    --from-hub.
    """
    from workbench.models.encoders.adding import (  # noqa: PLC0415 - loads torch
        add_encoder,
    )
    from workbench.models.encoders.hub import (  # noqa: PLC0415 - as above
        download_encoder,
    )

    if from_hub == (weights is not None):
        message = "Give either --weights or --from-hub."
        raise click.UsageError(message)
    place = download_encoder(name) if weights is None else weights
    chosen = cast("Pooling | None", pooling)
    card = add_encoder(name, place, pooling=chosen, copy=copy)
    click.echo(f"{card.name}: {card.dimensions} dimensions. Run it by this name.")


@command.command("export")
@click.argument("model")
@click.option(
    "--to",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Output file: .ts or .pt (TorchScript), .onnx, .engine or .plan (TensorRT).",
)
@click.option(
    "--normalize",
    type=click.Choice((NO_METHOD, *get_args(StainMethod))),
    default=NO_METHOD,
    show_default=True,
    help="Stain normalization to include in the file; needs --slide.",
)
@click.option("--slide", default="", help="Slide to which the normalization is fitted.")
@reference_flag
@mpp_flag
@precision_flag("float32", "Arithmetic of a TensorRT engine.")
@weights_flag
@trust_flag
def export(  # noqa: PLR0913 - a flag each
    model: str,
    path: Path,
    *,
    normalize: str,
    slide: str,
    reference: str,
    mpp: Mpp | None,
    precision: EnginePrecision,
    weights: str | None,
    trust: bool,
) -> None:
    """Write a model as one file for other programs, with its card beside it.

    The model takes float32 (N, 3, side, side), sRGB from 0 to 255, and returns the
    outputs of the model: probabilities, values, or the maps from which instances are
    decoded.
    """
    from workbench.models.export import (  # noqa: PLC0415 - loads torch
        export_model,
    )

    method = None if normalize == NO_METHOD else cast("StainMethod", normalize)
    if (method is None) != (not slide):
        message = "--normalize and --slide need each other."
        raise click.UsageError(message)
    normalizer = _fit(slide, method, reference, mpp) if method else None
    click.echo(
        export_model(
            model,
            path,
            normalizer=normalizer,
            weights=weights,
            trust=trust,
            precision=precision,
        )
    )


@command.command("engine")
@click.argument("model")
@precision_flag("float16", "Arithmetic of the engine.")
@weights_flag
@trust_flag
def engine(
    model: str, *, precision: EnginePrecision, weights: str | None, trust: bool
) -> None:
    """Build the TensorRT engine of a model for this GPU, once, and print its path.

    Run it as a model: `workbench run SLIDE --model PATH --trust`. It is kept in the
    folder that WORKBENCH_ENGINES names, else in the user's cache folder.
    """
    from workbench.models.kept_engines import (  # noqa: PLC0415 - loads torch
        kept_engine,
    )

    click.echo(kept_engine(model, precision=precision, weights=weights, trust=trust))


@command.command("quantize")
@click.argument("model")
@click.option(
    "--to",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Output file: .onnx.",
)
@click.option(
    "--slide", required=True, help="Slide on whose tissue ranges are measured."
)
@mpp_flag
@weights_flag
@trust_flag
def quantize(
    model: str,
    path: Path,
    *,
    slide: str,
    mpp: Mpp | None,
    weights: str | None,
    trust: bool,
) -> None:
    """Write a model as an ONNX file that calculates with 8 bits.

    The ranges of its layers are measured on tiles of a slide like those that it will
    run on. It costs accuracy: compare its results with those of the model.
    """
    from workbench.models.quantization import (  # noqa: PLC0415 - loads torch
        calibration_tiles,
        quantize_model,
    )
    from workbench.models.registry import identify_model  # noqa: PLC0415 - as above
    from workbench.slide.slide import open_slide  # noqa: PLC0415 - only for this

    card = identify_model(model, weights=weights)
    with open_slide(slide, mpp=mpp) as opened:
        tiles = calibration_tiles(opened, card)
    click.echo(quantize_model(model, path, tiles, weights=weights, trust=trust))


def _fit(
    slide: str, method: StainMethod, reference: str, mpp: Mpp | None
) -> Normalizer:
    from workbench.slide.slide import open_slide  # noqa: PLC0415 - only for this
    from workbench.stain.normalizer import fit_normalizer  # noqa: PLC0415 - as above
    from workbench.stain.references import load_reference  # noqa: PLC0415 - as above

    with open_slide(slide, mpp=mpp) as opened:
        return fit_normalizer(opened, load_reference(reference), method=method)
