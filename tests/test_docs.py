# SPDX-License-Identifier: BSD-3-Clause
"""What README and docs say is true: commands parse, files exist, links lead somewhere."""

import re
import shlex
import subprocess
import sys
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
    *sorted((ROOT / "docs" / "howto").glob("*.md")),
]
IDENTIFY = {"argvalues": PAGES, "ids": lambda page: page.name}


def commands(page):
    """Lines of code blocks that call bonn-hw."""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.S | re.M):
        if language:
            continue
        lines = (line.split("#")[0] for line in block.splitlines())
        yield from (line for line in lines if line.startswith("bonn-hw "))


@pytest.mark.parametrize("page", **IDENTIFY)
def test_commands_are_understood(page):
    for line in commands(page):
        words = shlex.split(line.strip())
        make_parser().parse_args(words[1:])  # exits where a flag does not exist
        for word in words:
            if word.startswith("flows/"):
                assert (ROOT / word).is_file(), line


def test_the_page_of_commands_shows_every_one():
    shown = {shlex.split(line)[1] for line in commands(ROOT / "docs" / "cli.md")}
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


def test_the_readme_is_short_and_renders_on_an_index():
    """As PyPI shows it; 300 words of text, one picture, one table of results, two commands."""
    from readme_renderer import markdown

    text = (ROOT / "README.md").read_text()
    assert "<h1" in markdown.render(text)
    text = re.sub(
        r"<!-- results.*?<!-- end of results -->|^```.*?^```", "", text, flags=re.S | re.M
    )
    words = re.findall(r"[\w'’-]+", re.sub(r"\]\([^)]*\)|\|[-|]+\|", "", text))
    assert len(words) <= 310
    assert len(re.findall(r"!\[", text)) == 1
    assert re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(), re.M) == ["demo", "test"]


def test_spelling():
    """No word of codespell's list of frequent mistakes; the words of ours that are on it."""
    ours = "fpr,ser,inout,te,ot,nd,ans,ede,ths,befores,sumbits,carryin"
    numbers = "*.svg,*.png,*.npz,*.csv,kernels.json,__pycache__"
    command = [sys.executable, "-m", "codespell_lib"]
    command += ["--ignore-words-list", ours, "--skip", numbers]
    command += ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "CITATION.cff", "docs", "bonn_hw"]
    command += ["benchmarks", "flows", "hw_templates", "zoo"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout, done.returncode) == ("", 0)


def test_the_site_builds_without_warnings(tmp_path):
    """`make docs`: links between pages and to their headings, the index, no network."""
    words = ["-W", "--keep-going", "-q", "-b", "html", str(ROOT / "docs"), str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode, done.stderr) == (0, "")
    page = (tmp_path / "howto" / "my_network.html").read_text()
    assert "my_nets.py" in page and "bonn-hw compile" in page
    loaded = re.findall(r"""(?:src|href)="(https?:[^"]+\.(?:js|css|woff2?))""", page)
    assert loaded == []  # all of it is in the folder


def test_every_page_is_on_the_site():
    index = (ROOT / "docs" / "index.md").read_text()
    listed = set(re.findall(r"^([\w/]+)$", index, re.M))
    pages = {str(p.relative_to(ROOT / "docs"))[:-3] for p in (ROOT / "docs").rglob("*.md")}
    assert pages - {"index"} == listed
