"""The tile servers that `tiles.py` compares, each as a process of its own.

    python benchmarks/tile_servers.py NAME SLIDE PORT

Prints one line of JSON once it listens: for each workload it can do, the path of a
tile with `{x}` and `{y}` in it. "native" are the tiles of level 0, "half" those at
half its resolution, which no level of the slide has; "normalized" is "half" in the
colours of a reference. Every import is in the function that needs it, because each
server runs in an environment that lacks the others.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import io
import json
import logging
import sys

TILE = 256


def ready(paths: dict[str, str]) -> None:
    """Tell how tiles are asked for; the server listens in a moment."""
    print(json.dumps(paths), flush=True)


def bare(path: str, port: int) -> None:
    """Send stored bytes from a plain Tornado handler: the least that is needed.

    It reads them from the file as we do, with the same reader; it knows no users, no
    limits, no versions and no layers, and would wait for a slow disk on its loop.
    """
    import tornado.web  # noqa: PLC0415

    from workbench import open_slide  # noqa: PLC0415

    slide = open_slide(path)

    class Stored(tornado.web.RequestHandler):
        def get(self, x: str, y: str) -> None:
            tile = slide.encoded_tile(0, int(x), int(y))
            self.set_header("Content-Type", "image/jpeg")
            self.finish(tile.data)

        def compute_etag(self) -> None:
            return None

    async def main() -> None:
        application = tornado.web.Application([(r"/(\d+)/(\d+)", Stored)])
        application.listen(port, "127.0.0.1")
        ready({"native": "/{x}/{y}"})
        await asyncio.Event().wait()

    asyncio.run(main())


def ours(path: str, port: int) -> None:
    """Serve as `workbench serve` does: the app's own server, with all its checks."""
    import panel as pn  # noqa: PLC0415

    from workbench import open_slide  # noqa: PLC0415
    from workbench.app.server.config import Limits, ServerConfig, server_options  # noqa: PLC0415
    from workbench.layers.recoloured import NormalizedLayer  # noqa: PLC0415
    from workbench.layers.slide import SlideLayer  # noqa: PLC0415
    from workbench.stain.normalizer import fit_normalizer  # noqa: PLC0415
    from workbench.tileserver import REGISTRY  # noqa: PLC0415

    slide = open_slide(path)
    raw = SlideLayer(slide)
    normalizer = fit_normalizer(slide, "he-standard")
    normalizer(slide.thumbnail(64).pixels)  # the table is built once for a slide
    last = raw.pyramid.max_zoom
    paths = {}
    for name, layer, z in (
        ("native", raw, last),
        ("half", raw, last - 1),
        ("normalized", NormalizedLayer(slide, normalizer), last - 1),
    ):
        key = REGISTRY.register(layer)
        version = REGISTRY.version(key)
        paths[name] = f"/tiles/{key}/{z}/{{x}}/{{y}}?v={version}"
    server = pn.serve(
        {"app": lambda: pn.pane.Str("")},
        start=False,
        **server_options(ServerConfig(port=port, limits=Limits(tile_rate=1e6))),
    )
    server.start()
    ready(paths)
    server.run_until_shutdown()


def large_image(path: str, port: int) -> None:
    """Serve with large_image's own server for notebooks, its cache as it comes."""
    import tornado.netutil  # noqa: PLC0415
    from large_image.tilesource import jupyter  # noqa: PLC0415

    bind = tornado.netutil.bind_sockets
    tornado.netutil.bind_sockets = lambda port, *_, **__: bind(port, "127.0.0.1")
    source = importlib.import_module("large_image_source_tiff").open(path)
    last = source.levels - 1

    async def main() -> None:
        jupyter.launch_tile_server(source, port=port)
        form = "/tile?z={z}&x={{x}}&y={{y}}&encoding=JPEG"
        ready({"native": form.format(z=last), "half": form.format(z=last - 1)})
        await asyncio.Event().wait()

    asyncio.run(main())


def tiatoolbox(path: str, port: int) -> None:
    """Serve with TIAToolbox's TileServer, threaded, as TIAViz starts it."""
    from tiatoolbox.visualization.tileserver import TileServer  # noqa: PLC0415
    from tiatoolbox.wsicore.wsireader import WSIReader  # noqa: PLC0415

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = TileServer("tiles", {"slide": WSIReader.open(path)})
    last = app.pyramids["default"]["slide"].level_count - 1
    form = "/tileserver/layer/slide/default/zoomify/TileGroup0/{z}-{{x}}-{{y}}@1x.jpg"
    ready({"native": form.format(z=last), "half": form.format(z=last - 1)})
    app.run("127.0.0.1", port, threaded=True)


def openslide(path: str, port: int) -> None:
    """Serve as openslide-python's deepzoom_server.py does.

    With tiles of 256 without overlap, which are the stored ones: kinder to it than
    its own 254 with an overlap of 1.
    """
    import openslide as library  # noqa: PLC0415
    from flask import Flask, make_response  # noqa: PLC0415
    from openslide.deepzoom import DeepZoomGenerator  # noqa: PLC0415

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    zoom = DeepZoomGenerator(library.OpenSlide(path), tile_size=TILE, overlap=0)
    app = Flask(__name__)

    @app.route("/<int:level>/<int:column>_<int:row>.jpeg")
    def tile(level: int, column: int, row: int):
        buffer = io.BytesIO()
        zoom.get_tile(level, (column, row)).save(buffer, "jpeg", quality=75)
        response = make_response(buffer.getvalue())
        response.mimetype = "image/jpeg"
        return response

    last = zoom.level_count - 1
    form = "/{z}/{{x}}_{{y}}.jpeg"
    ready({"native": form.format(z=last), "half": form.format(z=last - 1)})
    app.run("127.0.0.1", port, threaded=True)


SERVERS = {
    server.__name__: server
    for server in (bare, ours, large_image, tiatoolbox, openslide)
}


def main() -> None:
    """Run one server until it is killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=list(SERVERS))
    parser.add_argument("slide")
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    SERVERS[options.name](options.slide, options.port)


if __name__ == "__main__":
    main()
