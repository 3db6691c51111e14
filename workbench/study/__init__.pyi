from .analysis import Analysis
from .claims import SlideState
from .study import Study, make_study, open_study
from .study_progress import StudyProgress
from .worker import WorkerOptions

__all__ = [
    "Analysis",
    "SlideState",
    "Study",
    "StudyProgress",
    "WorkerOptions",
    "make_study",
    "open_study",
]
