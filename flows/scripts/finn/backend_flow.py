# SPDX-License-Identifier: BSD-3-Clause
"""FINN's flow with bonn_hw's operators, as far as it goes without a vendor's tool.

    .venv-finn/bin/python backend_flow.py MODEL.onnx FRAMES.npy FOLDER [FOLDING.json]

Writes into FOLDER: selected.onnx, the hardware graph that everything was generated of; its tensors
for all frames by FINN's Python execution (tensors.npz); and facts.json: each step and what it said,
the layers with their implementation, files, streams and Tcl.
"""

from __future__ import annotations

import copy
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from finn.transformation.fpgadataflow.create_dataflow_partition import CreateDataflowPartition
from finn.transformation.fpgadataflow.insert_dwc import InsertDWC
from finn.transformation.fpgadataflow.insert_fifo import InsertFIFO
from finn.transformation.fpgadataflow.prepare_ip import PrepareIP
from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
from finn.transformation.general import ApplyConfig
from hardware_graph import applied, hardware
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.general import (
    GiveUniqueNodeNames,
    SortGraph,
)
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes
from witness import executed, minimised

from bonn_hw.interop.finn_backend import SelectBonn

PART, CLOCK_NS = "xc7z020clg400-1", 10.0


def main() -> None:
    """Run the steps one by one."""
    source, frames, folder, *folding = sys.argv[1:]
    target = Path(folder).resolve()
    os.environ["FINN_BUILD_DIR"] = str(target)
    select = SelectBonn()
    folds = [ApplyConfig(name) for name in folding]
    steps: list[tuple[str, Callable[[ModelWrapper], ModelWrapper]]] = [
        ("SelectBonn", lambda model: model.transform(select)),
        ("bit widths minimised", minimised),
        ("CreateDataflowPartition", lambda model: partition(model, target)),
        ("ApplyConfig", lambda model: applied(model, folds)),
        ("SpecializeLayers", specialised),
        ("InsertDWC", lambda model: specialised(model.transform(InsertDWC()))),
        ("InsertFIFO", lambda model: specialised(model.transform(InsertFIFO()))),
        ("SelectBonn again, for its predictions", lambda model: model.transform(SelectBonn())),
        ("PrepareIP", lambda model: model.transform(PrepareIP(PART, CLOCK_NS))),
    ]
    model = hardware(ModelWrapper(source), labels=True)
    whole, ran = model, ["conversion to hardware layers"]
    for name, step in steps:
        print(name, flush=True)
        if name == "SpecializeLayers":  # FINN executes the graph in Python up to here
            abstract = model
        model = step(copy.deepcopy(model))
        ran.append(name)
    model.save(str(target / "selected.onnx"))
    # What the host computes before the first layer is not in the partition.
    taken = executed(whole, np.load(frames))[first_input(whole)]
    np.savez(target / "tensors.npz", **executed(abstract, taken.astype(np.float32)))
    wires = {node.output[0]: node.input[0] for node in abstract.graph.node}
    facts = {"steps": ran, "left": select.left, "layers": layers(model, wires)}
    (target / "facts.json").write_text(json.dumps(facts, indent=1))


def partition(model: ModelWrapper, folder: Path) -> ModelWrapper:
    """The part that is hardware."""
    parent = model.transform(CreateDataflowPartition(str(folder / "partition")))
    (node,) = parent.get_nodes_by_op_type("StreamingDataflowPartition")
    return ModelWrapper(getCustomOp(node).get_nodeattr("model"))


def first_input(model: ModelWrapper) -> str:
    """What the first layer takes."""
    return next(node for node in model.graph.node if node.domain.startswith("finn")).input[0]


def specialised(model: ModelWrapper) -> ModelWrapper:
    """Layers with an implementation each, in order, named anew."""
    model = model.transform(SpecializeLayers(PART)).transform(SortGraph())
    return applied(model, [GiveUniqueNodeNames(), InferShapes(), InferDataTypes()])


def layers(model: ModelWrapper, wires: dict[str, str]) -> list[dict]:
    """Every layer of FINN's: what implements it, its files, streams and Tcl.

    ``wires`` says what the maker of a tensor takes, before converters and queues were inserted.
    """
    found = []
    for node in model.graph.node:
        if not node.domain.startswith("finn"):
            continue
        operator = getCustomOp(node)
        facts = {"name": node.name, "operator": node.op_type, "domain": node.domain}
        facts |= {"input": wires.get(node.output[0]), "output": node.output[0]}
        if node.domain.endswith(".rtl"):
            facts["files"] = [str(file) for file in operator.get_rtl_file_list(abspath=True)]
            facts["tcl"] = operator.code_generation_ipi()
            ports = operator.get_verilog_top_module_intf_names()
            facts["ports"] = {key: ports[key] for key in ("s_axis", "m_axis")}
            facts["folded"] = [
                [int(extent) for extent in shape]
                for shape in (operator.get_folded_input_shape(), operator.get_folded_output_shape())
            ]
            facts["kinds"] = [
                operator.get_input_datatype().name,
                operator.get_output_datatype().name,
            ]
            facts["cycles"] = int(operator.get_exp_cycles())
        found.append(facts)
    return found


if __name__ == "__main__":
    main()
