"""`workbench models`."""

from __future__ import annotations

import json

import click

from workbench.cli.flags import json_flag
from workbench.models.catalogue import known_cards


@click.command("models")
@json_flag
def command(*, as_json: bool) -> None:
    """List the models that can be run by name.

    A model can also be given by the path of a TorchScript, ONNX or safetensors file
    with its card, or of a WSInfer-zoo folder.
    """
    cards = known_cards()
    if as_json:
        click.echo(json.dumps([c.model_dump(mode="json") for c in cards], indent=2))
        return
    for card in cards:
        click.echo(f"{card.name}  ({card.task}, {card.mpp:g} µm per pixel)")
        click.echo(f"    answers: {', '.join(card.classes)}")
        if card.intended_use:
            click.echo(f"    {card.intended_use}")
