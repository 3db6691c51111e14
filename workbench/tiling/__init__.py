"""Tiling: the grid over a slide, the order of tiles, and prefetching."""

from workbench.system.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
