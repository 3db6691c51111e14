"""`workbench stain check`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from workbench.cli.options import json_flag, mpp_flag, reference_flag
from workbench.recipe import StainMethod

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.slide.pixel_size import Mpp
    from workbench.stain.self_check import Comparison

_TILES: Final = 16
_METHODS: Final[tuple[StainMethod, ...]] = get_args(StainMethod)


@click.command("check")
@click.argument("slide")
@click.option(
    "--method",
    type=click.Choice(_METHODS),
    help="Stain normalization method. Default: all methods.",
)
@reference_flag
@mpp_flag
@json_flag
def command(
    slide: str,
    method: StainMethod | None,
    *,
    reference: str,
    mpp: Mpp | None,
    as_json: bool,
) -> None:
    """Compare normalization back-ends (CPU, GPU, table) pixel by pixel.

    Differences are in grey levels. Over all colours: single precision, lookup table
    and served tiles against double precision. Over tissue tiles of the slide: batches
    against single tiles, tensors against arrays, CPU against GPU. Exit status 1 if a
    difference is above its limit.
    """
    from workbench.slide.slide import open_slide  # noqa: PLC0415 - see LazyGroup
    from workbench.stain.normalizer import fit_normalizer  # noqa: PLC0415
    from workbench.stain.references import load_reference  # noqa: PLC0415
    from workbench.stain.self_check import check_consistency  # noqa: PLC0415
    from workbench.stain.tissue_sample import sample_tiles  # noqa: PLC0415

    aim, methods = load_reference(reference), [method] if method else list(_METHODS)
    with open_slide(slide, mpp=mpp) as opened:
        tiles = sample_tiles(opened, max_tiles=_TILES)
        found: dict[str, tuple[Comparison, ...]] = {
            name: check_consistency(fit_normalizer(opened, aim, method=name), tiles)
            for name in methods
        }
    passed = all(each.passed for rows in found.values() for each in rows)
    click.echo(
        json.dumps(_record(slide, reference, found), indent=2)
        if as_json
        else _table(found)
    )
    if not passed:
        click.echo("workbench: a difference is above its limit.", err=True)
        raise SystemExit(1)


def _record(
    slide: str, reference: str, found: Mapping[str, tuple[Comparison, ...]]
) -> dict[str, Any]:
    methods = {
        name: [each.to_dict() for each in comparisons]
        for name, comparisons in found.items()
    }
    return {"slide": slide, "reference": reference, "methods": methods}


def _table(found: Mapping[str, tuple[Comparison, ...]]) -> str:
    lines = []
    for method, comparisons in found.items():
        lines.append(
            f"{method:<27}{'max':>4}{'mean':>10}{'differing':>12}  "
            f"{'allowed':<14}{'':<5}over"
        )
        lines += [_row(each) for each in comparisons]
        lines.append("")
    return "\n".join(lines[:-1])


def _row(each: Comparison) -> str:
    if each.skipped:
        return f"  {each.name:<25}{'not measured: ' + each.skipped}"
    largest, share = each.allowed
    allowed = f"{largest}, {share:.2%}" if largest else "0"
    return (
        f"  {each.name:<25}{each.largest:>4}{each.mean:>10.6f}{each.share:>12.5%}  "
        f"{allowed:<14}{'ok' if each.passed else 'NO':<5}{each.over}"
    )
