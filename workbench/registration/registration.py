"""`Registration`: where each point of a slide lies in a serial section of it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import shapely

from workbench.errors import RegistrationError
from workbench.markup import facts
from workbench.registration.elastic import error_at
from workbench.registration.registration_file import (
    Parts,
    read_registration,
    write_registration,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from markupsafe import Markup
    from numpy.typing import ArrayLike, NDArray

    from workbench.annotations.annotation import Annotation
    from workbench.instances.instances import Instances
    from workbench.registration.field import Field
    from workbench.slide.slide import Slide

Side = Literal["moving", "fixed"]
"""One of the two slides."""

ERROR: Final = "registration_error_um"
"""Name of the property of carried annotations, and of the measure of instances."""

_NAMES: Final = uuid.UUID("c2d9a1b0-6d2e-4a53-9d0e-1f0f4c6f5a11")
_LONGEST_UM: Final = 50.0
"""Longest edge of an outline before it is carried, so that edges bend with tissue."""


@dataclass(frozen=True, eq=False, slots=True)
class Registration:
    """Where each point of a fixed slide lies in a moving one, and how surely.

    Both slides are named by the id of their content. Points are level-0 pixels of the
    slide that they belong to.
    """

    fixed: Mapping[str, Any]
    """The fixed slide: `id`, `name`, `size` in level-0 pixels, `mpp`."""

    moving: Mapping[str, Any]
    """The moving slide, likewise."""

    transform: Field
    """The map from micrometres of the fixed slide to those of the moving one."""

    errors: NDArray[np.float64]
    """Expected error in micrometres at the nodes of the map, (rows, columns)."""

    quality: Mapping[str, float]
    """`matches` (parts of tissue found in both), `matched` (their share of all parts
    with tissue), `correlation` (of the two densities), `error_um` (median over the
    tissue)."""

    def to_moving(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return where points of the fixed slide lie in the moving one.

        Parameters
        ----------
        points : array_like of float, (N, 2)
            x and y in level-0 pixels of the fixed slide.

        Returns
        -------
        float64 (N, 2)
            Level-0 pixels of the moving slide.
        """
        place = np.asarray(points, np.float64) * self.fixed["mpp"]
        moved: NDArray[np.float64] = self.transform(place) / self.moving["mpp"]
        return moved

    def to_fixed(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return where points of the moving slide lie in the fixed one; see above."""
        place = np.asarray(points, np.float64) * self.moving["mpp"]
        moved: NDArray[np.float64] = self.transform.inverse(place) / self.fixed["mpp"]
        return moved

    def error_um(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return the expected error at points of the fixed slide, µm, float64 (N,).

        It is the median distance by which the map misses parts of the tissue that were
        left out of its fit; it grows where no part was found near by.
        """
        place = np.asarray(points, np.float64) * self.fixed["mpp"]
        return error_at(self.errors, place / self.transform.spacing)

    def carry(
        self, annotations: Iterable[Annotation], *, to: Side = "moving"
    ) -> list[Annotation]:
        """Return annotations of one slide at their places on the other.

        Outlines get points every 50 µm, so that they bend with the tissue. Each has the
        property "registration_error_um", the largest expected error along its outline,
        and an id that is the same each time.

        Parameters
        ----------
        annotations : iterable of Annotation
        to : "moving" or "fixed"
            The slide that they are carried to.
        """
        source, target = self._sides(to)
        step = _LONGEST_UM / source["mpp"]
        found = []
        for each in annotations:
            dense = shapely.segmentize(each.geometry, step)
            errors = self._errors(shapely.get_coordinates(dense), to)
            error = round(float(errors.max()), 2)
            found.append(
                each.replace(
                    geometry=shapely.transform(dense, self._map(to)),
                    id=str(uuid.uuid5(_NAMES, f"{each.id} {target['id']}")),
                    properties={**each.properties, ERROR: error},
                )
            )
        return found

    def carry_instances(
        self, instances: Instances, *, to: Side = "moving"
    ) -> Instances:
        """Return instances of one slide at their places on the other.

        Classes, scores and measures stay those of the first slide; the measure
        "registration_error_um" is the expected error at the first point of each.
        """
        starts = instances.points[instances.starts]
        errors = self._errors(starts, to).astype(np.float32)
        return replace(
            instances,
            points=self._map(to)(instances.points).astype(np.float32),
            measures={**instances.measures, ERROR: errors},
        )

    def require(self, slide: Slide, *, side: Side) -> None:
        """Raise an error if a slide is not the one that was registered.

        Raises
        ------
        RegistrationError
            If its content has another id.
        """
        known = self.fixed if side == "fixed" else self.moving
        if slide.id != known["id"]:
            reason = f"it is not '{known['name']}', the {side} slide"
            raise RegistrationError(slide.path, reason, "Register it with --out first.")

    def side_of(self, slide: Slide) -> Side:
        """Return which of the two slides it is.

        Raises
        ------
        RegistrationError
            If it is neither.
        """
        for side, known in (("fixed", self.fixed), ("moving", self.moving)):
            if slide.id == known["id"]:
                return "fixed" if side == "fixed" else "moving"
        names = f"'{self.fixed['name']}' and '{self.moving['name']}'"
        reason = f"the registration is of {names}"
        raise RegistrationError(slide.path, reason, "Register this slide first.")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the registration as HDF5; `wb.open_registration` reads it.

        Raises
        ------
        RunFolderError
            On an I/O error.
        """
        values = (getattr(self, each.name) for each in fields(self))
        return write_registration(Path(path), Parts(*values))

    def _sides(self, to: Side) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        pair = self.fixed, self.moving
        return pair if to == "moving" else pair[::-1]

    def _map(self, to: Side) -> Any:
        return self.to_moving if to == "moving" else self.to_fixed

    def _errors(self, points: NDArray[Any], to: Side) -> NDArray[np.float64]:
        return self.error_um(points if to == "moving" else self.to_fixed(points))

    def __repr__(self) -> str:
        """Return one line with the slides and the expected error."""
        error = self.quality.get("error_um", np.nan)
        names = f"'{self.fixed['name']}' to '{self.moving['name']}'"
        return f"<Registration of {names}: error about {error:.2g} µm>"

    def _repr_html_(self) -> str:
        quality = self.quality
        rows = {
            "Fixed": str(self.fixed["name"]),
            "Moving": str(self.moving["name"]),
            "Expected error": f"{quality.get('error_um', np.nan):.2g} µm",
            "Parts found": f"{quality.get('matches', 0):,.0f},"
            f" {quality.get('matched', 0):.0%} of the tissue",
        }
        table: Markup = facts(rows)
        return str(table)


def open_registration(path: str | os.PathLike[str]) -> Registration:
    """Open a registration that was saved.

    Parameters
    ----------
    path : path

    Raises
    ------
    RegistrationError
        If it is not there, damaged, or of a newer format.
    """
    parts = read_registration(Path(path))
    values = (getattr(parts, each.name) for each in fields(parts))
    return Registration(*values)
