# SPDX-License-Identifier: BSD-3-Clause
"""The integer graph of any network by lowering it untrained: seconds, where a chain takes none.

The lines and thresholds of a residual network depend on its training; here they are those of norms
that saw smooth noise. So costs are estimates; the compiled design of a point has the exact ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any

from bonn_hw import files, frontend, pipeline
from bonn_hw.errors import UserError
from bonn_hw.explore.space import Candidate
from bonn_hw.ir.graph import DataflowGraph
from bonn_hw.nn.own.source import OwnName
from bonn_hw.nn.own.trial import OF_THE_DATA, told

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


@dataclass(frozen=True)
class OwnHardware:
    """The user's own network before it is trained.

    Attributes
    ----------
    identity
        Equal for networks that are exported alike, and whose modules have the same parts and plain
        values: those may be of the training alone, such as the share of a dropout.
    """

    graph: DataflowGraph
    identity: str


def own_hardware(candidate: Candidate) -> OwnHardware:
    """The hardware of a candidate with an own network; the same object for equal options.

    Raises
    ------
    UserError
        If the network cannot be made or lowered; the message begins with its choices.
    """
    own = candidate.own
    if own is None:
        raise ValueError(f"{candidate.network} is a network of bonn_hw")
    options = json.dumps(candidate.options)
    return _own(own, candidate.folder, options, own.text(candidate.folder))


@cache
def _own(own: OwnName, folder: str, options: str, text: str) -> OwnHardware:
    from bonn_hw.nn.export_run import export_own  # imports torch
    from bonn_hw.nn.own.network import OwnNetwork
    from bonn_hw.nn.untrained import untrained

    given = json.loads(options)
    network = untrained(str(own), given, folder)
    if not isinstance(network, OwnNetwork):
        raise TypeError(f"{own} is made as a {type(network).__name__}")
    with files.scratch() as place:
        file = place / "model.onnx"
        try:
            exported = export_own(network, file)
            graph = frontend.lower(pipeline.read_model(file), None, None).graph
        except UserError as error:
            choices = told({k: v for k, v in given.items() if k not in OF_THE_DATA})
            reason = str(error).replace(f"model {file} ", "its file ")
            raise UserError(f"{own} with {choices}: {reason}") from error
    return OwnHardware(graph, f"{exported.sha256} {_parts(network)}")


def _parts(network: Any) -> str:
    """What the modules of a network print, and their plain values, hashed."""
    rows = [repr(network)]
    for name, module in network.named_modules():
        plain = {
            key: value
            for key, value in vars(module).items()
            if isinstance(value, bool | int | float | str | tuple) and key != "training"
        }
        rows.append(f"{name} {sorted(plain.items())}")
    return sha256("\n".join(rows).encode()).hexdigest()


@cache
def _graph(network: str, options: str) -> DataflowGraph:
    from bonn_hw.nn.export import export  # imports torch
    from bonn_hw.nn.untrained import untrained

    with files.scratch() as folder:
        file = folder / "model.onnx"
        export(untrained(network, json.loads(options)), file)
        return frontend.lower(pipeline.read_model(file), None, None).graph
