# SPDX-License-Identifier: BSD-3-Clause
import os

import pytest

from bonn_hw.errors import UserError
from bonn_hw.nn.training.run_files import write_atomically


def test_makes_the_folder_and_replaces(tmp_path):
    path = tmp_path / "a/b"
    write_atomically(path, b"1")
    write_atomically(path, b"2")
    assert path.read_bytes() == b"2"
    assert os.listdir(path.parent) == ["b"]


def test_failure_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError) as error:
        write_atomically(path, b"new")
    assert str(error.value) == (
        f"{path}: cannot be written (No space left on device); free the space or name another place"
    )
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(UserError, match="cannot be written"):
        write_atomically(tmp_path / "a/b", b"")
