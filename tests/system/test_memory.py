"""Memory that is left, of the machine and of a container."""

from __future__ import annotations

from workbench.system.memory import available_memory


def test_the_smaller_limit_counts(tmp_path):
    machine, group = tmp_path / "meminfo", tmp_path / "group"
    assert available_memory(machine, group) is None
    machine.write_text("MemTotal: 9000 kB\nMemAvailable:    4000 kB\n")
    assert available_memory(machine, group) == 4_096_000
    group.mkdir()
    (group / "memory.max").write_text("max\n")
    assert available_memory(machine, group) == 4_096_000
    (group / "memory.max").write_text("3000000\n")
    (group / "memory.current").write_text("2500000\n")
    (group / "memory.stat").write_text("anon 1500000\nfile 1000000\n")
    assert available_memory(machine, group) == 1_500_000
    (group / "memory.current").write_text("4500000\n")
    assert available_memory(machine, group) == 0


def test_this_machine_has_some():
    found = available_memory()
    assert found is None or found > 0
