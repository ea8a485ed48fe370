# SPDX-License-Identifier: BSD-3-Clause
"""Names of nodes: the module's path where PyTorch's exporter states it, such as ``layers.0.conv``.

The exporter calls nodes ``node_Conv_224`` and keeps the path of the module in their metadata.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from onnx import NodeProto

SCOPES = "pkg.torch.onnx.name_scopes"  # "['', 'conv1', 'conv1.weight_quant', '_symbolic_1']"
LONGEST = 4096  # characters of an entry that is read
PATH = re.compile(r"[\w./-]+")
# What Brevitas has inside a layer: the layer's own name says more.
INNER = re.compile(r"\.(act_quant|input_quant|output_quant)\b.*")
PARAMETER = re.compile(r"\.(weight_quant|bias_quant)\b.*")


def name_nodes(nodes: Iterable[NodeProto]) -> list[NodeProto]:
    """Give every node a unique name: its module, its own name, or its operator."""
    named, seen = list(nodes), set[str]()
    for place, node in enumerate(named):
        path, own = _module(node), node.name or f"{node.op_type}_{place}"
        by_operator = f"{path}/{node.op_type}"
        choices = [path, by_operator] if path else [own]
        if path and not re.search("[a-z]", path, re.IGNORECASE):  # a place in a Sequential
            choices = [by_operator]
        choices.append(f"{choices[-1]}_{place}")
        node.name = next((name for name in choices if name not in seen), choices[-1])
        while node.name in seen:
            node.name += "_"
        seen.add(node.name)
    return named


def _module(node: NodeProto) -> str:
    """Path of the module that the node belongs to; empty if the file does not state it."""
    for item in node.metadata_props:
        if item.key == SCOPES and len(item.value) <= LONGEST:
            *modules, function = re.findall(r"'([^']*)'", item.value) or [""]
            inside = next((name for name in reversed(modules) if name), function)
            path = INNER.sub("", PARAMETER.sub(r".\1", inside))
            return path if PATH.fullmatch(path) else ""
    return ""
