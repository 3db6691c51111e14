"""Vectors and scores of tiles, from any tool: each tile is a box on the slide."""

from workbench.system.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
