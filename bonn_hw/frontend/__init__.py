# SPDX-License-Identifier: BSD-3-Clause
"""QONNX file to DataflowGraph and the host's part: the only importer of onnx and qonnx."""

from bonn_hw.frontend.host import Host
from bonn_hw.frontend.labels import check_count, with_labels
from bonn_hw.frontend.load import read, read_proto
from bonn_hw.frontend.lower import lower
from bonn_hw.frontend.lowered import Lowered
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.notes import Note
from bonn_hw.frontend.plain import PlainComparison, Step, compare
from bonn_hw.frontend.reference import Reference
from bonn_hw.frontend.stated_grid import StatedGrid

__all__ = [
    "Host",
    "Lowered",
    "Model",
    "Note",
    "PlainComparison",
    "Reference",
    "StatedGrid",
    "Step",
    "check_count",
    "compare",
    "lower",
    "read",
    "read_proto",
    "with_labels",
]
