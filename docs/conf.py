"""Sphinx: the pages of this folder, and the reference that the registries write (docs/_ext)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import spfvar

project = "spfvar"
author = "the spfvar authors"
project_copyright = author
version = release = spfvar.__version__

extensions = ["myst_parser", "docs._ext.reference"]
exclude_patterns = ["_ext"]
nitpicky = True
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"spfvar {release}"
html_show_sourcelink = False
html_copy_source = False
