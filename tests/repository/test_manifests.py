"""Manifests of containers and schedulers are valid, and their commands exist."""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess

import click
import pytest
import yaml

import generated_pages
from manifests import FILE, ROOT, compose

KUBERNETES = sorted((ROOT / "deploy/kubernetes").glob("*.yaml"))
SLURM = sorted((ROOT / "deploy/slurm").glob("*.sbatch"))
VERSIONS = ("1.29", "1.33", "1.37")
KINDS_OF_OTHERS = {"Kustomization", "ScaledJob", "DaskCluster"}
SBATCH = {  # long options of sbatch, and what their values look like
    "job-name": r"[\w-]+",
    "array": r"\d+(-\d+)?(%\d+)?",
    "nodes": r"\d+(-\d+)?",
    "ntasks": r"\d+",
    "ntasks-per-node": r"\d+",
    "cpus-per-task": r"\d+",
    "gpus-per-task": r"(\w+:)?\d+",
    "mem": r"\d+[KMGT]?",
    "time": r"(\d+-)?\d{2}:\d{2}:\d{2}",
    "signal": r"(B:)?[A-Z0-9]+(@\d+)?",
    "output": r"[\w%./-]+",
    "open-mode": "append|truncate",
    "requeue": None,
    "no-kill": None,
}


def check_command(words):
    """Fail if a command line has a verb or flag that does not exist."""
    program, *rest = words
    if program == "workbench":
        verbs = dict(generated_pages.commands())
        number = next(n for n in (3, 2) if tuple(words[:n]) in verbs)
        command = verbs[tuple(words[:number])]
    else:
        assert program == "dask"
        pytest.importorskip("distributed", reason="extra `dask`")
        module = importlib.import_module(f"distributed.cli.dask_{rest[0]}")
        number, command = 2, module.main
    assert isinstance(command, click.Command)
    command.make_parser(click.Context(command)).parse_args(list(words[number:]))


def test_compose_follows_the_specification():
    specification = pytest.importorskip("compose_spec", reason="extra `manifests`")
    text = yaml.safe_dump(compose())
    found = specification.PyCompose.from_yaml(text)
    assert set(found.service_names()) == set(compose()["services"])
    wrong = text.replace("healthcheck", "heathcheck")
    with pytest.raises(ValueError, match="heathcheck"):
        specification.PyCompose.from_yaml(wrong)


def test_compose_needs_a_login_and_opens_one_port():
    assert "${WORKBENCH_BASIC_AUTH:?" in FILE.read_text()
    found = compose()["services"]
    assert {n: s["ports"] for n, s in found.items() if "ports" in s} == {
        "app": ["127.0.0.1:5006:5006"]
    }
    for name, service in found.items():
        assert service["cap_drop"] == ["ALL"], name
        mounts = [m for m in service["volumes"] if ":/slides" in m]
        assert all(mount.endswith(":ro") for mount in mounts), name
    cluster = ("scheduler", "worker", "worker-gpu", "study")
    assert all(found[n]["environment"]["DASK_CONFIG"] == "/keys/dask" for n in cluster)
    assert found["keys"]["command"][-1] == "/keys/dask"
    assert {"app", "scheduler", "worker", "worker-gpu"} <= {
        name for name, service in found.items() if "healthcheck" in service
    }


def test_the_mounts_of_containers_are_made_in_the_image():
    image = (ROOT / "Dockerfile").read_text()
    made = re.search(r"mkdir ([^\\\n]+?) \\", image).group(1).split()
    for service in compose()["services"].values():
        for mount in service["volumes"]:
            assert mount.split(":")[1] in made


def test_commands_of_compose_exist():
    for service in compose()["services"].values():
        check_command(service["command"])
        if "healthcheck" in service:
            kind, *words = service["healthcheck"]["test"]
            assert kind == "CMD"
            check_command(words)


def test_a_flag_that_does_not_exist_is_found():
    for words in (["workbench", "study", "run", "--shrad"], ["dask", "worker", "--nw"]):
        with pytest.raises(click.NoSuchOption):
            check_command(words)


