"""Sphinx: Markdown pages, the Furo theme, nothing fetched from the network."""

import tomllib
from pathlib import Path

with Path(__file__).parent.with_name("pyproject.toml").open("rb") as file:
    release = tomllib.load(file)["project"]["version"]

project = "Opwright"
author = "the Opwright contributors"
copyright = author
version = release

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"Opwright {release}"
exclude_patterns = ["_build"]
