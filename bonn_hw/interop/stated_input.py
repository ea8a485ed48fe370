# SPDX-License-Identifier: BSD-3-Clause
"""A model file for FINN: with all of its tensors, and a quantiser for what the user states."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import ModelProto, helper, numpy_helper

from bonn_hw import frontend
from bonn_hw.interop.finn_translation import QUANTISERS


def file_for_finn(
    model: Path, grid: frontend.StatedGrid | None, external_data: Path | None, folder: Path
) -> Path:
    """The file itself, or a file in the folder that needs no statement and no other file."""
    if grid is None and external_data is None:
        return model
    proto, _ = frontend.read_proto(model, external_data)
    if grid is not None:
        proto = _with_quantiser(proto, grid)
    written = folder / "model.onnx"
    written.write_bytes(proto.SerializeToString(deterministic=True))
    return written


def _with_quantiser(proto: ModelProto, grid: frontend.StatedGrid) -> ModelProto:
    """The model with a quantiser at its input, whose values are those of the grid."""
    constants = {one.name for one in proto.graph.initializer}
    entry = next(one.name for one in proto.graph.input if one.name not in constants)
    behind = f"{entry}/stated"
    for node in proto.graph.node:
        node.input[:] = [behind if name == entry else name for name in node.input]
    names = []
    for key, value in (("scale", grid.scale), ("zero", 0), ("bits", grid.bits)):
        names.append(f"{behind}/{key}")
        constant = numpy_helper.from_array(np.array(value, np.float32), names[-1])
        proto.graph.initializer.append(constant)
    signed, rounding = int(grid.low < 0), "ROUND"
    quantiser = helper.make_node(
        *("Quant", [entry, *names], [behind], behind),
        domain=QUANTISERS,
        signed=signed,
        narrow=0,
        rounding_mode=rounding,
    )
    proto.graph.node.insert(0, quantiser)
    if all(one.domain != QUANTISERS for one in proto.opset_import):
        proto.opset_import.append(helper.make_opsetid(QUANTISERS, 1))
    return proto
