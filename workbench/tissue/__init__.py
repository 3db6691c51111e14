"""Where on a slide there is tissue: not glass, ink, dust or the scanner's edge."""

from workbench.system.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
