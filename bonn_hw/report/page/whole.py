# SPDX-License-Identifier: BSD-3-Clause
"""The frame of every page: its head with the style, and its sections."""

from __future__ import annotations

from pathlib import Path

from bonn_hw.report.page.markup import Content, Markup, raw, tag

STYLE = Path(__file__).with_name("page.css")
# No request leaves the page, whatever a name in it says.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def whole(title: str, *sections: Content) -> str:
    """A page of HTML that needs no other file."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="color-scheme", content="light dark"),
        tag("title", f"{title}: bonn-hw report"),
        tag("style", raw(STYLE.read_text(encoding="utf-8"))),
    )
    body = tag("body", tag("main", *sections))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def section(title: str, *contents: Content, class_: str | None = None) -> Markup:
    """A part of the page with its heading."""
    return tag("section", tag("h2", title), *contents, class_=class_)
