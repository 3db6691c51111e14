"""The table of a job's states."""

from __future__ import annotations

from typing import get_args

import pytest

from workbench.inference.job_state import NEXT_STATES, JobEvent, JobState


def after(*events):
    """Return the state of a new job after events; those without effect are ignored."""
    state = "active"
    for event in events:
        state = NEXT_STATES[state].get(event, state)
    return state


def test_the_table_names_every_state_and_event():
    used = [change for changes in NEXT_STATES.values() for change in changes.items()]
    assert set(NEXT_STATES) == set(get_args(JobState))
    assert {event for event, _ in used} == set(get_args(JobEvent))
    assert {state for _, state in used} == set(get_args(JobState))


@pytest.mark.parametrize(
    ("events", "state"),
    [
        (["stop"], "active"),
        (["pause"], "pausing"),
        (["pause", "stop"], "paused"),
        (["pause", "resume", "stop"], "active"),
        (["pause", "stop", "resume"], "active"),
        (["pause", "stop", "pause"], "paused"),
        (["pause", "end"], "ended"),
        (["pause", "stop", "cancel"], "ended"),
        (["cancel"], "cancelling"),
        (["cancel", "pause"], "cancelling"),
        (["cancel", "resume"], "cancelling"),
        (["cancel", "stop"], "ended"),
        (["pause", "cancel", "stop"], "ended"),
        (["resume"], "active"),
    ],
)
def test_a_job_goes_through_its_states(events, state):
    assert after(*events) == state


@pytest.mark.parametrize("event", get_args(JobEvent))
def test_nothing_follows_the_end(event):
    assert after("end", event) == "ended"
