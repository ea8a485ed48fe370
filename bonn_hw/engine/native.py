# SPDX-License-Identifier: BSD-3-Clause
"""``engine.cpp`` for Python: its types, and the arrays that it takes."""

from __future__ import annotations

import ctypes
import enum
import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bonn_hw.timing import native

SOURCE = Path(__file__).with_name("engine.cpp")
ALIGNMENT = 64  # bytes, of vectors of weights


class Window(ctypes.Structure):
    """Geometry of a convolution or pool: the fields of ``struct Window``."""

    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in (
            *("height", "width", "depth", "rows", "columns", "down", "right"),
            *("out_height", "out_width"),
        )
    )


class Layer(ctypes.Structure):
    """A convolution: the fields of ``struct Layer``."""

    _fields_ = (
        ("window", Window),
        *(
            (name, ctypes.c_int64)
            for name in ("channels", "of_bits", "row", "until_flush", "compares", "outputs")
        ),
        *((name, ctypes.c_void_p) for name in ("weights", "constants", "classes")),
    )


class Kind(enum.IntEnum):
    """What is done with a tile: ``enum Kind``."""

    LOAD, SUMS, LINE, WIDE_LINE, TABLE, ADD, COMPARE, STORE = range(8)


class Operation(ctypes.Structure):
    """An operation on tiles: the fields of ``struct Operation``."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("kind", "left", "right", "out")),
        *((name, ctypes.c_int64) for name in ("shift", "even", "low", "high")),
        *((name, ctypes.c_void_p) for name in ("first", "second", "memory")),
        ("bytes", ctypes.c_int64),
    )


class Layout(ctypes.Structure):
    """How weights lie in memory: the fields of ``struct Layout``."""

    _fields_ = tuple((name, ctypes.c_int64) for name in ("neurons", "tables", "step"))


@functools.cache
def library() -> ctypes.CDLL:
    """Compile it for this machine, once. Raises ToolMissing without a C++ compiler."""
    loaded = native.library(SOURCE, machine="native")
    loaded.instructions.restype = ctypes.c_char_p
    return loaded


def layout() -> Layout:
    """That of the library."""
    return Layout.in_dll(library(), "layout")


def call(name: str, *arguments: object) -> None:
    """Call a function; arrays are passed by address, integers as 64 bits."""
    getattr(library(), name)(*map(_passed, arguments))


def aligned(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """A contiguous copy that starts at a multiple of `ALIGNMENT` bytes."""
    room = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def _passed(argument: object) -> object:
    if isinstance(argument, np.ndarray):
        return ctypes.c_void_p(argument.ctypes.data)
    if isinstance(argument, int):
        return ctypes.c_int64(argument)
    return ctypes.byref(argument) if isinstance(argument, ctypes.Structure) else argument
