"""How Sphinx builds this site: `make docs`. A warning fails the build."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))
sys.path.insert(0, str(DOCS.parent))

project = "tringledger"
author = "the tringledger authors"
copyright = author  # noqa: A001 - Sphinx's own name.
version = release = installed_version("tringledger")

extensions = ["myst_parser", "generated_reference"]
exclude_patterns = ["generated_reference"]
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# Consoles show what programs print, which no lexer can know.
suppress_warnings = ["misc.highlighting_failure"]
highlight_language = "text"

html_theme = "furo"
html_title = "tringledger"
html_static_path: list[str] = []
html_copy_source = False
