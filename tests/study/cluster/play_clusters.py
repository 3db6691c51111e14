"""Play clusters of studies through with real processes on this machine.

    python tests/study/cluster/play_clusters.py scripts|slurm|ssh|kubernetes

scripts: the job scripts of each batch system. slurm: a study by jobs of a stand-in for
Slurm. ssh: a study on two hosts, by an sshd of loopback. kubernetes: the manifest, by
the schema of Dask's operator.

Needs, beside the extra `dask`: dask-jobqueue, asyncssh and an sshd, dask-kubernetes and
jsonschema. The stand-in for Slurm is an `sbatch` that runs a script at once, in a
session of its own, and a `scancel` that kills it. During the study one job is killed.
The keys and the jobs are those of docs/machines.md.
"""

from __future__ import annotations

import argparse
import getpass
import importlib.resources
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
SLIDES = 90
MADE = 4
"""Slides that are made; the others are the same files."""

FIELDS = {  # what a job script asks for, by system
    "slurm": (
        "#SBATCH -n 1",
        "#SBATCH --cpus-per-task=8",
        "#SBATCH -t 08:00:00",
        "--gpus=1",
    ),
    "pbs": ("#PBS -l select=1:ncpus=8:ngpus=1", "#PBS -l walltime=08:00:00"),
    "sge": ("#$ -l h_vmem=4G", "#$ -l h_rt=08:00:00", "#$ -pe smp 8"),
    "lsf": ("#BSUB -n 8", "#BSUB -W 08:00", "#BSUB -gpu num=1"),
}
SBATCH = """#!/bin/bash
mkdir -p "$FAKE_SLURM"
cp "$1" "$FAKE_SLURM/$$.sh"  # Dask removes its own
setsid bash "$FAKE_SLURM/$$.sh" > "$FAKE_SLURM/$$.log" 2>&1 &
echo "$!" >> "$FAKE_SLURM/jobs"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/bash
for job in "$@"; do kill -- "-$job" 2>/dev/null; done
"""


def keys(folder: Path) -> None:
    """Write keys and the configuration of jobs, and let Dask use them."""
    from workbench.study.cluster.cluster_keys import write_keys  # noqa: PLC0415

    write_keys(folder)
    shutil.copy(ROOT / "deploy/dask/jobqueue.yaml", folder)
    os.environ["DASK_CONFIG"] = str(folder)
    import dask  # noqa: PLC0415 - reads DASK_CONFIG

    dask.config.refresh(paths=[str(folder)])


def check_scripts(folder: Path) -> None:
    """Check the job script of each batch system."""
    import dask_jobqueue  # noqa: PLC0415

    from workbench.study.cluster.started_clusters import BATCH_SYSTEMS, _security  # noqa: PLC0415

    keys(folder / "keys")
    for system, wanted in FIELDS.items():
        made = getattr(dask_jobqueue, BATCH_SYSTEMS[system])(
            n_workers=0, protocol="tls://", security=_security()
        )
        text = made.job_script()
        made.close()
        subprocess.run(["bash", "-n"], input=text.encode(), check=True)
        missing = [field for field in wanted if field not in text]
        keyed = "--tls-key" in text and "--tls-ca-file" in text and "tls://" in text
        if missing or not keyed:
            sys.exit(f"{system} lacks {missing or 'the keys'}:\n{text}")
        print(f"{system}: {len(text.splitlines())} lines, {', '.join(wanted)}, TLS")


def study_of(folder: Path):
    """Return an analysis of made slides."""
    import workbench as wb  # noqa: PLC0415
    from workbench.study.analysis import analysis_of  # noqa: PLC0415

    (folder / "slides").mkdir()
    for number in range(SLIDES):
        path = folder / "slides" / f"{number}.tif"
        if number < MADE:
            wb.synthetic.write_slide(path, size=(2048, 2048), seed=number)
        else:
            os.link(folder / "slides" / f"{number % MADE}.tif", path)
    study = wb.make_study(folder / "study", folder / "slides")
    return analysis_of(study, wb.Recipe(device="cpu", batch_size=8))


