# SPDX-License-Identifier: BSD-3-Clause
"""FINN's result for a model: its hardware graph, its tensors and its estimates.

FINN's bits are 0 and 1, and the sums of its binary matrix units are popcounts p of MW bits. Here
the values are -1 and +1, and the sums are 2 p - MW; `FinnResult.integers` converts them.
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

from bonn_hw import cache
from bonn_hw.errors import Interrupted
from bonn_hw.interop import finn_environment
from bonn_hw.interop.finn_attributes import DOMAIN
from bonn_hw.interop.finn_folding import operator_of
from bonn_hw.ir.tensor import Integers
from bonn_hw.progress import Progress

Values = NDArray[Any]


@dataclass(frozen=True, eq=False)
class FinnNode:
    """A node of FINN's hardware graph.

    Attributes
    ----------
    inputs, outputs
        Names of the streamed tensors, without weights and thresholds.
    weights
        Of a matrix unit, ``(MH, MW)``, bits as -1 and +1; else None.
    thresholds
        Of a matrix unit, ``(MH, steps)``, as FINN would build them; None without.
    unclipped
        The same before FINN clipped them to its accumulator's range; None without.
    """

    name: str
    operator: str
    attributes: Mapping[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: Values | None
    thresholds: Values | None
    unclipped: Values | None

    @property
    def output(self) -> str:
        """The first output."""
        return self.outputs[0]

    @property
    def decides(self) -> bool:
        """Whether it outputs what thresholds decide, not sums; a pool or window does neither."""
        if self.operator == "MVAU":
            return self.thresholds is not None
        return True


@dataclass(frozen=True, eq=False)
class FinnResult:
    """FINN's results for a model and frames.

    Attributes
    ----------
    stopped : str or None
        FINN's message if it does not support the model; there are no nodes then.
    refused : tuple of str
        Matrix units whose thresholds FINN's code generation refuses.
    tensors : mapping
        Values by tensor, in FINN's layout (channels last) and encoding.
    kinds : mapping
        FINN's data types by tensor.
    links : mapping
        The computed tensors that each tensor is computed from.
    answers, qonnx : arrays
        The answers of FINN's graph, and of the QONNX model, executed by qonnx.
    estimates : mapping
        By node name: cycles, and resources by FINN's names.
    """

    stopped: str | None
    nodes: tuple[FinnNode, ...]
    refused: tuple[str, ...]
    tensors: Mapping[str, Values]
    kinds: Mapping[str, str]
    links: Mapping[str, tuple[str, ...]]
    answers: Values
    qonnx: Values
    estimates: Mapping[str, Mapping[str, float]]

    def unsigned(self, tensor: str) -> bool:
        """Whether FINN's bits of a tensor are 0 and 1 in an integer type."""
        return self.kinds.get(tensor) == "UINT1"

    def integers(self, tensor: str) -> Integers:
        """A tensor in our encoding: -1 and +1 for bits, 2 p - MW for popcounts."""
        values = self.tensors[tensor]
        if self.kinds.get(tensor) == "BINARY":
            return 2 * values.astype(np.int8) - 1
        maker = next((node for node in self.nodes if node.output == tensor), None)
        if (
            maker is not None
            and maker.thresholds is None
            and maker.attributes.get("binaryXnorMode", 0)
        ):
            return 2 * values.astype(np.int64) - int(maker.attributes["MW"])
        return values


def run_finn(
    model: Path,
    images: NDArray[np.float32],
    folder: Path,
    foldings: Mapping[str, Mapping[str, int]] | None,
    part: str,
    progress: Progress,
) -> FinnResult:
    """Run FINN on a model and frames; each frame's results are kept until all are there.

    Parameters
    ----------
    folder : Path
        An empty folder for the files that FINN's environment writes.
    foldings : mapping or None
        PE and SIMD by FINN's node name, for the estimates.

    Raises
    ------
    ToolMissing
        If FINN's environment is not installed.
    Interrupted
        After Ctrl-C, if results are kept; the same call goes on with them.
    """
    np.save(folder / "frames.npy", images)
    estimate: list[str | Path] = []
    if foldings is not None:
        (folder / "folding.json").write_text(json.dumps({"Defaults": {}, **foldings}))
        estimate = [folder / "folding.json", part]
    key = cache.digest(model.read_bytes(), images.tobytes(), finn_environment.identity())
    with cache.unfinished(key) as kept:
        arguments = (model.resolve(), folder / "frames.npy", folder, kept or folder, *estimate)
        try:
            finn_environment.run("witness.py", *arguments, progress=progress)
        except (KeyboardInterrupt, SystemExit) as stop:
            done = 0 if kept is None else len(list(kept.glob("*.npz")))
            if not done:
                raise
            raise Interrupted(
                f"interrupted; {done} of {2 * len(images)} executions of a frame, by qonnx and by "
                "FINN, are kept: the same command goes on with the others"
            ) from stop
    report = json.loads((folder / "facts.json").read_text())
    qonnx = np.load(folder / "qonnx.npy")
    if "stopped" in report:
        return FinnResult(report["stopped"], (), (), {}, {}, {}, qonnx, qonnx, {})
    proto = onnx.load(folder / "hardware.onnx")
    tensors = dict(np.load(folder / "tensors.npz"))
    unclipped = dict(np.load(folder / "limits.npz"))
    return FinnResult(
        stopped=None,
        nodes=tuple(_nodes(proto, tensors, unclipped)),
        refused=tuple(report["refused"]),
        tensors=tensors,
        kinds=_kinds(proto),
        links={
            output: tuple(name for name in node.input if name in tensors)
            for node in proto.graph.node
            for output in node.output
        },
        answers=tensors[proto.graph.output[0].name],
        qonnx=qonnx,
        estimates=report.get("estimates", {}),
    )


def _nodes(
    proto: onnx.ModelProto, tensors: Mapping[str, Values], unclipped: Mapping[str, Values]
) -> Iterator[FinnNode]:
    constants = {one.name: one for one in proto.graph.initializer}
    for node in proto.graph.node:
        if not node.domain.startswith(DOMAIN):
            continue
        attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        weights, thresholds = None, None
        if operator_of(node.op_type) == "MVAU":
            weights = numpy_helper.to_array(constants[node.input[1]]).T
            if attributes["weightDataType"] == b"BINARY":
                weights = 2 * weights - 1
        if node.name in unclipped:
            thresholds = numpy_helper.to_array(constants[node.input[2]])
        yield FinnNode(
            name=node.name,
            operator=operator_of(node.op_type),
            attributes=attributes,
            inputs=tuple(name for name in node.input if name in tensors),
            outputs=tuple(node.output),
            weights=weights,
            thresholds=thresholds,
            unclipped=unclipped.get(node.name),
        )


def _kinds(proto: onnx.ModelProto) -> dict[str, str]:
    return {
        note.tensor_name: entry.value
        for note in proto.graph.quantization_annotation
        for entry in note.quant_parameter_tensor_names
        if entry.key == "finn_datatype"
    }
