"""Reports of runs and studies: one HTML file each, readable without a network."""

from workbench.system.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
