from .engine import run
from .fair_queue import DeviceQueue
from .jobs import Job

__all__ = [
    "DeviceQueue",
    "Job",
    "run",
]
