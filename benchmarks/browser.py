# SPDX-License-Identifier: BSD-3-Clause
"""A headless Chromium, spoken to by the DevTools protocol through a pair of pipes.

Messages are JSON, with a zero byte behind each (``--remote-debugging-pipe``), so nothing has to be
installed but the browser: https://chromedevtools.github.io/devtools-protocol.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 60.0
TIMES = """(() => {
  const [page] = performance.getEntriesByType("navigation");
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  return [page.loadEventEnd, paint ? paint.startTime : 0];
})()"""


@dataclass(frozen=True)
class Opened:
    """Seconds from the start of the navigation, by the page's own clock.

    Attributes
    ----------
    load : float
        To the end of the load event: everything is read and laid out.
    paint : float
        To the first picture with contents.
    """

    load: float
    paint: float

    @property
    def seconds(self) -> float:
        """Until the page is loaded and seen."""
        return max(self.load, self.paint)


def program() -> str | None:
    """The path of a headless Chromium; None if the machine has none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One tab of a running browser."""

    def __init__(self, process: subprocess.Popen[bytes], to: int, back: int) -> None:
        self._process, self._to, self._back = process, to, back
        self._rest, self._last, self._events = b"", 0, list[dict[str, Any]]()
        self._tab: str | None = None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._tab = attached["sessionId"]
        self._call("Page.enable")

    def show(self, width: int, height: int, dark: bool = False) -> None:
        """Set the size of the window, and what ``prefers-color-scheme`` says."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, page: Path) -> Opened:
        """Open a page; returns when it is loaded and painted."""
        self._events.clear()
        self._call("Page.navigate", url=page.resolve().as_uri())
        deadline = time.monotonic() + PATIENCE_S
        while not any(one.get("method") == "Page.loadEventFired" for one in self._events):
            self._events.append(self._receive(deadline))
        while True:
            load, paint = self.evaluate(TIMES)
            if load and paint:
                return Opened(load / 1e3, paint / 1e3)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{page}: not painted")
            time.sleep(0.02)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript in the page."""
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"].get("value")

    def shoot(self, picture: Path) -> None:
        """Write what the window shows as a PNG file."""
        picture.write_bytes(base64.b64decode(self._call("Page.captureScreenshot")["data"]))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        if self._tab is not None:
            message["sessionId"] = self._tab
        os.write(self._to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE_S
        while True:
            answer = self._receive(deadline)
            if answer.get("id") != self._last:
                self._events.append(answer)
            elif "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']['message']}")
            else:
                result: dict[str, Any] = answer["result"]
                return result

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            read = os.read(self._back, 1 << 16)
            if not read or time.monotonic() > deadline:
                raise TimeoutError(
                    f"the browser does not answer (exit code {self._process.poll()})"
                )
            self._rest += read
        message, self._rest = self._rest.split(b"\0", 1)
        answer: dict[str, Any] = json.loads(message)
        return answer


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser; raises FileNotFoundError if the machine has none."""
    path = program()
    if path is None:
        raise FileNotFoundError(f"no browser: looked for {', '.join(NAMES)}")
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    # It reads from descriptor 3 and writes to descriptor 4.
    shell = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
    command = ["bash", "-c", shell, "bash", path, "--remote-debugging-pipe", "--headless"]
    command += ["--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}"],
            pass_fds=(theirs_in, theirs_out),
            stderr=subprocess.DEVNULL,
        )
        for descriptor in (theirs_in, theirs_out):
            os.close(descriptor)
        try:
            yield Browser(process, ours_out, ours_in)
        finally:
            process.terminate()
            process.wait()
            for descriptor in (ours_in, ours_out):
                os.close(descriptor)


def opening(tab: Browser, page: Path, times: int = 5) -> Opened:
    """The fastest of some openings: what else runs on the machine only makes a page slower."""
    return min((tab.open(page) for _ in range(times)), key=lambda opened: opened.seconds)
