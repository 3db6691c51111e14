"""Studies: many slides, run by many processes, with one table of results."""

from workbench.system.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
