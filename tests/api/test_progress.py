# SPDX-License-Identifier: BSD-3-Clause
import io
import sys

import pytest

from bonn_hw.api.progress import shown


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def screen(monkeypatch):
    made = Screen()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", made)
    return made


def test_a_terminal_shows_the_step(screen):
    with shown("compile[/x]", None) as step:
        step("[red]folding[/red] :smile:")
    assert "compile[/x]: [red]folding[/red] :smile:" in screen.getvalue()


def test_silence(screen, monkeypatch):
    with shown("compile", False) as step:
        step("folding")
    assert screen.getvalue() == ""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with shown("compile", None) as step:
        step("folding")
    assert sys.stderr.getvalue() == ""


def test_a_function_of_the_user(screen):
    texts = []
    with shown("compile", texts.append) as step:
        step("folding")
    assert texts == ["folding"] and screen.getvalue() == ""
