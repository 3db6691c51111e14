"""Synthetic slides with exact ground truth, in H&E and other stains, from a seed."""

from workbench.system.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
