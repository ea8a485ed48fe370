# SPDX-License-Identifier: BSD-3-Clause
# mypy: disable-error-code="misc"
"""Our RTL inside FINN: binary layers, max-pools and label selects without Vitis HLS.

    from bonn_hw.interop.finn_backend import SelectBonn
    model = model.transform(SelectBonn())

on FINN's hardware graph, before its bit widths are minimised and its layers specialised, or on the
specialised graph. Importing this module registers the operators with FINN and qonnx; it needs both,
and of bonn_hw only the part that needs NumPy and onnx. An operator has the attributes of the FINN
layer that it replaces, so that FINN's folding files apply, and can still be executed in Python.

Two of FINN's defects with popcounts are not in these operators: their accumulators are wide enough
for all popcounts, and neurons that are always on are supported.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
from finn.custom_op.fpgadataflow.labelselect import LabelSelect
from finn.custom_op.fpgadataflow.matrixvectoractivation import MVAU
from finn.custom_op.fpgadataflow.pool import Pool
from finn.custom_op.fpgadataflow.rtl import register_custom_op
from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import add_op_to_domain, getCustomOp
from qonnx.transformation.base import Transformation

from bonn_hw.errors import UnsupportedModel
from bonn_hw.interop.finn_folding import operator_of
from bonn_hw.interop.finn_ip import FinnIp
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.label_select import LabelSelect as LabelSelectKernel
from bonn_hw.kernels.max_pool import MaxPool
from bonn_hw.kernels.mvu import Mvu

DOMAIN = "finn.custom_op.fpgadataflow.rtl"
BITS = ("BINARY", "BIPOLAR")


class _Bonn(RTLBackend):
    """Common base of our operators; their second base is FINN's layer."""

    @abstractmethod
    def ip(self, model: ModelWrapper) -> FinnIp:
        """The kernel of this layer; raises UnsupportedModel if there is none."""

    def get_nodeattr_types(self) -> dict[str, Any]:
        """FINN's attributes of the layer, our RTL files, and the predicted resources.

        The resources are attributes because FINN asks for them without passing the model.
        """
        ours: dict[str, Any] = dict.fromkeys(("lut", "bram36", "dsp"), ("f", False, 0.0))
        ours["sources"] = ("strings", False, [""])
        return {**super().get_nodeattr_types(), **ours}

    def execute_node(self, context: Any, graph: Any) -> None:
        """FINN's own execution of the layer in Python, or its simulation if asked for."""
        if self.get_nodeattr("exec_mode") == "rtlsim":
            super().execute_node(context, graph)
        else:
            super(RTLBackend, self).execute_node(context, graph)

    def generate_hdl(self, model: ModelWrapper, fpgapart: str, clk: float) -> None:
        """Write the module and its memory images into ``code_gen_dir_ipgen``."""
        name, ip = self.get_verilog_top_module_name(), self.ip(model)
        folder = Path(self.get_nodeattr("code_gen_dir_ipgen")).resolve()
        for file, text in ip.files(name, folder).items():
            (folder / file).write_text(text)
        self.set_nodeattr("gen_top_module", name)
        self.set_nodeattr("ipgen_path", str(folder))
        self.set_nodeattr("ip_path", str(folder))
        self.set_nodeattr("sources", [str(path) for path in ip.sources])
        self.predict(model)

    def predict(self, model: ModelWrapper) -> None:
        """Store the predicted resources of the folded layer as attributes."""
        ip = self.ip(model)
        use = ip.kernel.resources(ip.folding)
        for key, value in (("lut", use.lut), ("bram36", use.bram36), ("dsp", use.dsp)):
            self.set_nodeattr(key, float(value))

    def get_rtl_file_list(self, abspath: bool = False) -> list[str]:
        """The generated module and the files that it instantiates."""
        folder = Path(self.get_nodeattr("code_gen_dir_ipgen"))
        files = [folder / f"{self.get_nodeattr('gen_top_module')}.v"]
        files += [Path(source) for source in self.get_nodeattr("sources")]
        return [str(path.resolve() if abspath else path.name) for path in files]

    def code_generation_ipi(self) -> list[str]:
        """Tcl that adds the files and instantiates the module."""
        name = self.get_nodeattr("gen_top_module")
        files = self.get_rtl_file_list(abspath=True)
        return [
            *(f"add_files -norecurse {file}" for file in files),
            f"create_bd_cell -type module -reference {name} {self.onnx_node.name}",
        ]

    def get_verilog_top_module_intf_names(self) -> dict[str, Any]:
        """Names of the ports: clock, reset, one input stream and one output stream."""
        return {
            "clk": ["ap_clk"],
            "rst": ["ap_rst_n"],
            "s_axis": [("in0_V", self.get_instream_width_padded(0))],
            "m_axis": [("out0_V", self.get_outstream_width_padded(0))],
            "aximm": [],
            "axilite": [],
            "ap_none": [],
        }

    def lut_estimation(self, fpgapart: str) -> int:
        """LUTs, as stored by `predict`."""
        return round(float(self.get_nodeattr("lut")))

    def bram_estimation(self, fpgapart: str) -> int:
        """Block memories of 18 kbit."""
        return round(2 * float(self.get_nodeattr("bram36")))

    def uram_estimation(self, fpgapart: str) -> int:
        """No UltraRAM is used."""
        return 0

    def dsp_estimation(self, fpgapart: str) -> int:
        """DSP slices."""
        return round(float(self.get_nodeattr("dsp")))

    def bram_efficiency_estimation(self, fpgapart: str) -> float:
        """FINN's default for layers that do not compute it."""
        return 1.0


