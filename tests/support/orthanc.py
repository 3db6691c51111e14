"""A real DICOMweb server on this machine: Orthanc of Debian with its plugin."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

USER, PASSWORD = "reader", "s3cret:word"
_PLUGINS = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def orthanc(folder):
    """Run a server with a login; give its host and port."""
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    if program is None or not _PLUGINS.exists():
        pytest.skip("Orthanc is not installed (Debian: orthanc, orthanc-dicomweb)")
    port = _free_port()
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "HttpPort": port,
        "HttpServerEnabled": True,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "Plugins": [str(_PLUGINS)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    file = folder / "orthanc.json"
    file.write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([program, file], stdout=log, stderr=log)
    try:
        _wait(server, port, folder / "log")
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


def _wait(server, port, log):
    """Wait until the server answers, if only with a question for the password."""
    for _ in range(200):
        if server.poll() is not None:
            pytest.fail(f"Orthanc has ended: {log.read_text()[-800:]}")
        with suppress(OSError):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/system", timeout=2)
            except urllib.error.HTTPError:
                return
        time.sleep(0.1)
    pytest.fail("Orthanc does not answer")
