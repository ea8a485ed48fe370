# SPDX-License-Identifier: BSD-3-Clause
"""FINN's file formats for the frontend and for folding files.

`GRAPHS` and `FOLDINGS` are passed in by the pipeline, so that the frontend does not import FINN's
formats itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnx import ModelProto

from bonn_hw.interop import finn_attributes, finn_folding, finn_partitions, finn_reader
from bonn_hw.ir.graph import DataflowGraph


class FinnGraphs:
    """FINN's graphs, translated into QONNX (`frontend.load.Dialect`)."""

    def recognises(self, model: ModelProto) -> bool:
        """Whether a model is a graph of FINN's."""
        return finn_reader.is_finn(model)

    def complete(self, model: ModelProto, folder: Path) -> ModelProto:
        """Insert the partitions of a parent graph, from files in the folder; raises UserError."""
        return finn_partitions.merged(model, folder)

    def translate(self, model: ModelProto) -> ModelProto:
        """Translate the model into QONNX; raises UnsupportedModel."""
        return finn_reader.translate(model)

    def foldings(self, model: ModelProto) -> dict[str, dict[str, Any]]:
        """PE, SIMD and FIFO depths in the attributes of the graph, by FINN's layer names."""
        return finn_attributes.foldings(model)


class FinnFoldings:
    """FINN's folding configuration (`passes.folding_file.FoldingDialect`)."""

    def recognises(self, document: Mapping[str, Any]) -> bool:
        """Whether a document has FINN's layer names."""
        return finn_folding.is_finn(document)

    def to_own(
        self, document: Mapping[str, Any], graph: DataflowGraph, fifos: bool
    ) -> dict[str, dict[str, Any]]:
        """The foldings by our layers' names; FIFO depths only with ``fifos``. Raises UserError."""
        return finn_folding.to_own(document, graph, fifos)


GRAPHS = (FinnGraphs(),)
FOLDINGS = (FinnFoldings(),)
