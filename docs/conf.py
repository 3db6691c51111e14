"""The documentation site: Sphinx reads the repository's Markdown as it is.

The source folder is the repository, so that a link leads to the same page here and
where the repository is browsed: `sphinx-build -W -c docs . build/docs`.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import workbench  # noqa: E402 - of this checkout

project = "Slide Workbench"
author = copyright = "The Slide Workbench authors"  # noqa: A001 - Sphinx names it so
version = release = workbench.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx_click",
    "generated_pages",
]
root_doc = "docs/index"
include_patterns = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "benchmarks/*.md",
    "docs/**",
    "notebooks/*.ipynb",
]
exclude_patterns = [
    ".*",
    "build",
    "node_modules",
    "runs",
    "tests",
    "workbench",
    "**.ipynb_checkpoints",
]
nitpicky = False
suppress_warnings = ["ref.python"]  # one name, such as `Staining`, in two namespaces
default_role = "py:obj"
smartquotes = False  # flags keep their two hyphens

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the tests execute the tutorials

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 88
numpydoc_class_members_toctree = False
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = "Slide Workbench"
html_favicon = html_logo = "../workbench/app/icon.svg"
html_additional_pages = {"index": "redirect.html"}
templates_path = ["_templates"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "Slide Workbench"},
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
}
