"""`workbench study keys`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("keys")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--keep", is_flag=True, help="Do nothing if the folder holds keys; otherwise: fail."
)
def command(folder: Path, *, keep: bool) -> None:
    """Write the keys of a Dask cluster into a new folder.

    Give the folder to the scheduler, the workers and the client alone, at the same
    path, and set $DASK_CONFIG to it: they then talk over TLS and take work only from
    holders of the keys. The certificate is valid for a year.
    """
    from workbench.study.cluster.cluster_keys import KEY, write_keys  # noqa: PLC0415 - see LazyGroup

    if not (keep and (folder / KEY).exists()):
        write_keys(folder)
    click.echo(folder)
