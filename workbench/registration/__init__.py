"""Registration of serial sections: affine, then elastic, with an error estimate."""

from workbench.system.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
