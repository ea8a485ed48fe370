# SPDX-License-Identifier: BSD-3-Clause
"""The graphs that FINN's builder leaves, step by step; runs in the environment of `make finn-env`.

    .venv-finn/bin/python steps.py MODEL.onnx FRAMES.npy FOLDER

Writes the graph after each step into FOLDER, the partitions into FOLDER/partitions, and
answers.npy: FINN's Python execution of its hardware graph for the frames. The graphs with labels
answer the largest output's; they end with the hardware graph.
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import numpy as np
from finn.transformation.fpgadataflow.create_dataflow_partition import CreateDataflowPartition
from finn.transformation.fpgadataflow.insert_dwc import InsertDWC
from finn.transformation.fpgadataflow.insert_fifo import InsertFIFO
from finn.transformation.fpgadataflow.insert_iodma import InsertIODMA
from finn.transformation.fpgadataflow.insert_tlastmarker import InsertTLastMarker
from finn.transformation.fpgadataflow.set_folding import SetFolding
from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
from hardware_graph import applied, stages
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.general import GiveUniqueNodeNames, SortGraph
from witness import answers, minimised

PART = "xc7z020clg400-1"


def main() -> None:
    """Run the steps, and save each graph."""
    source, frames, folder = sys.argv[1:]
    target = Path(folder).resolve()
    for labels in (False, True):
        for place, (name, model) in enumerate(stages(ModelWrapper(source), labels)):
            model.save(str(target / f"{place}_{name}{'_labels' * labels}.onnx"))
        if not labels:
            np.save(target / "answers.npy", answers(model, np.load(frames)))
            hardware(model, target)


def hardware(model: ModelWrapper, target: Path) -> None:
    """The steps behind the hardware graph."""
    model = minimised(model)
    model.save(str(target / "4_minimised.onnx"))
    parent = model.transform(CreateDataflowPartition(str(target / "partitions")))
    parent.save(str(target / "5_parent.onnx"))
    (node,) = parent.get_nodes_by_op_type("StreamingDataflowPartition")
    model = ModelWrapper(getCustomOp(node).get_nodeattr("model"))
    for name, steps in (
        ("6_specialised", [SpecializeLayers(PART), GiveUniqueNodeNames()]),
        ("7_folded", [SetFolding(target_cycles_per_frame=2000)]),
        ("8_with_queues", [InsertDWC(), InsertFIFO(create_shallow_fifos=True)]),
        ("9_with_memory", [InsertIODMA(64), InsertTLastMarker()]),
    ):
        model = applied(copy.deepcopy(model), steps)
        model = applied(model, [SpecializeLayers(PART), SortGraph(), GiveUniqueNodeNames()])
        model.save(str(target / f"{name}.onnx"))


if __name__ == "__main__":
    main()
