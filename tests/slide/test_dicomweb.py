"""Slides on a DICOMweb server: a real one, and ones that misbehave."""

from __future__ import annotations

import http.server
import json
import logging
import pickle
import threading
from contextlib import contextmanager

import numpy as np
import pydicom
import pytest

from made_slides import jpeg_ycbcr
from orthanc import PASSWORD, USER, orthanc
from workbench.dicom.archive import Archive
from workbench.errors import (
    SlideNotFoundError,
    SlideReadError,
    UnsupportedSlideError,
)
from workbench.export import write_dicom_slide
from workbench.slide.location import locate
from workbench.slide.readers.dicom import web
from workbench.slide.readers.dicom.web import WebSeries
from workbench.slide.readers.dicom.web_address import TOKEN_VARIABLE, SeriesAddress
from workbench.slide.slide import open_slide

SERIES = "studies/1.2/series/1.2.3"


def login(tmp_path, monkeypatch, password=PASSWORD):
    file = tmp_path / "netrc"
    file.write_text(f"machine 127.0.0.1 login {USER} password {password}\n")
    monkeypatch.setenv("NETRC", str(file))
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)


@pytest.mark.slow
def test_a_slide_is_read_from_a_real_server(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    login(tmp_path, monkeypatch)
    asked = []
    get_frames = WebSeries.get_frames

    def counted(self, *place):
        asked.extend(place[3])
        return get_frames(self, *place)

    monkeypatch.setattr(WebSeries, "get_frames", counted)
    with open_slide(jpeg_ycbcr(tmp_path)) as slide, orthanc(tmp_path) as host:
        folder = write_dicom_slide(slide, tmp_path / "slide.dicom")
        header = pydicom.dcmread(folder / "level-0.dcm", stop_before_pixels=True)
        study, series = header.StudyInstanceUID, header.SeriesInstanceUID
        address = f"127.0.0.1:{host.split(':')[1]}/dicom-web/studies/{study}/series/"
        with Archive(f"http://{USER}:{PASSWORD}@{host}/dicom-web") as archive:
            archive.store([folder])
        with (
            open_slide(f"dicomweb+http://{address}{series}") as read,
            open_slide(folder) as local,
        ):
            assert read.size == local.size
            assert read.mpp == pytest.approx(local.mpp)
            assert [a.size for a in read.levels] == [a.size for a in local.levels]
            assert read.icc_profile == local.icc_profile
            opened, asked[:] = len(asked), []
            assert opened <= 2 * len(read.levels)  # one a level, to know that it can
            box = (0, 0, 40, 40)
            assert np.array_equal(read.read(box).pixels, local.read(box).pixels)
            assert len(asked) <= 1
            whole = read.read(read.box).pixels
            assert np.array_equal(whole, local.read(local.box).pixels)
            asked.clear()
            assert np.array_equal(read.read(read.box).pixels, whole)
            assert asked == []  # they are kept
            with open_slide(f"http://{address}{series}") as again:
                assert again.id == read.id
            copy = pickle.loads(pickle.dumps(read))  # noqa: S301 - made here
            assert copy.id == read.id
            copy.close()
        with pytest.raises(SlideNotFoundError):
            open_slide(f"dicomweb+http://{address}1.2.3")
        login(tmp_path, monkeypatch, "another")
        with pytest.raises(UnsupportedSlideError, match=r"refuses access \(401\)"):
            open_slide(f"dicomweb+http://{address}{series}")
    assert PASSWORD not in caplog.text


@contextmanager
def answering(status=200, body=b"[]", headers=(), kind="application/dicom+json"):
    """Serve one answer to all requests; give the address and what was asked."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            """Log nothing."""

        def do_GET(self):
            seen.append((self.path, dict(self.headers)))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(
            target=server.serve_forever, args=(0.02,), daemon=True
        )
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/dicom-web/{SERIES}", seen
        server.shutdown()
        thread.join()


def instance(sop_class):
    return json.dumps([{"00080016": {"vr": "UI", "Value": [sop_class]}}]).encode()


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ({}, SlideNotFoundError, "1.2.3"),
        ({"status": 404}, SlideNotFoundError, "1.2.3"),
        ({"status": 403}, UnsupportedSlideError, r"refuses access \(403\)"),
        ({"status": 400}, SlideReadError, "status 400"),
        (
            {"status": 302, "headers": [("Location", "http://elsewhere.invalid/")]},
            SlideReadError,
            "redirects",
        ),
        (
            {"body": instance("1.2.840.10008.5.1.4.1.1.66.4")},
            UnsupportedSlideError,
            "Segmentation Storage, not a whole-slide image",
        ),
    ],
)
def test_other_answers_are_one_sentence(monkeypatch, answer, error, words):
    monkeypatch.setenv(TOKEN_VARIABLE, "hidden-token")
    with (
        answering(**answer) as (url, seen),
        pytest.raises(error, match=words) as caught,
    ):
        open_slide(url)
    assert seen[0][1]["Authorization"] == "Bearer hidden-token"
    assert "hidden-token" not in str(caught.value)


def test_an_endless_answer_is_cut(monkeypatch):
    monkeypatch.setattr(web, "_MAX_ANSWER", 1_000)
    with (
        answering(body=b"[" + b" " * 5_000 + b"]") as (url, _),
        pytest.raises(SlideReadError, match="more than"),
    ):
        open_slide(url)


def test_a_server_that_is_not_there_is_one_sentence():
    with pytest.raises(SlideReadError, match="cannot be reached"):
        open_slide(f"dicomweb+http://127.0.0.1:9/dicom-web/{SERIES}")


def test_addresses():
    found = SeriesAddress.of(f"dicomweb://host:8042/a/b/{SERIES}/")
    assert found == SeriesAddress("https://host:8042/a/b", "1.2", "1.2.3")
    assert locate(f"https://host/{SERIES}").kind == "dicomweb"
    for url in ("dicomweb://host/a", "dicomweb:///studies/1/series/2"):
        with pytest.raises(UnsupportedSlideError, match="no address of a series"):
            open_slide(url)
    with pytest.raises(UnsupportedSlideError, match="has a user or pass") as caught:
        open_slide(f"dicomweb://me:secret-word@host/{SERIES}")
    assert "secret-word" not in str(caught.value)


def test_a_profile_is_fetched_from_this_server_alone():
    body = b"--x\r\nContent-Type: application/octet-stream\r\n\r\nprofile\r\n--x--"
    kind = "multipart/related; boundary=x"
    with answering(body=body, kind=kind) as (url, seen):
        series = WebSeries(SeriesAddress.of(url))
        assert series._bulk("00282000", "OB", "http://elsewhere.invalid/a") is None
        assert series._bulk("00200010", "OB", "/studies/1.2/bulk/2") is None
        assert seen == []
        place = "http://elsewhere.invalid/web/studies/1.2/bulk/1"
        assert series._bulk("00282000", "OB", place) == b"profile"
        assert seen[0][0] == "/dicom-web/studies/1.2/bulk/1"
        series.close()
