# SPDX-License-Identifier: BSD-3-Clause
"""What README and docs say is true: commands parse, files exist, links lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest

from bonn_hw.cli import exit_codes
from bonn_hw.cli.main import make_parser
from bonn_hw.cli.table import COMMANDS

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "hw_templates" / "README.md",
    ROOT / "zoo" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
IDENTIFY = {"argvalues": PAGES, "ids": lambda page: page.name}


def commands(page):
    """Lines of code blocks that call bonn-hw."""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.S | re.M):
        if language:
            continue
        yield from (line.split("#")[0] for line in block.splitlines() if "bonn-hw " in line)


@pytest.mark.parametrize("page", **IDENTIFY)
def test_commands_are_understood(page):
    for line in commands(page):
        words = shlex.split(line.strip())
        make_parser().parse_args(words[1:])  # exits where a flag does not exist
        for word in words:
            if word.startswith("flows/"):
                assert (ROOT / word).is_file(), line


def test_the_readme_shows_every_command():
    shown = {shlex.split(line)[1] for line in commands(ROOT / "README.md")}
    assert shown == {command.NAME for command in COMMANDS}


@pytest.mark.parametrize("page", **IDENTIFY)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_make_targets_that_are_named_exist():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    for page in PAGES:
        named = set(re.findall(r"(?:`|^)make ([\w-]+)", page.read_text()))
        assert named <= targets, (page, named - targets)


def test_the_exit_codes_are_described():
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", (ROOT / "docs" / "cli.md").read_text(), re.M)
    assert {int(code): meaning for code, meaning in rows} == exit_codes.MEANING
