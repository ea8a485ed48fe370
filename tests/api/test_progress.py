# SPDX-License-Identifier: BSD-3-Clause
import io
import sys
import time

from bonn_hw.api.progress import shown


class Screen(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_the_step_as_it_is(monkeypatch):
    screen, text = Screen(), "compile[/x]: [red]folding[/red] :smile:"
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen)
    with shown("compile[/x]", None) as step:
        step("[red]folding[/red] :smile:")
        deadline = time.monotonic() + 10
        while text not in screen.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)  # it is drawn 10 times a second
    assert text in screen.getvalue()


def test_silence(monkeypatch):
    for stream, progress in ((Screen(), False), (io.StringIO(), None)):
        monkeypatch.setattr(sys, "stderr", stream)
        with shown("compile", progress) as step:
            step("folding")
        assert stream.getvalue() == ""


def test_a_function_of_the_user(monkeypatch):
    screen, texts = Screen(), []
    monkeypatch.setattr(sys, "stderr", screen)
    with shown("compile", texts.append) as step:
        step("folding")
    assert texts == ["folding"] and screen.getvalue() == ""
