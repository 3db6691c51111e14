"""Tests that may be tried again: each says why, and a session has few of them.

A test fails when it fails. One that depends on what no test can wait for is marked

    @pytest.mark.tried_again(reason="...")

and has other tries; a session in which more than `MOST` tests took one fails, so that
a fault that shows only now and then is not taken for bad luck. A plugin of pytest: the
suite loads it in `conftest.py`.
"""

from __future__ import annotations

from typing import Final

import pytest

MOST: Final = 3
"""Tests of one session that may need another try."""

TRIES: Final = 2
"""Other tries of a test that is marked."""

_MARK: Final = "tried_again"


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of the mark."""
    about = f"{_MARK}(reason): has {TRIES} other tries, for a reason outside the test"
    config.addinivalue_line("markers", about)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give other tries to the tests that are marked, and to no others."""
    for item in items:
        mark = item.get_closest_marker(_MARK)
        if mark is None:
            continue
        if not mark.kwargs.get("reason"):
            message = f"{item.nodeid}: '{_MARK}' needs a reason"
            raise pytest.UsageError(message)
        item.add_marker(pytest.mark.flaky(reruns=TRIES))


def _tried_again(config: pytest.Config) -> list[str]:
    """Return the tests that took another try; none in a worker."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("rerun", []) if reporter else []
    return sorted({report.nodeid for report in reports})


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a session in which too many tests took another try."""
    if exitstatus == pytest.ExitCode.OK and len(_tried_again(session.config)) > MOST:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    """Say why such a session failed."""
    tests = _tried_again(config)
    if len(tests) > MOST:
        terminalreporter.section("too many tests needed another try", red=True)
        terminalreporter.line(f"{len(tests)} did; {MOST} may. Find out why they fail.")
