"""Options that several verbs share; the options of a run come from the recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from workbench.errors import OutOfBoundsError
from workbench.recipe import Options, Recipe, options
from workbench.slide.pixel_size import Mpp, parse_mpp

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from workbench.recipe import Option

F = TypeVar("F", bound="Callable[..., Any]")
OptionsT = TypeVar("OptionsT", bound=Options)

_CORNERS: Final = 4
_GEOJSON: Final = (".geojson", ".json", ".gz")


def corners(text: str) -> tuple[int, int, int, int]:
    """Parse a box, x0,y0,x1,y1 in level-0 pixels; the type of an option."""
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != _CORNERS:
        message = f"'{text}' is not x0,y0,x1,y1 in level-0 pixels"
        raise click.BadParameter(message)
    x0, y0, x1, y1 = numbers
    if x1 <= x0 or y1 <= y0:
        message = f"'{text}' is empty or inside out"
        raise click.BadParameter(message)
    return x0, y0, x1, y1


def region(text: str) -> tuple[int, int, int, int] | Path:
    """Parse a box or the name of a GeoJSON file; the type of an option."""
    return Path(text) if text.lower().endswith(_GEOJSON) else corners(text)


def pixel_size(text: str) -> Mpp:
    """Parse a pixel size, such as 0.25 or 0.25x0.5; the type of an option."""
    try:
        return parse_mpp(text)
    except OutOfBoundsError as error:
        raise click.BadParameter(str(error)) from error


mpp_flag = click.option(
    "--mpp",
    type=pixel_size,
    metavar="UM[xUM]",
    help="Micrometres per pixel of the slide, if missing or wrong in the file: one"
    " number, or two as in 0.25x0.5.",
)

image_flag = click.option(
    "--image",
    help="Number or name of an image in the file. Default: the scan.",
)

plane_flag = click.option(
    "--plane",
    type=click.IntRange(min=0),
    metavar="NUMBER",
    help="Focal plane of the slide, 0 for the first. Default: the one that is shown.",
)

reference_flag = click.option(
    "--reference",
    default=Recipe.model_fields["reference"].default,
    show_default=True,
    help=Recipe.model_fields["reference"].description,
)

json_flag = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

progress_flag = click.option(
    "--progress/--no-progress",
    default=True,
    help="Show progress on standard error, as one line.",
)

recipe_file = click.argument(
    "recipe",
    required=False,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
"""Argument: a JSON file of a training recipe."""


def recipe_flags(command: F) -> F:
    """Add one option for each field of a recipe to a command."""
    return flags_of(Recipe)(command)


def flags_of(kind: type[Options], *, without: Container[str] = ()) -> Callable[[F], F]:
    """Return a decorator that adds one option for each field of a kind of recipe."""

    def add(command: F) -> F:
        for option in reversed(options(kind)):
            if option.name not in without:
                command = _flag(option)(command)
        return command

    return add


def chosen_options(
    kind: type[OptionsT], file: Path | None, flags: Mapping[str, Any]
) -> OptionsT:
    """Return the options of a JSON file, with those flags that were given.

    Without a file, the options are those of all flags, defaults included.
    """
    if file is None:
        return kind().replace(**flags)
    context = click.get_current_context()
    given = click.core.ParameterSource.COMMANDLINE
    named = {
        name: value
        for name, value in flags.items()
        if context.get_parameter_source(name) == given
    }
    return kind.of_json(file.read_bytes()).replace(**named)


def _flag(option: Option) -> Callable[[F], F]:
    flag = f"--{option.name.replace('_', '-')}"
    if option.kind == "switch":
        flag = f"{flag}/--no-{flag[2:]}"
    return click.option(
        flag,
        option.name,
        type=_type(option),
        default=option.default,
        show_default=option.default not in (None, ""),
        metavar="X0,Y0,X1,Y1 or FILE" if option.kind == "box" else None,
        help=option.help,
    )


def _type(option: Option) -> Any:
    match option.kind:
        case "choice":
            return click.Choice(option.choices)
        case "switch":
            return click.BOOL
        case "whole":
            low, high = option.bounds
            whole = click.IntRange(
                None if low is None else int(low), None if high is None else int(high)
            )
            return _WordOr(option.choices, whole) if option.choices else whole
        case "number":
            return click.FloatRange(*option.bounds)
        case "box":
            return region
        case "text":
            return click.STRING


class _WordOr(click.ParamType):  # type: ignore[type-arg] # older ones are not generic
    """A number, or one of a few words."""

    def __init__(self, words: tuple[str, ...], number: click.IntRange) -> None:
        self.name = "|".join([*words, number.name])
        self._words = words
        self._number = number

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Return the word unchanged, or the number."""
        return (
            value if value in self._words else self._number.convert(value, param, ctx)
        )
