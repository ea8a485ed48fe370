# SPDX-License-Identifier: BSD-3-Clause
"""Compute what depends on constants alone, all of it in one pass over the graph."""

from __future__ import annotations

from collections.abc import Collection

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_node
from qonnx.transformation.infer_shapes import InferShapes


def fold_constants(model: ModelWrapper, excluded: Collection[str]) -> ModelWrapper:
    """The same as qonnx's ``FoldConstants``, which folds one node at a time; in place.

    After each node qonnx infers all shapes anew, on a copy: the time grows with the square of the
    number of layers.

    Parameters
    ----------
    excluded : collection of str
        Types of nodes that stay, whatever their inputs are.
    """
    while _folded_once(model, excluded):
        model = model.transform(InferShapes(), make_deepcopy=False)
    return model


def _folded_once(model: ModelWrapper, excluded: Collection[str]) -> bool:
    """Fold in the order of the graph, so that what is computed is a constant of later nodes."""
    values = model.make_empty_exec_context()
    opset = model.model.opset_import[0].version
    folded = False
    for node in list(model.graph.node):
        if node.op_type in excluded:
            continue
        if any(model.get_initializer(name) is None for name in node.input):
            continue
        if folded and model.get_tensor_shape(node.output[0]) is None:
            continue  # known after the next inference
        for name in node.input:
            model.get_tensor_shape(name, fix_missing_init_shape=True)
        execute_node(node, values, model.graph, opset_version=opset)
        model.set_initializer(node.output[0], values[node.output[0]])
        model.graph.node.remove(node)
        folded = True
    return folded
