"""States of a background job, and the events that lead from one to the next."""

from __future__ import annotations

from typing import Final, Literal

JobState = Literal["active", "pausing", "paused", "cancelling", "ended"]
"""State of a job.

active     : in the queue or on a device
pausing    : as active, until it is out of the queue or its chunk is written
paused     : out of the queue, until it is resumed or cancelled
cancelling : as pausing, but it ends then
ended      : finished, failed or cancelled
"""

JobEvent = Literal["pause", "resume", "cancel", "stop", "end"]
"""Event of a job.

pause, resume, cancel : asked for by a user
stop                  : it left the queue or its device with tiles left to do
end                   : its run finished or failed
"""

NEXT_STATES: Final[dict[JobState, dict[JobEvent, JobState]]] = {
    "active": {
        "pause": "pausing",
        "cancel": "cancelling",
        "stop": "active",  # its turn is over: it joins the queue again
        "end": "ended",
    },
    "pausing": {
        "resume": "active",
        "cancel": "cancelling",
        "stop": "paused",
        "end": "ended",
    },
    "paused": {"resume": "active", "cancel": "ended"},
    "cancelling": {"stop": "ended", "end": "ended"},
    "ended": {},
}
"""State after each event; an event that is not listed for a state has no effect."""
