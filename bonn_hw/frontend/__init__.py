# SPDX-License-Identifier: BSD-3-Clause
"""QONNX file -> DataflowGraph, exact by construction: the only importer of onnx and qonnx.

``read(path)`` gives a `Model` that answers as the file does; ``lower(model)`` gives the integer
graph, the `Host` part on both sides of it, and what the user should know.
"""

from bonn_hw.frontend.host import Host
from bonn_hw.frontend.load import read
from bonn_hw.frontend.lower import Lowered, lower
from bonn_hw.frontend.model import Model

__all__ = ["Host", "Lowered", "Model", "lower", "read"]
