"""Tissue detection: separates tissue from glass, ink, dust and the edges of a scan."""

from workbench.system.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
