"""Click group that imports its verbs lazily and prints errors as sentences."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click

from workbench import __version__
from workbench.errors import EXIT_CODES, WorkbenchError, code_for

if TYPE_CHECKING:
    from collections.abc import Mapping


class CommandError(click.ClickException):
    """An error of the workbench, printed as one sentence.

    Parameters
    ----------
    error : WorkbenchError or OSError
    """

    def __init__(self, error: WorkbenchError | OSError) -> None:
        super().__init__(str(error))
        if isinstance(error, WorkbenchError):
            self.exit_code = code_for(error, EXIT_CODES)  # type: ignore[misc] # of one

    def show(self, file: Any = None) -> None:
        """Print the message to standard error."""
        click.echo(f"workbench: {self.message}", file=file, err=file is None)


class LazyGroup(click.Group):
    """A group whose verbs are modules of a package, each with a `command`.

    A verb's module imports what reads slides, computes or serves in the functions that
    do so, because `--help` and usage errors import the module too.

    Parameters
    ----------
    package : str
        Package of the modules.
    verbs : mapping of str to str
        Help of each verb in one line, so that listing the verbs imports none.
    folders : mapping of str to str
        Folder in the package of each verb whose module is not in the package itself.
    """

    def __init__(
        self,
        *,
        package: str,
        verbs: Mapping[str, str],
        folders: Mapping[str, str] | None = None,
        **attributes: Any,
    ) -> None:
        super().__init__(**attributes)
        self.package = package
        self.verbs = verbs
        self.folders = folders or {}
        click.version_option(__version__, prog_name="workbench")(self)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the verbs."""
        del ctx
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb."""
        del ctx
        if cmd_name not in self.verbs:
            return None
        folder = self.folders.get(cmd_name)
        package = f"{self.package}.{folder}" if folder else self.package
        module = importlib.import_module(f"{package}.{cmd_name}")
        command: click.Command = module.command
        command.help = command.help or self.verbs[cmd_name]
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the list of verbs without importing them."""
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl(list(self.verbs.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb; convert errors that a user can act on to `CommandError`."""
        try:
            return super().invoke(ctx)
        except (WorkbenchError, OSError) as error:
            raise CommandError(error) from error