def documents(path):
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.stem)
def test_kubernetes_manifests_are_valid(path, version):
    validate = pytest.importorskip("kubernetes_validate", reason="extra `manifests`")
    for document in documents(path):
        for checked in parts_of(document):
            validate.validate(checked, version, strict=True)


def parts_of(document):
    """Return the objects of Kubernetes in a manifest: itself, or what others make."""
    named = {"metadata": document.get("metadata", {})}
    if document["kind"] == "ScaledJob":  # of KEDA
        job = document["spec"]["jobTargetRef"]
        return [{"apiVersion": "batch/v1", "kind": "Job", "spec": job, **named}]
    if document["kind"] == "DaskCluster":  # of Dask's operator
        roles = [document["spec"][role] for role in ("scheduler", "worker")]
        pods = [{"kind": "Pod", "spec": role["spec"]} for role in roles]
        made = [*pods, {"kind": "Service", "spec": roles[0]["service"]}]
        return [{"apiVersion": "v1", **each, **named} for each in made]
    return [] if document["kind"] in KINDS_OF_OTHERS else [document]


def test_a_misspelt_field_of_kubernetes_is_found():
    validate = pytest.importorskip("kubernetes_validate", reason="extra `manifests`")
    (job,) = documents(ROOT / "deploy/kubernetes/study-job.yaml")
    job["spec"]["backoffLimitPerIndx"] = 3
    with pytest.raises(validate.ValidationError):
        validate.validate(job, "1.33", strict=True)


def test_the_kustomization_and_the_scaled_job_name_what_is_there():
    folder = ROOT / "deploy/kubernetes"
    (top,) = documents(folder / "kustomization.yaml")
    assert top["kind"] == "Kustomization"
    assert all((folder / name).is_file() for name in top["resources"])
    queue, service, scaled = documents(folder / "autoscale.yaml")
    assert scaled["apiVersion"] == "keda.sh/v1alpha1"
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["type"] == "metrics-api"
    assert set(trigger["metadata"]) == {"url", "valueLocation", "targetValue"}
    host = re.fullmatch(r"http://([\w-]+)\.\w+\.svc/queue", trigger["metadata"]["url"])
    assert host.group(1) == service["metadata"]["name"]
    labels = queue["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == labels


def containers(document):
    for part in parts_of(document):
        spec = part.get("spec", {})
        pod = (
            spec if part["kind"] == "Pod" else spec.get("template", {}).get("spec", {})
        )
        yield from pod.get("containers", [])


def test_commands_of_pods_exist_and_no_pod_is_root():
    checked = 0
    for path in KUBERNETES:
        for document in documents(path):
            for container in containers(document):
                assert container["securityContext"]["allowPrivilegeEscalation"] is False
                words = container["args"]
                if container.get("command"):
                    words = shlex.split(words[0].replace("exec ", ""))
                for part in " ".join(words).split(" && "):
                    check_command(part.split())
                    checked += 1
    assert checked == 7


@pytest.mark.parametrize("path", SLURM, ids=lambda path: path.stem)
def test_scripts_of_slurm_are_valid(path):
    subprocess.run(["bash", "-n", path], check=True)
    lines = path.read_text().splitlines()
    assert lines[0] == "#!/bin/bash"
    first = next(n for n, line in enumerate(lines) if line and line[0] != "#")
    asked = [n for n, line in enumerate(lines) if line.startswith("#SBATCH")]
    assert asked
    assert max(asked) < first  # sbatch reads none after the first command
    for line in (lines[number] for number in asked):
        name, _, value = line.removeprefix("#SBATCH --").partition("=")
        pattern = SBATCH[name]
        assert bool(value) == (pattern is not None), line
        assert pattern is None or re.fullmatch(pattern, value), line


@pytest.mark.parametrize("path", SLURM, ids=lambda path: path.stem)
def test_commands_of_scripts_exist(path):
    checked = 0
    for line in path.read_text().splitlines():
        text = re.sub(r"\$\{(\w+):-[^}]*\}+", r"$\1", line.split("# ")[0])
        found = re.search(r"(?:^|srun (?:--\S+ )*|! )(workbench .*|dask .*)", text)
        if found and not line.startswith("#"):
            check_command(shlex.split(found.group(1).rstrip("&; ").split(";")[0]))
            checked += 1
    assert checked >= 2