def finish(analysis, cluster: str, kill=None) -> None:
    """Run a study on a cluster; a thread may kill something once a slide is done."""
    from workbench.study.running import run_analysis  # noqa: PLC0415

    def watch() -> None:
        while analysis.counts()["finished"] < 1:
            time.sleep(0.2)
        print(f"killed: {kill()}", flush=True)

    if kill is not None:
        threading.Thread(target=watch, daemon=True).start()
    began = time.monotonic()
    found = run_analysis(analysis, cluster, progress=None)
    took = time.monotonic() - began
    attempts = [state.attempts for state in analysis.states().values()]
    workers = {state.worker for state in analysis.states().values()}
    facts = {"finished": found.finished, "attempts": attempts, "seconds": round(took)}
    print(json.dumps({**facts, "workers": len(workers)}))
    if found.finished != SLIDES:
        sys.exit("Some slides are left.")


def play_slurm(folder: Path) -> None:
    """Run a study by two jobs, of which one is killed."""
    tools, jobs = folder / "bin", folder / "jobs"
    tools.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    os.environ["PATH"] = f"{tools}:{os.environ['PATH']}"
    os.environ["FAKE_SLURM"] = str(jobs)
    os.chdir(folder)
    keys(folder / "keys")

    def kill() -> str:
        first = (jobs / "jobs").read_text().split()[0]
        os.killpg(int(first), signal.SIGKILL)
        return f"job {first}"

    finish(study_of(folder), "slurm:2", kill)
    print(f"jobs that were asked for: {len((jobs / 'jobs').read_text().split())}")


def play_ssh(folder: Path) -> None:
    """Run a study on two hosts, both of them this machine."""
    home = folder / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    for name in ("host", "user"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name]
        subprocess.run(words, check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    shutil.copy(folder / "user.pub", folder / "authorized")
    (folder / "sshd.conf").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\n"
        f"AuthorizedKeysFile {folder / 'authorized'}\nStrictModes no\nUsePAM no\n"
        f"PidFile {folder / 'pid'}\nPasswordAuthentication no\n"
        f"SetEnv PYTHONPATH={ROOT}\n"
    )
    key = (folder / "host.pub").read_text()
    (home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{port} {key}")
    (home / ".ssh/config").write_text(
        f"Host node1 node2\n  HostName 127.0.0.1\n  Port {port}\n"
        f"  User {getpass.getuser()}\n  IdentityFile {folder / 'user'}\n"
        f"  UserKnownHostsFile {home / '.ssh/known_hosts'}\n"
    )
    os.environ["HOME"] = str(home)
    keys(folder / "keys")
    sshd = shutil.which("sshd") or "/usr/sbin/sshd"
    words = [sshd, "-D", "-e", "-f", folder / "sshd.conf"]
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd drops its rights there
    with subprocess.Popen(words, stderr=(folder / "sshd.log").open("wb")) as server:
        try:
            while "listening" not in (folder / "sshd.log").read_text():
                if server.poll() is not None:
                    sys.exit((folder / "sshd.log").read_text())
                time.sleep(0.1)
            finish(study_of(folder), "ssh:node1,node2")
        finally:
            server.terminate()
    accepted = (folder / "sshd.log").read_text().count("Accepted publickey")
    print(f"logins by key: {accepted}")


def check_kubernetes(folder: Path) -> None:
    """Check the manifest of the cluster by the schema of Dask's operator."""
    import jsonschema  # noqa: PLC0415

    del folder
    package = importlib.resources.files("dask_kubernetes")
    chart = package / "operator" / "deployment" / "helm" / "dask-kubernetes-operator"
    definition = yaml.safe_load((chart / "crds" / "daskcluster.yaml").read_text())
    (version,) = definition["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    manifest = yaml.safe_load(
        (ROOT / "deploy/kubernetes/dask-cluster.yaml").read_text()
    )
    jsonschema.Draft7Validator(schema).validate(manifest)
    wrong = json.loads(json.dumps(manifest))
    del wrong["spec"]["scheduler"]["service"]
    if jsonschema.Draft7Validator(schema).is_valid(wrong):
        sys.exit("A cluster without a service is not found to be wrong.")
    kind, name = manifest["kind"], version["name"]
    print(f"{kind} {name}: valid; without a service: refused")


def main() -> None:
    """Play one cluster through."""
    verbs = {
        "scripts": check_scripts,
        "slurm": play_slurm,
        "ssh": play_ssh,
        "kubernetes": check_kubernetes,
    }
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=verbs)
    verb = verbs[parser.parse_args().verb]
    with tempfile.TemporaryDirectory() as name:
        verb(Path(name))


if __name__ == "__main__":
    main()
