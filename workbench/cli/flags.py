"""Flags that several verbs share; those of a run are made from the recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from workbench.geometry import MPP_BOUNDS
from workbench.recipe import options

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.recipe import Option

F = TypeVar("F", bound="Callable[..., Any]")

_CORNERS: Final = 4


class BoxType(click.ParamType):
    """Four whole numbers, x0,y0,x1,y1, in level-0 pixels."""

    name = "x0,y0,x1,y1"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int, int, int]:
        """Read the corners."""
        try:
            corners = [int(part) for part in str(value).split(",")]
        except ValueError:
            corners = []
        if len(corners) != _CORNERS:
            self.fail(f"'{value}' is not x0,y0,x1,y1 in level-0 pixels", param, ctx)
        x0, y0, x1, y1 = corners
        if x1 <= x0 or y1 <= y0:
            self.fail(f"'{value}' is empty or inside out", param, ctx)
        return x0, y0, x1, y1


BOX: Final = BoxType()

mpp_flag = click.option(
    "--mpp",
    type=click.FloatRange(*MPP_BOUNDS),
    help="Micrometres per pixel of the slide, where it does not say or is wrong.",
)

json_flag = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def recipe_flags(command: F) -> F:
    """Give a command one flag for each field of a recipe."""
    for option in reversed(options()):
        command = _flag(option)(command)
    return command


def _flag(option: Option) -> Callable[[F], F]:
    flag = f"--{option.name.replace('_', '-')}"
    if option.kind == "switch":
        flag = f"{flag}/--no-{flag[2:]}"
    return click.option(
        flag,
        option.name,
        type=_type(option),
        default=option.default,
        show_default=option.default is not None,
        help=option.help,
    )


def _type(option: Option) -> click.ParamType:
    match option.kind:
        case "choice":
            return click.Choice(option.choices)
        case "switch":
            return click.BOOL
        case "whole":
            low, high = option.bounds
            return click.IntRange(
                None if low is None else int(low), None if high is None else int(high)
            )
        case "number":
            return click.FloatRange(*option.bounds)
        case "box":
            return BOX
        case "text":
            return click.STRING
