from .analysis import Analysis
from .claims import SlideState
from .comparison import Comparison, compare
from .study import Study, open_study
from .study_making import make_study
from .study_progress import StudyProgress
from .worker import WorkerOptions

__all__ = [
    "Analysis",
    "Comparison",
    "SlideState",
    "Study",
    "StudyProgress",
    "WorkerOptions",
    "compare",
    "make_study",
    "open_study",
]
