"""Public names of a package, listed in its `__init__.pyi` and imported when used."""

from __future__ import annotations

import importlib
import sys
import warnings
from functools import partial, wraps
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

import lazy_loader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

RENAMED: Final = {
    "workbench.export.export_scores": "export_run",
    "workbench.normalize_each": "normalize_images",
    "workbench.summarise": "summarize",
}
"""Former public names, with what they are called now; each is kept for one version."""

MOVED: Final = {
    "workbench.app.advice_plot.advice_plot": (
        "workbench.app.panels.stain.adviser_plot.advice_plot"
    ),
    "workbench.app.library.Library": "workbench.app.catalog.slides.SlideLibrary",
    "workbench.cards.ModelCard": "workbench.models.card.ModelCard",
    "workbench.export.scores.export_scores": "workbench.export.dispatch.export_run",
    "workbench.grid.Grid": "workbench.tiling.grid.Grid",
    "workbench.instances.agreement.agreement": "workbench.instances.metrics.agreement",
    "workbench.jobs.Job": "workbench.inference.jobs.Job",
    "workbench.layers.difference.difference_picture": (
        "workbench.layers.recoloured.difference_picture"
    ),
    "workbench.stain.consistency.check_consistency": (
        "workbench.stain.self_check.check_consistency"
    ),
    "workbench.stain.sample.sample_tiles": "workbench.stain.tissue_sample.sample_tiles",
    "workbench.store.Run": "workbench.results.run.Run",
}
"""Names of modules that are gone, as earlier documents import them, with the present
places; each is kept for one version."""

MEMBERS: Final = {
    "workbench.app.jupyter.notebook.Workbench.door": "connection",
    "workbench.app.jupyter.notebook.Workbench.selected_instances": "selected",
    "workbench.results.heatmap.Heatmap.asked": "selected",
}
"""Former attributes of public classes, with what they are called now."""

PARAMETERS: Final = {
    "workbench.stain.tissue_sample.sample_tiles.most": "max_tiles",
}
"""Former keyword parameters of public functions, with what they are called now."""

_C = TypeVar("_C", bound=type)
_P = ParamSpec("_P")
_R = TypeVar("_R")


def public_names(
    package: str, file: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return `__getattr__`, `__dir__` and `__all__` of a package.

    `dir()` lists the public names alone. A former name still works, with a
    DeprecationWarning.

    Parameters
    ----------
    package : str
        `__name__` of the package.
    file : str
        `__file__` of the package; the stub beside it, `__init__.pyi`, lists the names.
    """
    find, listed, names = lazy_loader.attach_stub(package, file)

    def find_renamed(name: str) -> Any:
        now = RENAMED.get(f"{package}.{name}")
        if now is None:
            return find(name)
        message = f"{package}.{name} is now {package}.{now}"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return find(now)

    return find_renamed, listed, names


def former_members(cls: _C) -> _C:
    """Let the former attributes of a class in `MEMBERS` be read, with a warning."""
    place = f"{cls.__module__}.{cls.__qualname__}"
    for former, now in _former_names(MEMBERS, place):
        about = f"Former name of `{now}`, for one more version."
        read = partial(_read_renamed, former, now)
        setattr(cls, former, property(read, doc=about))
    return cls


def _read_renamed(former: str, now: str, owner: object) -> Any:
    message = f"{type(owner).__name__}.{former} is now {now}"
    warnings.warn(message, DeprecationWarning, stacklevel=2)
    return getattr(owner, now)


def former_parameters(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Accept the former keywords of a function in `PARAMETERS`, with a warning."""
    name = function.__name__
    renamed = _former_names(PARAMETERS, f"{function.__module__}.{name}")

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        for former, now in renamed:
            if former in kwargs:
                if now in kwargs:
                    message = f"{name}() got {now}= and its former name {former}="
                    raise TypeError(message)
                message = f"{name}({former}=) is now {name}({now}=)"
                warnings.warn(message, DeprecationWarning, stacklevel=2)
                kwargs[now] = kwargs.pop(former)
        return function(*args, **kwargs)

    return call


def _former_names(table: Mapping[str, str], place: str) -> list[tuple[str, str]]:
    """Return the (former, present) names that a table lists for a class or function."""
    split = [(*former.rpartition("."), now) for former, now in table.items()]
    return [(former, now) for owner, _, former, now in split if owner == place]


class _FormerModule(ModuleType):
    """A module that is gone, as far as `MOVED` lists its names.

    Importing a module sets it as an attribute of its package, where it may hide the
    public function of the same name: so a call of it calls that function.
    """

    def __getattr__(self, name: str) -> Any:
        now = MOVED.get(f"{self.__name__}.{name}")
        if now is None:
            message = f"module {self.__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        warnings.warn(
            f"{self.__name__}.{name} is now {now}", DeprecationWarning, stacklevel=2
        )
        place, _, present = now.rpartition(".")
        return getattr(importlib.import_module(place), present)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(self, self.__name__.rpartition(".")[2])(*args, **kwargs)


class _FormerModules(MetaPathFinder, Loader):
    """Import the modules of `MOVED`."""

    modules: Final = frozenset(name.rpartition(".")[0] for name in MOVED)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - a part of the protocol
        target: ModuleType | None = None,  # noqa: ARG002 - a part of the protocol
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in self.modules else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _FormerModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: names are looked up when they are used."""


def find_former_modules() -> None:
    """Let modules in `MOVED` be imported, where no module of that name is left."""
    if not any(isinstance(finder, _FormerModules) for finder in sys.meta_path):
        sys.meta_path.append(_FormerModules())
