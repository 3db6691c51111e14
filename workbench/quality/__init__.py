"""Quality of slides: focus, folds, pen, air, nucleus size, and a picture's likeness."""

from workbench.system.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
