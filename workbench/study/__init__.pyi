from .study import Study, make_study, open_study

__all__ = [
    "Study",
    "make_study",
    "open_study",
]
