# SPDX-License-Identifier: BSD-3-Clause
"""Reports in files: damaged ones, those of other versions, those of no build."""

import json

import pytest

from bonn_hw.cli.main import main
from bonn_hw.errors import UserError
from bonn_hw.report.codec import encode
from bonn_hw.report.store import REMEDY, load, load_any, load_build, save
from bonn_hw.report.values import Front, Report
from tests.report.test_values import FULL, PLAIN
from tests.support.reports import front, point


def test_what_is_saved_is_read(tmp_path):
    fronts = front([point(61.0)])
    for value in (PLAIN, FULL, fronts):
        save(value, tmp_path / "report.json")
        assert load_build(tmp_path) == value
    assert load(Front, tmp_path / "report.json") == fronts


def test_a_report_of_before_there_were_versions_is_read(tmp_path):
    tree = encode(FULL)
    del tree["schema"]
    (tmp_path / "report.json").write_text(json.dumps(tree))
    assert load(Report, tmp_path / "report.json") == FULL


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it is not JSON (Expecting value: line 1 column 1 (char 0))"),
        ("3", "it holds no object"),
        ('{"schema": 2}', "its schema is 2, and this bonn-hw reads 1"),
        ('{"model": {"sha256": 3}}', "model.sha256 must be a string, not 3"),
        ('{"front": 3, "model": {"sha256": "a"}}', "target is missing"),
    ],
)
def test_a_damaged_report_gives_one_message(text, told, tmp_path, capsys):
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        load_any(path)
    assert str(caught.value) == f"report {path} cannot be read: {told}; {REMEDY}"
    assert main(["report", str(tmp_path)]) == 2
    assert told in capsys.readouterr().err


def test_a_report_that_is_no_text(tmp_path):
    path = tmp_path / "report.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"cannot be read: 'utf-8' codec can't decode"):
        load_any(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match="cannot be read: Is a directory; make the build again"):
        load_any(path)


def test_a_folder_without_a_report(tmp_path):
    with pytest.raises(UserError, match=r"is not a build: it has no report\.json$"):
        load_build(tmp_path)
