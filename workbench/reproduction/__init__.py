"""Computes a run again from what made it, and names what differs and why."""

from workbench.system.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
