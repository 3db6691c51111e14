"""Slides and results on a DICOMweb server: a real one, and ones that misbehave."""

from __future__ import annotations

import http.server
import logging
import threading
from contextlib import contextmanager
from urllib.parse import quote

import numpy as np
import pydicom
import pytest
from click.testing import CliRunner

from dicom_results import run_on
from made_slides import jpeg_ycbcr
from orthanc import PASSWORD, USER, orthanc
from workbench.cli import main
from workbench.dicom.archive import TOKEN_VARIABLE, Archive
from workbench.dicom.multipart import save_first_part
from workbench.errors import ArchiveError
from workbench.export import export_run, write_dicom_slide
from workbench.features.opening import open_features
from workbench.slide.slide import open_slide


@pytest.mark.slow
def test_a_slide_and_its_results_go_to_a_real_server_and_back(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    with open_slide(jpeg_ycbcr(tmp_path)) as slide, orthanc(tmp_path) as host:
        folder = write_dicom_slide(slide, tmp_path / "slide.dicom")
        run = run_on(slide, tmp_path / "run", classes=("tumour",))
        result = export_run(run, tmp_path / "a.seg.dcm")
        url = f"http://{USER}:{quote(PASSWORD)}@{host}/dicom-web"
        with Archive(url) as archive:
            assert archive.slides() == []
            assert len(archive.store([folder, result])) == 4
            (found,) = archive.slides()
            header = pydicom.dcmread(folder / "level-0.dcm", stop_before_pixels=True)
            assert found.study == header.StudyInstanceUID
            assert found.series == header.SeriesInstanceUID
            fetched = archive.fetch(found.study, found.series, tmp_path / "fetched")
            own = pydicom.dcmread(result)
            series = own.SeriesInstanceUID
            back = archive.fetch(found.study, series, tmp_path / "results")
            with pytest.raises(ArchiveError, match=r"no series 1\.2\.3"):
                archive.fetch(found.study, "1.2.3", tmp_path / "none")
        with open_slide(fetched) as read:
            whole = read.read(read.box).pixels
            assert np.array_equal(whole, slide.read(slide.box).pixels)
            (file,) = back.iterdir()
            scores = open_features(file, read).scores
            assert len(scores) == len(open_features(result, slide).scores)
        said = CliRunner().invoke(main, ["archive", "list", url])
        assert said.output.startswith(f"{found.study}\t{found.series}\t")
        for wrong in (f"http://{host}/dicom-web", f"http://x:y@{host}/dicom-web"):
            with pytest.raises(ArchiveError, match=r"refuses access \(40[13]\)"):
                Archive(wrong).slides()
    assert PASSWORD not in caplog.text
    assert quote(PASSWORD) not in caplog.text
    assert not list((tmp_path / "fetched").glob("*.part"))


@contextmanager
def answering(status=200, body=b"[]", kind="application/dicom+json"):
    """Serve one answer to all requests; give address and headers that were sent."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            """Log nothing."""

        def do_GET(self):
            seen.append(dict(self.headers))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - of the library

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(
            target=server.serve_forever, args=(0.02,), daemon=True
        )
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/dicom-web", seen
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": 404}, "status 404"),
        ({"status": 302}, "status 302"),
        ({"body": b"<html>"}, "no JSON"),
        ({"body": b'{"a": 1}'}, "no list"),
        ({"body": b"[{}]"}, "without identifiers"),
        ({"status": 401}, "refuses access"),
    ],
)
def test_other_answers_are_one_sentence(answer, words):
    with answering(**answer) as (url, _), pytest.raises(ArchiveError, match=words):
        Archive(url.replace("//", "//me:hidden@")).slides()


def test_a_server_that_is_not_there_and_no_address_are_one_sentence():
    with pytest.raises(ArchiveError, match="cannot be reached") as caught:
        Archive("http://me:hidden@127.0.0.1:9/dicom-web").slides()
    assert "hidden" not in str(caught.value)
    assert "hidden" not in repr(Archive("http://me:hidden@127.0.0.1:9"))
    with pytest.raises(ArchiveError, match="no address"):
        Archive("file:///etc/passwd")


def test_a_token_is_sent_and_a_login_goes_before_it(monkeypatch):
    monkeypatch.setenv(TOKEN_VARIABLE, "abc")
    with answering() as (url, seen):
        Archive(url).slides()
        Archive(url.replace("//", "//me:word@")).slides()
    assert seen[0]["Authorization"] == "Bearer abc"
    assert seen[1]["Authorization"].startswith("Basic ")


def test_a_file_that_is_not_taken_or_no_dicom_is_named(tmp_path):
    refused = b'{"00081198": {"Value": [{"00081197": {"Value": [272]}}]}}'
    file = tmp_path / "a.dcm"
    file.write_bytes(b"\0" * 128 + b"DICM")
    with answering(409, refused) as (url, _):
        with pytest.raises(ArchiveError, match=r"did not take 'a\.dcm' \(reason 272\)"):
            Archive(url).store([file])
        file.write_bytes(b"text")
        with pytest.raises(ArchiveError, match="is no DICOM file"):
            Archive(url).store([tmp_path])
        with pytest.raises(ArchiveError, match="no file to store"):
            Archive(url).store([])


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_part_is_found_however_its_answer_is_cut(tmp_path, size):
    content = bytes(range(256)) * 3 + b"\r\n--no"
    body = b"--mark\r\nContent-Type: application/dicom\r\n\r\n"
    body += content + b"\r\n--mark--\r\n"
    kind = 'multipart/related; boundary="mark"'
    blocks = [body[i : i + size] for i in range(0, len(body), size)]
    save_first_part(blocks, kind, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == content
    with pytest.raises(ValueError, match="ends within"):
        save_first_part([body[:-12]], kind, tmp_path / "a")
