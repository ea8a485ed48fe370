# SPDX-License-Identifier: BSD-3-Clause
"""Packages are installed by uv with pip's own settings, and by pip where uv is not or fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "flows/scripts/python/install.sh"
SETTINGS = {
    "PIP_INDEX_URL": "http://here/simple",
    "PIP_EXTRA_INDEX_URL": "file:///one\nfile:///two",
    "PIP_FIND_LINKS": "/wheels /more",
    "PIP_CERT": "/certificates",
}
TAKEN = [
    *("UV_DEFAULT_INDEX=http://here/simple", "UV_INDEX=file:///one file:///two"),
    *("UV_FIND_LINKS=/wheels,/more", "SSL_CERT_FILE=/certificates", "UV_HTTP_RETRIES=0"),
]
# Says how it was called. An uv of these tests fails if its words have the one given.
TOLD = """#!/bin/sh
echo "{name} $*" >>"$TOLD"
env | grep -E '^(UV|SSL)_' | sort >"$TOLD.settings"
case " $* " in *" {refused} "*) exit 1 ;; esac
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Run the script with stand-ins; the lines that they left, and the settings of the last."""
    programs, environment = tmp_path / "programs", tmp_path / "env"
    for name in os.environ:
        if name.startswith(("PIP_", "UV_")):
            monkeypatch.delenv(name)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)

    def run(*words, refused="none", uv=True):
        for path, name in ((programs / "uv", "uv"), (environment / "bin/pip", "pip")):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(TOLD.format(name=name, refused=refused))
            path.chmod(0o755)
        (environment / "bin/python").touch(mode=0o755)
        path = f"{programs}:/usr/bin:/bin" if uv else "/usr/bin:/bin"
        given = os.environ | SETTINGS | {"PATH": path, "PYTHON": sys.executable}
        given |= {"TOLD": str(tmp_path / "told"), "PIP_CONFIG_FILE": os.devnull}
        subprocess.run(["bash", SCRIPT, environment, *words], env=given, check=True)
        lines = (tmp_path / "told").read_text().replace(str(environment), "ENV").splitlines()
        return lines, (tmp_path / "told.settings").read_text().splitlines()

    return run


INDEX = ("--extra-index-url", "http://other")
UV = "uv pip install --quiet --python ENV"
PIP = "pip install --quiet --disable-pip-version-check --no-compile"


def test_uv_is_given_what_pip_is_set_up_with(install):
    lines, settings = install(*INDEX, "--retries", "0", "torch")
    assert lines == [f"{UV} --extra-index-url http://other torch"]
    assert set(TAKEN) <= set(settings)


def test_an_index_that_does_not_answer_is_left_out(install):
    lines, _ = install(*INDEX, "torch", refused="http://other")
    assert lines == [f"{UV} --extra-index-url http://other torch", f"{UV} torch"]


@pytest.mark.parametrize("uv", [True, False])
def test_pip_does_it_where_uv_cannot(install, uv):
    lines, _ = install("torch", refused="--python", uv=uv)
    assert lines == [*[f"{UV} torch"] * uv, f"{PIP} torch"]