@register_custom_op
class MVAU_bonn(_Bonn, MVAU):  # noqa: N801 - FINN's names of implementations
    """FINN's MVAU with at most one threshold per neuron, by ``mvu.sv``."""

    @property
    def counts(self) -> bool:
        """Whether the sums are popcounts: inputs and weights are bits."""
        kinds = (self.get_nodeattr("inputDataType"), self.get_nodeattr("weightDataType"))
        return bool(self.get_nodeattr("binaryXnorMode")) or kinds == ("BIPOLAR", "BIPOLAR")

    def minimize_accumulator_width(self, model: ModelWrapper, datatype_only: bool = False) -> Any:
        """As FINN does it, except for popcounts, which range from 0 to MW."""
        if not self.counts:
            return MVAU.minimize_accumulator_width(self, model, datatype_only)
        kind = DataType.get_smallest_possible(self.get_nodeattr("MW"))
        self.set_nodeattr("accDataType", kind.name)
        if self.get_nodeattr("noActivation"):
            self.set_nodeattr("outputDataType", kind.name)
        return kind

    def ip(self, model: ModelWrapper) -> FinnIp:
        """``mvu``; without thresholds it outputs 2 p for a popcount p: the lowest bit is cut."""
        weights = model.get_initializer(self.onnx_node.input[1])
        attribute = self.get_nodeattr
        if weights is None or attribute("runtime_writeable_weights") or attribute("mlo_max_iter"):
            raise UnsupportedModel(f"{self.onnx_node.name}: weights that change at run time")
        weights = np.rint(weights.T).astype(np.int64)
        if attribute("weightDataType") == "BINARY":
            if not attribute("binaryXnorMode"):
                raise UnsupportedModel(f"{self.onnx_node.name}: weights of 0 and 1 without XNOR")
            weights = 2 * weights - 1
        kind = np.int8 if np.abs(weights).max() < 128 else np.int16
        pixels = (int(np.prod(attribute("numInputVectors"))), 1)
        element = BIPOLAR if self.counts else _element(attribute("inputDataType"))
        wide = weights.shape[1]
        thresholds = offsets = None
        out_bits = DataType[attribute("outputDataType")].bitwidth()
        if attribute("noActivation"):
            offsets = np.full((1, len(weights)), wide if self.counts else 0, np.int64)
        else:
            limits = model.get_initializer(self.onnx_node.input[2])
            if (
                limits.shape[1] != 1
                or attribute("outputDataType") not in BITS
                or attribute("ActVal")
            ):
                raise UnsupportedModel(
                    f"{self.onnx_node.name}: {limits.shape[1]} thresholds per neuron to "
                    f"{attribute('outputDataType')}; one to bits is supported"
                )
            limits = np.broadcast_to(np.ceil(limits[:, 0]).astype(np.int64), len(weights))
            thresholds = (2 * limits - wide if self.counts else limits)[None]
        kernel = Mvu(
            pixels, element, weights.astype(kind), thresholds, offsets, (0,) * pixels[0], (0,)
        )
        folding = Folding(attribute("PE"), attribute("SIMD"))
        return FinnIp(kernel, folding, out_bits, shift=int(self.counts and offsets is not None))


