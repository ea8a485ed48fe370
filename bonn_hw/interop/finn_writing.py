# SPDX-License-Identifier: BSD-3-Clause
"""FINN's nodes of a design written so far, and what is known of their tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.interop.finn_attributes import DOMAIN
from bonn_hw.interop.finn_stream_types import stream_types
from bonn_hw.ir.design import FoldedDesign, Stage
from bonn_hw.ir.kernel import Passthrough

if TYPE_CHECKING:
    from bonn_hw.frontend.host import Host


class Writing:
    """FINN's nodes, and the shapes, types and encodings of their tensors."""

    def __init__(self, design: FoldedDesign, host: Host) -> None:
        self.design, self.host = design, host
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.kinds = stream_types(design.graph)
        self.counts: dict[str, int] = {}
        self.opset = 13
        # By tensor: our values are factor * FINN's + shift, for each channel.
        self.affine: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}

    def node(
        self,
        stage: Stage | None,
        kind: str,
        inputs: list[str],
        output: str | list[str],
        **attributes: Any,
    ) -> None:
        """Add one of FINN's hardware nodes."""
        outputs = [output] if isinstance(output, str) else output
        name = f"{kind}_{self.counts.get(kind, 0)}"
        self.counts[kind] = self.counts.get(kind, 0) + 1
        attributes |= {"backend": "fpgadataflow"}
        origin = stage.node.origin if stage else ""
        self.nodes.append(
            helper.make_node(kind, inputs, outputs, name, origin, DOMAIN, **attributes)
        )

    def standard(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """Add a standard ONNX operator; returns its output."""
        output = f"host_{len(self.nodes)}"
        name = f"host_{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name, **attributes))
        return output

    def constant(self, value: Any, kind: str = "", dtype: Any = np.float32) -> str:
        """Add a constant of one of FINN's types; returns its name."""
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        if kind:
            self.kinds[name] = kind
        return name

    def tensor(self, stage: Stage) -> tuple[str, str]:
        """Names of a stage's input and output tensor; also stores the output's shape."""
        (output,), (kind,) = stage.node.outputs, stage.node.kernel.outputs
        self.shapes[output] = (1, *kind.shape)
        return stage.node.inputs[0], output

    def state(self, tensor: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Factor and shift of a tensor."""
        return self.affine.get(tensor, (np.ones(1, np.int64), np.zeros(1, np.int64)))

    def vectors(self, tensor: str) -> list[int]:
        """FINN's ``numInputVectors`` of a tensor: its shape without the channels."""
        return list(self.shapes[tensor][:-1])

    def maker(self, tensor: str) -> Stage | None:
        """The stage that outputs a tensor; width converters and FIFOs are skipped."""
        for stage in self.design.stages:
            if tensor in stage.node.outputs:
                if isinstance(stage.node.kernel, Passthrough):
                    return self.maker(stage.node.inputs[0])
                return stage
        return None


def unsupported(stage: Stage, reason: str) -> UnsupportedModel:
    """The error for a layer that FINN's nodes cannot express."""
    return UnsupportedModel(f"{stage.name} ({stage.node.origin}): {reason}")
