# SPDX-License-Identifier: BSD-3-Clause
"""The integer graph of any network by lowering it untrained: seconds, where a chain takes none.

The lines and thresholds of a residual network depend on its training; here they are those of norms
that saw smooth noise. So costs are estimates; the compiled design of a point has the exact ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from bonn_hw import files, frontend, pipeline
from bonn_hw.ir.graph import DataflowGraph

# Options of a training alone: they do not change the exported network.
OF_TRAINING = ("dropout", "sign_gradient", "latent")


def untrained_graph(network: str, options: Mapping[str, Any]) -> DataflowGraph:
    """The graph of a network with these options; the same object for equal options.

    Raises
    ------
    UserError
        If there is no such network, or it cannot be lowered.
    """
    kept = {key: value for key, value in options.items() if key not in OF_TRAINING}
    return _graph(network, json.dumps(kept, sort_keys=True))


@cache
def _graph(network: str, options: str) -> DataflowGraph:
    from bonn_hw.nn.export import export  # imports torch
    from bonn_hw.nn.untrained import untrained

    with files.scratch() as folder:
        file = folder / "model.onnx"
        export(untrained(network, json.loads(options)), file)
        return frontend.lower(pipeline.read_model(file), None, None).graph
