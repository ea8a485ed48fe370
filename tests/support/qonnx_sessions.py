# SPDX-License-Identifier: BSD-3-Clause
"""qonnx's own execution, with what is the same for every frame kept.

For every node of every frame qonnx searches the whole graph for shapes and types of its tensors,
makes a model of the one node, and a session of ONNX Runtime with threads of its own: nearly all of
the time of most tests that compare with it. None of that has a state. Its loop, its operators and
its checks of values are as they are.
"""

from __future__ import annotations

from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any

import onnx
import onnxruntime
from onnx import helper
from qonnx.core import onnx_exec
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.channels_last import base_wrapped_op
from qonnx.custom_op.general import quantavgpool2d
from qonnx.custom_op.registry import is_custom_op
from qonnx.util.basic import qonnx_make_model

_with_a_search = onnx_exec.execute_node


@lru_cache(maxsize=256)
def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options)


for module in (onnx_exec, base_wrapped_op, quantavgpool2d):
    module.rt = SimpleNamespace(InferenceSession=_session)


class Kept(ModelWrapper):
    """A model that stays as it is: qonnx answers each question about it once."""

    def __init__(self, content: bytes) -> None:
        super().__init__(onnx.load_model_from_string(content))
        for name in ("get_tensor_datatype", "check_all_tensor_shapes_specified", "analysis"):
            setattr(self, name, cache(getattr(self, name)))
        known = (*self.graph.input, *self.graph.output, *self.graph.value_info)
        self.values = {value.name: value for value in known}
        self.sessions: dict[str, onnxruntime.InferenceSession] = {}

    def session(self, node: onnx.NodeProto, opset: int) -> onnxruntime.InferenceSession:
        """ONNX Runtime for one node, whose model is that of qonnx."""
        key = node.output[0]
        if key not in self.sessions:
            inputs, outputs = (
                [self.values[name] for name in dict.fromkeys(names) if name in self.values]
                for names in (node.input, node.output)
            )
            model = qonnx_make_model(helper.make_graph([node], "one", inputs, outputs))
            model.opset_import[0].version = opset
            self.sessions[key] = _session(model.SerializeToString())
        return self.sessions[key]


@lru_cache(maxsize=4)
def _kept(content: bytes) -> Kept:
    return Kept(content)


def execute_onnx(model: ModelWrapper, given: dict, **options: Any) -> dict:
    """qonnx's function of this name, with its answers."""
    kept = _kept(model.model.SerializeToString())

    def execute(node, context, graph, opset, full=False) -> None:
        bodies = any(attribute.type == onnx.AttributeProto.GRAPH for attribute in node.attribute)
        # An operator of qonnx may execute a model of its own.
        if graph is not kept.graph or bodies or is_custom_op(node.domain, node.op_type):
            _with_a_search(node, context, graph, opset, full)
            return
        feed = {name: context[name] for name in node.input}
        answers = kept.session(node, opset).run(list(node.output), feed)
        context.update(zip(node.output, answers, strict=True))

    onnx_exec.execute_node = execute
    try:
        return onnx_exec.execute_onnx(kept, given, **options)
    finally:
        onnx_exec.execute_node = _with_a_search
