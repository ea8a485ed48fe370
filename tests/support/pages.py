# SPDX-License-Identifier: BSD-3-Clause
"""Read a page of HTML strictly: every element is closed, and nothing is loaded or run."""

from html.parser import HTMLParser

VOID = {"meta", "br"}
LOADING = {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a"}


class Page(HTMLParser):
    """The elements, texts and attributes of a page; raises AssertionError for a broken one."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, str]] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []  # path of the element, text
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        assert tag not in LOADING, tag
        assert not {"src", "href", "xlink:href"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
        self.found.append((tag, attributes))
        if tag not in VOID:
            self.open.append((tag, attributes.get("class") or ""))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open and self.open[-1][0] != "style" and data.strip():
            self.texts.append(("/".join(f"{tag}.{kind}" for tag, kind in self.open), data))

    def said(self, part: str = "") -> str:
        """All text inside elements whose path holds a word."""
        return "".join(text for path, text in self.texts if part in path)

    def of_class(self, kind: str) -> int:
        """Number of elements with a class."""
        return sum(kind in (one.get("class") or "").split() for _, one in self.found)
