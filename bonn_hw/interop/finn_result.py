# SPDX-License-Identifier: BSD-3-Clause
"""What FINN says of a model: its hardware graph, its tensors, its estimates, as integers of ours.

FINN's bits are 0 and 1, and the sums of its binary matrix units are popcounts p of MW bits. Ours
are -1 and +1, and 2 p - MW.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from bonn_hw.interop import finn_environment
from bonn_hw.interop.finn_attributes import DOMAIN
from bonn_hw.interop.finn_folding import operator_of
from bonn_hw.ir.tensor import Integers
from bonn_hw.progress import Progress

Values = NDArray[Any]


@dataclass(frozen=True, eq=False)
class FinnNode:
    """A node of FINN's hardware graph.

    ``inputs`` are the tensors that it is streamed, without weights and thresholds. Of a matrix
    unit, ``weights`` are ``(MH, MW)``, bits as -1 and +1; ``limits`` are its thresholds ``(MH,)``
    as FINN would build them, ``meant`` those before FINN clipped them. None without.
    """

    name: str
    operator: str
    facts: Mapping[str, Any]
    inputs: tuple[str, ...]
    output: str
    weights: Values | None
    limits: Values | None
    meant: Values | None


@dataclass(frozen=True, eq=False)
class FinnResult:
    """What FINN makes of a model and of frames.

    Attributes
    ----------
    stopped : str or None
        What FINN said where it stopped; there are no nodes then.
    refused : tuple of str
        Matrix units whose thresholds FINN's code generation does not take.
    tensors : mapping
        Values by tensor, in FINN's order (channels last) and meaning.
    kinds : mapping
        FINN's types by tensor.
    answers, qonnx : arrays
        What FINN's graph answers, and the model itself by qonnx's execution.
    estimates : mapping
        By node: cycles, and resources by FINN's names.
    """

    stopped: str | None
    nodes: tuple[FinnNode, ...]
    refused: tuple[str, ...]
    tensors: Mapping[str, Values]
    kinds: Mapping[str, str]
    answers: Values
    qonnx: Values
    estimates: Mapping[str, Mapping[str, float]]

    def integers(self, tensor: str) -> Integers:
        """A tensor as ours would be, whole numbers."""
        values = self.tensors[tensor]
        if self.kinds.get(tensor) == "BINARY":
            return 2 * values.astype(np.int8) - 1
        maker = next((node for node in self.nodes if node.output == tensor), None)
        if maker is not None and maker.limits is None and maker.facts.get("binaryXnorMode", 0):
            return 2 * values.astype(np.int64) - int(maker.facts["MW"])
        return values


def hear(
    model: Path,
    images: NDArray[np.float32],
    folder: Path,
    foldings: Mapping[str, Mapping[str, int]] | None,
    part: str,
    progress: Progress,
) -> FinnResult:
    """Run FINN on a model and frames.

    Parameters
    ----------
    folder : Path
        An empty one, for what FINN's environment writes.
    foldings : mapping or None
        PE and SIMD by node of FINN's, to estimate with.

    Raises
    ------
    ToolMissing
        If FINN's environment is not there.
    """
    np.save(folder / "frames.npy", images)
    told: list[str | Path] = []
    if foldings is not None:
        (folder / "folding.json").write_text(json.dumps({"Defaults": {}, **foldings}))
        told = [folder / "folding.json", part]
    arguments = (model.resolve(), folder / "frames.npy", folder, *told)
    finn_environment.run("witness.py", *arguments, progress=progress)
    facts = json.loads((folder / "facts.json").read_text())
    qonnx = np.load(folder / "qonnx.npy")
    if "stopped" in facts:
        return FinnResult(facts["stopped"], (), (), {}, {}, qonnx, qonnx, {})
    proto = onnx.load(folder / "hardware.onnx")
    tensors = dict(np.load(folder / "tensors.npz"))
    meant = dict(np.load(folder / "limits.npz"))
    return FinnResult(
        stopped=None,
        nodes=tuple(_nodes(proto, tensors, meant)),
        refused=tuple(facts["refused"]),
        tensors=tensors,
        kinds=_kinds(proto),
        answers=tensors[proto.graph.output[0].name],
        qonnx=qonnx,
        estimates=facts.get("estimates", {}),
    )


def _nodes(
    proto: onnx.ModelProto, tensors: Mapping[str, Values], meant: Mapping[str, Values]
) -> Iterator[FinnNode]:
    constants = {one.name: one for one in proto.graph.initializer}
    for node in proto.graph.node:
        if not node.domain.startswith(DOMAIN):
            continue
        facts = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        weights, limits = None, None
        if operator_of(node.op_type) == "MVAU":
            weights = numpy_helper.to_array(constants[node.input[1]]).T
            if facts["weightDataType"] == b"BINARY":
                weights = 2 * weights - 1
        if node.name in meant:
            limits = numpy_helper.to_array(constants[node.input[2]]).reshape(-1)
        yield FinnNode(
            name=node.name,
            operator=operator_of(node.op_type),
            facts=facts,
            inputs=tuple(name for name in node.input if name in tensors),
            output=node.output[0],
            weights=weights,
            limits=limits,
            meant=meant[node.name].reshape(-1) if node.name in meant else None,
        )


def _kinds(proto: onnx.ModelProto) -> dict[str, str]:
    return {
        note.tensor_name: entry.value
        for note in proto.graph.quantization_annotation
        for entry in note.quant_parameter_tensor_names
        if entry.key == "finn_datatype"
    }
