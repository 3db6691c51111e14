"""Numbers for autoscalers and health checks of services; keys of a cluster."""

from __future__ import annotations

import json
import stat
import threading
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import yaml
from click.testing import CliRunner

import workbench as wb
from made_slides import write_tiff
from studies import two_coloured
from workbench.cli import main
from workbench.study import queue_endpoint
from workbench.study.analysis import analysis_of
from workbench.study.queue_endpoint import QueueEndpoint


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "slides"
    folder.mkdir()
    for number in range(3):
        write_tiff(folder / f"{number}.tif", two_coloured(64), compression="zlib")
    return wb.make_study(tmp_path / "study", folder)


@pytest.fixture
def endpoint(study, monkeypatch):
    monkeypatch.setattr(queue_endpoint, "_FRESH_S", 0.0)
    endpoint = QueueEndpoint(study, "classes", "127.0.0.1", 0)
    serving = threading.Thread(target=endpoint.serve)
    serving.start()
    yield f"http://127.0.0.1:{endpoint.port}/queue"
    endpoint.close()
    serving.join()


def asked(url):
    with urlopen(url, timeout=10) as answer:  # noqa: S310 - of this test
        return json.loads(answer.read())


def test_the_queue_is_counted_from_before_it_begins(study, endpoint):
    assert asked(endpoint)["left"] == 3
    analysis = analysis_of(study, wb.Recipe(), "classes")
    analysis_of(study, wb.Recipe(), "other")
    row = study.rows[0]
    claim = analysis.claim(row)
    claim.begin()
    claim.end("refused", reason="It is broken.")
    expected = {"slides": 3, "finished": 0, "refused": 1, "running": 0, "left": 2}
    assert asked(endpoint) == expected
    analysis.pause()
    assert asked(endpoint)["left"] == 0
    analysis.resume()
    both = QueueEndpoint(study, "", "127.0.0.1", 0)
    assert json.loads(both.answer())["left"] == 5
    both._server.server_close()
    with pytest.raises(HTTPError, match="404"):
        asked(endpoint.replace("queue", "study"))


def test_health_asks_a_server(endpoint):
    said = CliRunner().invoke(main, ["health", "--url", endpoint, "--json"])
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout)["url"] == 200
    wrong = endpoint.replace("queue", "nothing")
    said = CliRunner().invoke(main, ["health", "--url", wrong])
    assert said.exit_code == 1
    assert "does not answer: HTTP Error 404" in said.output


def test_health_refuses_a_scheduler_that_anybody_could_use():
    pytest.importorskip("distributed", reason="extra `dask`")
    words = ["health", "--scheduler", "tcp://10.1.2.3:8786"]
    said = CliRunner().invoke(main, words)
    assert said.exit_code == 1
    assert "would take work from anybody" in said.output


def test_keys_are_private_and_complete(tmp_path):
    distributed = pytest.importorskip("distributed", reason="extra `dask`")
    folder = tmp_path / "keys"
    words = ["study", "keys", str(folder)]
    assert CliRunner().invoke(main, words).output.strip() == str(folder)
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = (folder / "dask.yaml").read_text()
    comm = yaml.safe_load(text)["distributed"]["comm"]
    assert comm["require-encryption"] is True
    tls = comm["tls"]
    keys = distributed.Security(
        tls_ca_file=tls["ca-file"],
        **{
            f"tls_{role}_{part}": tls[role][part]
            for role in ("scheduler", "worker", "client")
            for part in ("cert", "key")
        },
    )
    assert keys.get_listen_args("scheduler")["ssl_context"] is not None
    again = CliRunner().invoke(main, words)
    assert again.exit_code != 0
    assert "holds keys" in again.output
    assert CliRunner().invoke(main, [*words, "--keep"]).exit_code == 0
    assert (folder / "dask.yaml").read_text() == text
