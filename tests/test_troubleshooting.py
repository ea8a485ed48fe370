# SPDX-License-Identifier: BSD-3-Clause
"""The messages in docs/troubleshooting.md are those of the code."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GAP = "…"
MESSAGES = re.findall(r"^> (.*)$", (ROOT / "docs" / "troubleshooting.md").read_text(), re.M)


def texts(source):
    """Every string of a file, with a gap for each value in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            parts = (p.value if isinstance(p, ast.Constant) else GAP for p in node.values)
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.fixture(scope="module")
def code():
    files = [path.read_text() for path in sorted((ROOT / "bonn_hw").rglob("*.py"))]
    return [text for file in files for text in texts(file)]


def stands_in(message, code):
    """Whether one string has the message's words in their order, with anything for its gaps."""
    pieces = [re.escape(piece.strip()) for piece in message.split(GAP) if piece.strip()]
    pattern = re.compile(".*".join(pieces), re.S)
    return any(pattern.search(text) for text in code)


def test_there_are_ten_at_least():
    assert len(MESSAGES) == len(set(MESSAGES)) >= 10


@pytest.mark.parametrize("message", MESSAGES, ids=lambda text: text[:40])
def test_a_message_is_in_the_code(message, code):
    assert stands_in(message, code)


def test_a_message_that_is_not_there_is_found(code):
    assert not stands_in("the input … is not quantized before …", code)
    assert not stands_in("at least 5.006 is needed … is Verilator", code)
