# SPDX-License-Identifier: BSD-3-Clause
"""Generated pages and pictures are up to date: `make figures` would change nothing."""

import pytest

pytest.importorskip("torch")

from benchmarks import figures

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("path", figures.texts(), ids=lambda path: path.name)
def test_a_text(path):
    assert path.read_text() == figures.texts()[path](), "run make figures"


def test_the_pictures(tmp_path):
    """Their words are compared first: these say what changed."""
    drawn = figures.drawings(tmp_path)
    for picture, anew in drawn.items():
        old, new = picture.read_text(), anew.read_text()
        assert figures.caption(old) == figures.caption(new), f"{picture}: run make figures"
        assert old == new, f"{picture}: run make figures"
