# SPDX-License-Identifier: BSD-3-Clause
"""RTL as data: memory images, module instances, and a whole project for simulation or synthesis."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.tensor import Element

PREFIX = "bonn_"  # of all modules of hw_templates/, so that they never clash with other RTL


@dataclass(frozen=True)
class Bits:
    """A packed parameter value of a given width, written as a sized literal."""

    width: int
    value: int

    def __str__(self) -> str:
        return f"{self.width}'h{self.value:x}"


@dataclass(frozen=True, eq=False)
class MemoryImage:
    """Contents of a memory for ``$readmemh``: ``words`` of ``width`` bits.

    Parameters
    ----------
    bits : uint8 ``(depth, width)``
        Bit 0 first.
    """

    bits: NDArray[np.uint8]

    @property
    def depth(self) -> int:
        """Words."""
        return int(self.bits.shape[0])

    @property
    def width(self) -> int:
        """Bits per word."""
        return int(self.bits.shape[1])

    def hex(self) -> str:
        """The text for ``$readmemh``: one word per line."""
        digits = -(-self.width // 4)
        octets = np.packbits(self.bits, axis=1, bitorder="little")
        return "".join(row[::-1].tobytes().hex()[-digits:] + "\n" for row in octets)


@dataclass(frozen=True)
class Instance:
    """One module instance: parameters by name, and memory images for its file parameters.

    A memory is named after the parameter that receives its file name.

    Attributes
    ----------
    stem : str
        The module is in ``hw_templates/<stem>.sv``; see `module_name`.
    """

    stem: str
    parameters: Mapping[str, int | Bits]
    memories: Mapping[str, MemoryImage] = field(default_factory=dict)
    sources: tuple[str, ...] = ()  # other files of hw_templates/ that the module needs

    @property
    def module(self) -> str:
        """Name of the module."""
        return module_name(self.stem)

    @property
    def templates(self) -> tuple[str, ...]:
        """All files of ``hw_templates/`` that the instance needs, the module's own first."""
        return (f"{self.stem}.sv", *self.sources)


def module_name(stem: str) -> str:
    """Name of the module in the file ``<stem>.sv`` of ``hw_templates/`` or one of its folders."""
    return PREFIX + stem


@dataclass(frozen=True)
class Port:
    """A top-level stream: lanes of an element, frames of ``beats`` beats."""

    lanes: int
    element: Element
    beats: int

    @property
    def width(self) -> int:
        """Bits of tdata."""
        return self.lanes * self.element.bits


@dataclass(frozen=True)
class Interface:
    """What the top module's ports have besides the streams of the kernels.

    Attributes
    ----------
    tlast : bool
        ``tlast`` at the last beat of each output frame; that of the input is accepted and ignored.
    aligned : bool
        The widths of both ``tdata`` are multiples of 8; the upper bits are 0 in the output.
    aresetn : bool
        A reset ``aresetn``, active low, in place of ``rst``. It is synchronous too.
    """

    tlast: bool = False
    aligned: bool = False
    aresetn: bool = False

    @property
    def plain(self) -> bool:
        """Whether there is nothing besides."""
        return self == PLAIN

    def width(self, port: Port) -> int:
        """Bits of a port's ``tdata``."""
        return -(-port.width // 8) * 8 if self.aligned else port.width


PLAIN = Interface()
CORE = "_core"  # ending of the name of a module with plain ports, inside of one with others


@dataclass(frozen=True)
class RtlProject:
    """Everything a simulator or a synthesis tool needs, as data.

    Attributes
    ----------
    top : str
        Name of the module with plain ports; its text is ``files[f"{top}.v"]``.
    templates : tuple of str
        Files of ``hw_templates/``, sorted.
    files : mapping
        Generated files: relative name to text. File parameters in the top refer to these names.
    probes : tuple of str
        Names of the stages in the order of the top's probe (three bits each, see `emit.top`).
    interface : Interface
        The ports of the module that a user instantiates.
    """

    top: str
    templates: tuple[str, ...]
    files: Mapping[str, str]
    source: Port
    sink: Port
    probes: tuple[str, ...]
    interface: Interface = PLAIN

    @property
    def outer(self) -> str:
        """Name of the module that a user instantiates; with plain ports it is the top."""
        return self.top if self.interface.plain else self.top.removesuffix(CORE)

    def check(self) -> None:
        """Raise ValueError if a name would leave the project's folder, or is no module's name."""
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", self.top):
            raise ValueError(f"top {self.top!r} is not the name of a module")
        for name in (*self.files, *self.templates):
            if name.startswith("/") or ".." in name.split("/") or "\\" in name:
                raise ValueError(f"file name {name!r} leaves the project: use relative names")
