# SPDX-License-Identifier: BSD-3-Clause
import pytest

from bonn_hw.cli import report
from bonn_hw.cli.main import main
from tests.support.sketch import Sketch

# Names that rich would take for markup, an emoji or an error.
ODD = ("layers[0]/conv[/x]", "[red]x[/red]", ":smile:")


def odd_model(folder, name="net[bold] :smile:.onnx"):
    """A model whose file and layers have such names."""
    first, second, last = ODD
    sketch = Sketch(6).sign().dense(6, 4, first).sign().dense(4, 4, second).sign()
    return sketch.dense(4, 3, last).write(folder).rename(folder / name)


@pytest.fixture(scope="session")
def odd_build(tmp_path_factory):
    """A build of it in a folder with such a name."""
    folder = tmp_path_factory.mktemp("odd")
    out = folder / "build[/x]"
    words = ["compile", str(odd_model(folder)), "--fps", "1000", "--out", str(out), "--quiet"]
    assert main(words) == 0
    return out


@pytest.fixture
def planted(monkeypatch):
    """Let ``bonn-hw report X`` do something else: raise what is given, or call it."""

    def plant(what):
        def run(options, terminal):
            if isinstance(what, BaseException):
                raise what
            return what(terminal)

        monkeypatch.setattr(report, "run", run)

    return plant
