"""`workbench study queue`."""

from __future__ import annotations

import threading
from pathlib import Path

import click

from workbench.cli.console import stop_on_signal


@click.command("queue")
@click.argument("study", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--name", default="", help="Name of the analysis. Default: all.")
@click.option(
    "--address",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; 0.0.0.0: reachable from other machines.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=5007,
    show_default=True,
    help="Port to listen on; 0: any free one.",
)
def command(study: Path, name: str, address: str, port: int) -> None:
    """Serve the number of slides that are left, for autoscalers.

    `GET /queue` answers JSON: slides, finished, refused, running, left. There are no
    names in it, and nothing can be changed. All slides are left of an analysis that is
    named and has not begun.
    """
    from workbench.study.queue_endpoint import QueueEndpoint  # noqa: PLC0415 - see LazyGroup
    from workbench.study.study import open_study  # noqa: PLC0415

    endpoint = QueueEndpoint(open_study(study), name, address, port)
    click.echo(f"http://{address}:{endpoint.port}/queue")
    with stop_on_signal() as stop:
        serving = threading.Thread(target=endpoint.serve, daemon=True)
        serving.start()
        stop.wait()
        endpoint.close()
