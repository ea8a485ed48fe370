# SPDX-License-Identifier: BSD-3-Clause
"""RtlProject <-> a folder: the files of `write.write`, with its ports, sources and probes.

The simulator runs the RTL in the folder, not RTL that is emitted again from the design.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bonn_hw.emit.interface import wrapped
from bonn_hw.emit.top import TOP, emit
from bonn_hw.emit.write import templates_folder, write
from bonn_hw.errors import UserError
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.rtl import Interface, Port, RtlProject
from bonn_hw.ir.tensor import Element

NAME = "project.json"


def write_project(project: RtlProject, folder: Path) -> None:
    """Write a project into a folder, with the description that `read_project` needs."""
    write(project, folder)
    described = {
        "top": project.top,
        "templates": list(project.templates),
        "files": sorted(project.files),
        "source": asdict(project.source),
        "sink": asdict(project.sink),
        "probes": list(project.probes),
        "interface": asdict(project.interface),
    }
    (folder / NAME).write_text(json.dumps(described, indent=1) + "\n")


def read_project(folder: Path) -> RtlProject:
    """Read a project with the generated files as they are in the folder now.

    Raises
    ------
    UserError
        If a file is missing or cannot be understood.
    """
    try:
        described = json.loads((folder / NAME).read_text())
        named = RtlProject(
            top=described["top"],
            templates=tuple(described["templates"]),
            files=dict.fromkeys(described["files"], ""),
            source=_port(described["source"]),
            sink=_port(described["sink"]),
            probes=tuple(described["probes"]),
            interface=Interface(**described.get("interface", {})),
        )
        named.check()  # before any of these names is opened
        return replace(named, files={name: (folder / name).read_text() for name in named.files})
    except OSError as error:
        missing = Path(error.filename).name
        raise UserError(
            f"{folder} lacks {missing} ({error.strerror}): compile the model again"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        reason = f"has no {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(
            f"{folder / NAME} cannot be read: {reason}: compile the model again"
        ) from error


def verified(design: FoldedDesign, folder: Path) -> RtlProject:
    """The project of a design, if the RTL in a folder is the same, byte for byte.

    A simulator is a program that is compiled from RTL, which can call any function of the machine.
    So RTL of unknown origin is not simulated.

    Returns
    -------
    RtlProject
        The same with the top's name `TOP`, so that a design has one simulator under all names.

    Raises
    ------
    UserError
        If a file differs from what `emit` and hw_templates give.
    """
    stored = read_project(folder)
    project = emit(design, top=None if stored.top == TOP else stored.top)
    project = wrapped(project, stored.interface)
    given = {name: text.encode() for name, text in project.files.items()}
    given |= {name: (templates_folder() / name).read_bytes() for name in project.templates}
    for name in sorted({*given, *stored.files, *stored.templates}):
        path = folder / name
        if name not in given or not path.is_file() or path.read_bytes() != given[name]:
            raise UserError(
                f"{path} differs from the RTL that this version of bonn-hw writes for the design: "
                "it is not simulated, because RTL can contain code that would run on this machine. "
                "Compile the model again, or simulate the folder as it is with --trust"
            )
    return project if stored.top == TOP else emit(design)


def _port(described: dict[str, Any]) -> Port:
    return Port(described["lanes"], Element(**described["element"]), described["beats"])
