# SPDX-License-Identifier: BSD-3-Clause
"""RtlProject <-> a folder: what `write.write` left there, with its ports, sources and probes.

What is simulated is what stands in the folder, and not what would be emitted of the design today.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bonn_hw.emit.write import write
from bonn_hw.errors import UserError
from bonn_hw.ir.rtl import Port, RtlProject
from bonn_hw.ir.tensor import Element

NAME = "project.json"


def write_project(project: RtlProject, folder: Path) -> None:
    """Write a project, and what `read_project` needs besides, into a folder."""
    write(project, folder)
    described = {
        "top": project.top,
        "templates": list(project.templates),
        "files": sorted(project.files),
        "source": asdict(project.source),
        "sink": asdict(project.sink),
        "probes": list(project.probes),
    }
    (folder / NAME).write_text(json.dumps(described, indent=1) + "\n")


def read_project(folder: Path) -> RtlProject:
    """Read a project with the generated files that the folder has now.

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
        )
        named.check()  # before any of these names is opened
        return replace(named, files={name: (folder / name).read_text() for name in named.files})
    except OSError as error:
        missing = Path(error.filename).name
        raise UserError(
            f"{folder} lacks {missing} ({error.strerror}): compile the model again"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        told = f"has no {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(
            f"{folder / NAME} cannot be read: {told}: compile the model again"
        ) from error


def _port(described: dict[str, Any]) -> Port:
    return Port(described["lanes"], Element(**described["element"]), described["beats"])
