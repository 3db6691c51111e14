"""Slide Workbench: look at, normalize and analyse whole slides.

The everyday names are flat: `open_slide`, `run`, `fit_normalizer`. The namespaces
mirror the folders: `stain`, `layers`, `instances`. Both are listed in `__init__.pyi`
and imported when first used, so that `import workbench` is quick and loads neither
torch nor Panel.
"""

# Without `from __future__ import annotations`, whose name is that of a namespace.
from workbench.system.public_names import find_former_modules, public_names

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = public_names(__name__, __file__)

find_former_modules()
