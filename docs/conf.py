"""Sphinx: MyST pages, their code cells executed at every build; figures drawn from docs/results. Nothing is fetched."""

import logging
import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path

from jupyter_client.manager import KernelManager

sys.path[:0] = [str(Path(__file__).parent / "_ext"), str(Path(__file__).parents[1])]  # the second for tests.records
os.environ["OMP_NUM_THREADS"] = "1"
KernelManager.transport_encryption.default_value = "auto"  # between Sphinx and the kernel that runs the pages
logging.getLogger("traitlets").setLevel(logging.WARNING)

project = "gradreach"
author = "The gradreach developers"
copyright = "The gradreach developers"
release = version = version_of("gradreach")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "experiment_directives",
    "mathml",
    "rule_links",
    "rule_pages",
    "threshold_directive",
]
exclude_patterns = ["_build", "_drawn", "jupyter_execute", "results"]
html_theme = "furo"
html_title = "gradreach"
html_static_path = ["_static"]
html_css_files = ["gradreach.css"]
html_js_files = [("search_excerpts.js", {"defer": "defer"})]
html_math_renderer = "mathml"
smartquotes = False
html_copy_source = False
html_show_sourcelink = False
autodoc_typehints = "signature"
autodoc_member_order = "bysource"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_mime_priority_overrides = [("html", "text/plain", 1)]
