"""Reading of the slides of a study: worklists, answers, agreement of readers."""

from workbench.system.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
