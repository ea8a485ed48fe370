# SPDX-License-Identifier: BSD-3-Clause
"""Run Brevitas' exporter, and name every node by its module, such as ``features.3``."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from types import SimpleNamespace
from unittest import mock

import brevitas.export.onnx.manager as brevitas_manager
import onnx
import torch
from brevitas.export import export_qonnx
from onnx import NodeProto
from torch import nn

from bonn_hw.frontend.layer_names import SCOPES, name_nodes

OPSET = 17
HANDLER = re.compile(r"\.export_handler(_\d+)?$")


def trace(
    module: nn.Module, example: torch.Tensor, input_name: str, output_name: str
) -> onnx.ModelProto:
    """Trace a module with one example ``(1, ...)``."""
    # Brevitas asks for onnxoptimizer, whose one pass (constants to initialisers) we do ourselves.
    no_optimizer = SimpleNamespace(optimize=lambda model, passes: model)
    patched = mock.patch.multiple(brevitas_manager, onnx=onnx, opt=no_optimizer)
    with patched, warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        proto: onnx.ModelProto = export_qonnx(
            module,
            args=example,
            export_path=None,
            opset_version=OPSET,
            dynamo=False,
            input_names=[input_name],
            output_names=[output_name],
        )
    return proto


def tidy(proto: onnx.ModelProto) -> None:
    """Make initialisers of constants, and name the nodes by their modules; in place.

    The path of each node's module is kept in its metadata, as PyTorch's newer exporter does.
    """
    graph = proto.graph
    computed = []
    for node in graph.node:
        if node.op_type == "Constant" and [one.name for one in node.attribute] == ["value"]:
            graph.initializer.append(node.attribute[0].t)
            graph.initializer[-1].name = node.output[0]
        else:
            computed.append(node)
    for node in computed:
        node.doc_string = ""
        *scopes, function = node.name.split("/")[1:] or [node.op_type.lower()]
        paths = ["", *module_paths(scopes), function]
        node.metadata_props.add(key=SCOPES, value=str(paths))
    name_nodes(computed)
    del graph.node[:]
    graph.node.extend(computed)


def module_paths(scopes: list[str]) -> list[str]:
    """The modules, from the outermost to the innermost, that a node of the tracer lies in.

    The tracer names a module in a Sequential from the first Sequential on, and any other module by
    its own name.

    >>> module_paths(["stage", "stage.0", "conv"])
    ['stage', 'stage.0', 'stage.0.conv']
    """
    paths: list[str] = []
    start, before = "", ""
    for scope in scopes:
        if not before or not scope.startswith(f"{before}."):
            start = f"{paths[-1]}." if paths else ""
        paths.append(start + scope)
        before = scope
    return paths


def quantiser_of(node: NodeProto) -> str:
    """Path of Brevitas' quantiser that a node was exported from; empty for other nodes."""
    inner = ""
    for item in node.metadata_props:
        if item.key == SCOPES:
            *modules, _ = re.findall(r"'([^']*)'", item.value) or [""]
            inner = next((name for name in reversed(modules) if name), "")
    if not inner and node.name.startswith("/"):  # as the tracer leaves it
        *_, inner = ["", *module_paths(node.name.split("/")[1:-1])]
    return HANDLER.sub("", inner) if HANDLER.search(inner) else ""
