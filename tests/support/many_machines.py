"""The services of compose.yaml as processes, each as if it were a machine of its own.

Each has its own working directory, home and temporary folder; what they share is the
folder of the study, the slides and the keys. What ends is started again, as compose
does, and a machine is lost by killing all its processes at once.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress

from manifests import ROOT, compose

PROGRAMS = {"workbench": "workbench.cli", "dask": "dask"}


class Machine:
    """One service, started again whenever it ends.

    Parameters
    ----------
    folder : Path
        Of its own.
    words : sequence of str
        Its command, as in compose.yaml.
    environment : dict
    once : bool
        Whether it is not started again after it has succeeded.
    """

    def __init__(self, folder, words, environment, *, once=False):
        self.folder, self.once = folder, once
        program, *rest = words
        self.words = [sys.executable, "-m", PROGRAMS[program], *rest]
        folder.mkdir()
        home = dict.fromkeys(("HOME", "TMPDIR"), str(folder))
        self.environment = {**os.environ, **home, **environment}
        self.process, self.done = None, False

    def tend(self):
        """Start what has ended."""
        if self.process is not None and self.process.poll() is not None:
            self.done = self.once and self.process.returncode == 0
            self.process = None
        if self.process is None and not self.done:
            with (self.folder / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    self.words,
                    cwd=self.folder,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    @property
    def group(self):
        """Process group of all its processes; None: it does not run."""
        return self.process.pid if self.process else None

    def kill(self):
        """Kill all processes at once; return whether there were some."""
        if self.process is None or self.process.poll() is not None:
            return False
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        return True

    def said(self):
        """Return the end of what it wrote."""
        file = self.folder / "log"
        return file.read_text(errors="replace")[-2000:] if file.exists() else ""


class Machines:
    """Scheduler, workers and the client of compose.yaml.

    Parameters
    ----------
    folder : Path
        Folder that all share; those of the machines are made below it.
    study : str
        Name of the study in `folder`.
    recipe : sequence of str
        Further flags of `workbench study run`.
    workers : int
    environment : dict
        Of all.
    """

    def __init__(self, folder, study, recipe, *, workers=3, environment):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        places = {
            "tls://0.0.0.0:8786": f"tls://127.0.0.1:{port}",
            "tls://scheduler:8786": f"tls://127.0.0.1:{port}",
            f"/runs/{study}": str(folder / study),
            "/keys/dask": str(folder / "keys"),
        }
        self.address = places["tls://scheduler:8786"]
        services = compose(STUDY=study)["services"]
        given = {**environment, "DASK_CONFIG": str(folder / "keys")}
        python = os.pathsep.join(
            p for p in (str(ROOT), environment.get("PYTHONPATH")) if p
        )
        given["PYTHONPATH"] = python

        def machine(name, service, **options):
            words = [places.get(w, w) for w in services[service]["command"]]
            words += recipe if service == "study" else []
            return Machine(folder / f"machine-{name}", words, given, **options)

        keys = machine("keys", "keys", once=True)
        keys.tend()
        keys.process.wait()
        self.scheduler = machine("scheduler", "scheduler")
        self.workers = [machine(f"worker-{n}", "worker") for n in range(workers)]
        self.client = machine("client", "study", once=True)

    @property
    def all(self):
        """All machines."""
        return [self.scheduler, *self.workers, self.client]

    def tend(self):
        """Start what has ended; return whether the client has succeeded."""
        for machine in self.all:
            machine.tend()
        return self.client.done

    def holder(self, process):
        """Return the worker that a process belongs to; None: it is gone."""
        with suppress(ProcessLookupError):
            group = os.getpgid(process)
            return next((w for w in self.workers if w.group == group), None)
        return None

    def close(self):
        """End all."""
        for machine in self.all:
            machine.kill()
