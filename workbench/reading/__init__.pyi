from .agreement import Agreement
from .answers import Answer
from .form import Form, Question
from .kappa import cohen_kappa, fleiss_kappa, icc
from .readings import Readings
from .worklist import Worklist

__all__ = [
    "Agreement",
    "Answer",
    "Form",
    "Question",
    "Readings",
    "Worklist",
    "cohen_kappa",
    "fleiss_kappa",
    "icc",
]