@register_custom_op
class Pool_bonn(_Bonn, Pool):  # noqa: N801 - likewise
    """FINN's Pool of maxima behind a sliding window, by ``max_pool.sv``."""

    def ip(self, model: ModelWrapper) -> FinnIp:
        """``max_pool``: all taps of PE channels arrive first, then those of the next PE."""
        attribute = self.get_nodeattr
        if attribute("Function") != "MaxPool":
            raise UnsupportedModel(f"{self.onnx_node.name}: a pool of type {attribute('Function')}")
        lanes, taps = attribute("PE"), int(np.prod(attribute("KernelSize")))
        windows = (
            int(np.prod(attribute("OutImgDims")))
            * attribute("BatchSize")
            * attribute("Channels")
            // lanes
        )
        element = _element(attribute("InputDataType"))
        if element.bipolar:
            element = Element(0, 1)  # the maximum of the codes 0 and 1 is their OR
        kernel = MaxPool(TensorType((windows * taps, 1, lanes), element), (taps, 1))
        return FinnIp(kernel, Folding(lanes, lanes), element.bits)


@register_custom_op
class LabelSelect_bonn(_Bonn, LabelSelect):  # noqa: N801 - likewise
    """FINN's LabelSelect of the first label, by ``label_select.sv``."""

    def ip(self, model: ModelWrapper) -> FinnIp:
        """``label_select``."""
        attribute = self.get_nodeattr
        if attribute("K") != 1:
            raise UnsupportedModel(
                f"{self.onnx_node.name}: the first {attribute('K')} labels; 1 is supported"
            )
        kind = DataType[attribute("inputDataType")]
        if not kind.is_integer() or attribute("inputDataType") in BITS:
            raise UnsupportedModel(
                f"{self.onnx_node.name}: labels of {kind.name}; integers are supported"
            )
        pixels = int(np.prod(attribute("numInputVectors")))
        shape = (pixels, 1, attribute("Labels"))
        kernel = LabelSelectKernel(TensorType(shape, _element(attribute("inputDataType"))))
        bits = DataType[attribute("outputDataType")].bitwidth()
        return FinnIp(kernel, Folding(1, attribute("PE")), bits)


OPERATORS = {"MVAU": MVAU_bonn, "Pool": Pool_bonn, "LabelSelect": LabelSelect_bonn}
for _class in OPERATORS.values():
    add_op_to_domain(DOMAIN, _class)


class SelectBonn(Transformation):
    """Replace FINN's layers by our operators wherever these compute the same.

    Apply it again after the folding has changed: it predicts the resources again. ``left`` maps the
    nodes that were not replaced to the reason.
    """

    def __init__(self) -> None:
        super().__init__()
        self.left: dict[str, str] = {}

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Replace the nodes in place."""
        for node in model.graph.node:
            chosen = OPERATORS.get(operator_of(node.op_type))
            if chosen is None or not node.domain.startswith("finn.custom_op.fpgadataflow"):
                continue
            before = (node.op_type, node.domain)
            node.op_type, node.domain = chosen.__name__, DOMAIN
            try:
                getCustomOp(node).predict(model)
            except UnsupportedModel as reason:
                node.op_type, node.domain = before
                self.left[node.name] = str(reason)
        return model, False


def _element(name: str) -> Element:
    """The value range of one of FINN's data types."""
    if name == "BIPOLAR":
        return BIPOLAR
    kind = DataType[name]
    if not kind.is_integer():
        raise UnsupportedModel(f"elements of {name}; integers are supported")
    return Element(int(kind.min()), int(kind.max()))
