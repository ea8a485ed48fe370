# SPDX-License-Identifier: BSD-3-Clause
"""Sphinx's settings for the documentation: ``make docs`` writes it to build/docs.

Pages are Markdown and read well without the site, too. Links to Markdown files of other folders
lead to pages of docs/site, which include these files; links to other files stay files.
"""

import os
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bonn_hw.version import RELEASE  # noqa: E402  behind the path

project = "bonn_hw"
copyright = "The bonn_hw authors, BSD 3-Clause"
release = RELEASE
extensions = ["myst_parser"]
exclude_patterns = ["notebooks", "site/README.md"]
myst_heading_anchors = 4
highlight_language = "text"
html_theme = "furo"
html_title = f"bonn_hw {release}"
html_copy_source = False
suppress_warnings = ["myst.header"]  # the levels of pages that are included

# Files outside docs/ that have a page here, by their place in the repository.
INCLUDED = {
    "CONTRIBUTING.md": "contributing",
    "CHANGELOG.md": "changelog",
    "hw_templates/README.md": "rtl_catalogue",
    "zoo/README.md": "networks",
    "flows/scripts/vivado/README.md": "vivado",
}
LINK = re.compile(r"\]\(((?!\w+:|#)[^)#\s]+)(#[^)]*)?\)")


def setup(app: Any) -> None:
    """Rewrite links, which are those of a reader of the files."""
    app.connect("source-read", lambda app, name, source: _rewrite(name, source))
    app.connect("include-read", lambda app, path, parent, source: _included(path, source))


def _rewrite(name: str, source: list[str]) -> None:
    source[0] = _linked(source[0], ROOT / "docs" / f"{name}.md", ROOT / "docs" / f"{name}.md")


def _included(path: Path, source: list[str]) -> None:
    file = (ROOT / "docs" / path).resolve()
    page = INCLUDED.get(str(file.relative_to(ROOT)))
    if page is not None:
        source[0] = _linked(source[0], file, ROOT / "docs" / "site" / f"{page}.md")


def _linked(text: str, file: Path, page: Path) -> str:
    """The text of a file with the links of the page that shows it; folders are only named."""

    def link(match: re.Match[str]) -> str:
        target, anchor = match[1], match[2] or ""
        place = (file.parent / target).resolve()
        folder = place.is_dir()
        if folder:
            place = place / "README.md"
        inside = str(place.relative_to(ROOT)) if place.is_relative_to(ROOT) else ""
        if inside in INCLUDED:
            place = ROOT / "docs" / "site" / f"{INCLUDED[inside]}.md"
        elif inside == "README.md":
            place = ROOT / "docs" / "index.md"
        elif folder:
            return "]"  # brackets alone are text
        return f"]({os.path.relpath(place, page.parent)}{anchor})"

    return LINK.sub(link, text)
