"""HTTP servers of a folder that answer ranges, as object stores do."""

from __future__ import annotations

import functools
import http.server
import threading
from contextlib import contextmanager
from pathlib import Path


class RangeHandler(http.server.SimpleHTTPRequestHandler):
    """Answers ranges; logs nothing."""

    def log_message(self, *_):
        """Log nothing."""

    def do_GET(self):
        """Answer with a file, or with a range of it."""
        wanted = self.headers.get("Range")
        if not wanted:
            return super().do_GET()
        whole = Path(self.translate_path(self.path)).read_bytes()
        first, last = wanted.removeprefix("bytes=").split("-")
        start, stop = int(first), min(int(last or len(whole)), len(whole) - 1)
        self.send_response(206)
        self.send_header("Content-Length", str(stop - start + 1))
        self.send_header("Content-Range", f"bytes {start}-{stop}/{len(whole)}")
        self.end_headers()
        self.wfile.write(whole[start : stop + 1])
        return None


@contextmanager
def serving(folder, handler=RangeHandler):
    """Serve a folder; give the address, without "/" at its end."""
    made = functools.partial(handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), made) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
