# SPDX-License-Identifier: BSD-3-Clause
"""Our kernels as FINN's hardware nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw.frontend.requantization import Quantiser
from bonn_hw.interop.finn_folding import TAPS
from bonn_hw.interop.finn_stream_types import BITS, TERNARY, integer_type, width
from bonn_hw.interop.finn_thresholds import falling, limits_of, reachable
from bonn_hw.interop.finn_writing import Writing, unsupported
from bonn_hw.interop.true_zeros import thresholds_on_zeros
from bonn_hw.ir.design import Stage
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.tensor import Element
from bonn_hw.kernels.add import Add
from bonn_hw.kernels.average_pool import AveragePool
from bonn_hw.kernels.fifo import Fifo
from bonn_hw.kernels.max_pool import MaxPool
from bonn_hw.kernels.multi_threshold import MultiThreshold
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.pad import Pad
from bonn_hw.kernels.requantize import Requantize
from bonn_hw.kernels.sliding_window import SlidingWindow
from bonn_hw.kernels.stream_fork import StreamFork
from bonn_hw.kernels.threshold import Threshold
from bonn_hw.kernels.width_converter import WidthConverter


def refuse(here: Writing, stage: Stage) -> None:
    """Refuse a kernel without a counterpart."""
    stem = stage.node.kernel.stem
    raise unsupported(
        stage,
        f"FINN's graphs have no counterpart of a {stem} yet: export the QONNX model instead",
    )


def _passthrough(here: Writing, stage: Stage) -> None:
    source, output = here.tensor(stage)
    kernel: Kernel = stage.node.kernel
    shape, kind = here.shapes[source], here.kinds[source]
    here.shapes[output], here.kinds[output] = shape, kind
    here.affine[output] = here.state(source)
    bits = width(kind)
    lanes_in, lanes_out = kernel.lanes(stage.folding)
    if isinstance(kernel, Fifo):
        folded = (*shape[:-1], shape[-1] // lanes_in, lanes_in)
        attributes: dict[str, Any] = {"depth": kernel.depth, "folded_shape": folded}
        attributes |= {"normal_shape": shape, "dataType": kind}
        here.node(stage, "StreamingFIFO", [source], output, **attributes)
        return
    attributes = {"inShape": shape, "outShape": shape, "dataType": kind}
    attributes |= {"inWidth": lanes_in * bits, "outWidth": lanes_out * bits}
    here.node(stage, "StreamingDataWidthConverter", [source], output, **attributes)


def _pad(here: Writing, stage: Stage) -> None:
    source, output = here.tensor(stage)
    kernel = stage.node.kernel
    assert isinstance(kernel, Pad)  # noqa: S101  # narrows: WRITERS is keyed by the class
    height, width, channels = kernel.input.shape
    zero = -1 if kernel.input.element.bipolar else 0
    if kernel.value != zero:
        raise unsupported(stage, f"pads with {kernel.value}, and FINN's FMPadding with {zero}")
    here.node(
        stage,
        "FMPadding",
        [source],
        output,
        ImgDim=[height, width],
        Padding=list(kernel.pads),
        NumChannels=channels,
        SIMD=stage.folding.simd,
        inputDataType=here.kinds[source],
    )
    here.kinds[output] = here.kinds[source]


def _windows(
    here: Writing,
    stage: Stage,
    tensors: tuple[str, str],
    sides: tuple[tuple[int, int], tuple[int, int]],
    **attributes: Any,
) -> None:
    height, width, channels = stage.node.kernel.inputs[0].shape
    kernel, stride = sides
    outputs = [(x - k) // s + 1 for x, k, s in zip((height, width), kernel, stride, strict=True)]
    here.shapes[tensors[1]] = (1, *outputs, kernel[0] * kernel[1] * channels)
    kind = here.kinds[tensors[0]]
    here.kinds[tensors[1]] = kind
    attributes |= {"ConvKernelDim": list(kernel), "Stride": list(stride), "Dilation": [1, 1]}
    attributes |= {"IFMChannels": channels, "IFMDim": [height, width], "OFMDim": outputs}
    attributes |= {"SIMD": stage.folding.simd, "inputDataType": kind, "outputDataType": kind}
    here.node(stage, "ConvolutionInputGenerator", [tensors[0]], tensors[1], **attributes)


def _slide(here: Writing, stage: Stage) -> None:
    kernel = stage.node.kernel
    assert isinstance(kernel, SlidingWindow)  # noqa: S101  # narrows: WRITERS is keyed by the class
    # FINN outputs one tap per beat; several per beat are written as an attribute for our reader.
    taps = stage.folding.pe // stage.folding.simd
    more = {TAPS: taps} if taps > 1 else {}
    tensors = here.tensor(stage)
    _windows(here, stage, tensors, (kernel.kernel, kernel.stride), depthwise=0, **more)


def _pool(here: Writing, stage: Stage) -> None:
    source, output = here.tensor(stage)
    kernel = stage.node.kernel
    assert isinstance(kernel, MaxPool)  # noqa: S101  # narrows: WRITERS is keyed by the class
    before = here.maker(source)
    if before is not None and isinstance(before.node.kernel, SlidingWindow):
        raise unsupported(stage, "overlapping windows of a pool cannot be written in FINN's form")
    _windowed(here, stage, source, output, "MaxPool", here.kinds[source])
    here.affine[output] = here.state(source)


def _windowed(
    here: Writing, stage: Stage, source: str, output: str, function: str, kind: str
) -> None:
    """Windows that do not overlap, and a Pool that outputs a type."""
    kernel = stage.node.kernel
    assert isinstance(kernel, MaxPool | AveragePool)  # noqa: S101  # narrows: both have windows
    windows, sides = f"{output}_windows", (kernel.kernel, kernel.kernel)
    _windows(here, stage, (source, windows), sides, depthwise=1)
    rows, columns, channels = kernel.outputs[0].shape
    attributes: dict[str, Any] = {"Function": function, "KernelSize": list(kernel.kernel)}
    attributes |= {"Channels": channels, "PE": stage.folding.pe, "OutImgDims": [rows, columns]}
    attributes |= {"InputDataType": here.kinds[source], "OutputDataType": kind}
    if function == "AccPool":
        attributes |= {"AccumBits": width(kind), "Size": kernel.kernel[0] * kernel.kernel[1]}
    here.node(stage, "Pool", [windows], output, **attributes)
    here.kinds[output] = kind


def _average(here: Writing, stage: Stage) -> None:
    """The sums of windows; the division is in the thresholds that follow."""
    source, output = here.tensor(stage)
    kernel = stage.node.kernel
    assert isinstance(kernel, AveragePool)  # noqa: S101  # narrows: WRITERS is keyed by the class
    _plain(here, stage, source)
    kind = integer_type(kernel.outputs[0].element)
    if kernel.kernel != kernel.input.shape[:2]:
        _windowed(here, stage, source, output, "AccPool", kind)
        return
    attributes: dict[str, Any] = {"NumChannels": kernel.input.shape[2], "PE": stage.folding.pe}
    attributes |= {"inputDataType": here.kinds[source], "numInputVectors": here.vectors(source)}
    here.node(stage, "GlobalAccPool", [source], output, **attributes)
    here.kinds[output] = kind


def _plain(here: Writing, stage: Stage, tensor: str) -> None:
    """Refuse sums that FINN has in another form."""
    factor, shift = here.state(tensor)
    if (factor != 1).any() or shift.any():
        raise unsupported(
            stage, "its input has offsets for each channel, which FINN's sums do not have"
        )


def _fork(here: Writing, stage: Stage) -> None:
    source, kernel = stage.node.inputs[0], stage.node.kernel
    for output in stage.node.outputs:
        here.shapes[output], here.kinds[output] = here.shapes[source], here.kinds[source]
        here.affine[output] = here.state(source)
    attributes: dict[str, Any] = {"NumChannels": kernel.inputs[0].shape[2], "PE": stage.folding.pe}
    attributes |= {"NumOutputStreams": len(stage.node.outputs), "inputDataType": here.kinds[source]}
    attributes |= {"numInputVectors": here.vectors(source)}
    attributes |= {"outFIFODepths": [2] * len(stage.node.outputs)}
    here.node(stage, "DuplicateStreams", [source], list(stage.node.outputs), **attributes)


def _add(here: Writing, stage: Stage) -> None:
    _, output = here.tensor(stage)
    left, right = stage.node.inputs
    for name in (left, right):
        _plain(here, stage, name)
    kernel = stage.node.kernel
    shape = here.shapes[output] = here.shapes[left]
    here.kinds[output] = integer_type(kernel.outputs[0].element)
    attributes: dict[str, Any] = {"lhs_dtype": here.kinds[left], "rhs_dtype": here.kinds[right]}
    attributes |= {"out_dtype": here.kinds[output], "PE": stage.folding.pe}
    attributes |= {key: list(shape) for key in ("lhs_shape", "rhs_shape", "out_shape")}
    attributes |= {"lhs_style": "input", "rhs_style": "input"}
    here.node(stage, "ElementwiseAdd", [left, right], output, **attributes)


def _threshold(here: Writing, stage: Stage) -> None:
    kernel = stage.node.kernel
    assert isinstance(kernel, Threshold)  # noqa: S101  # narrows: WRITERS is keyed by the class
    if kernel.inverted.any():
        raise unsupported(
            stage, "has channels that are on below their threshold, which FINN's are not"
        )
    three = here.kinds[stage.node.outputs[0]] == TERNARY
    limits = np.repeat(kernel.thresholds[:, None], 1 + three, axis=1)
    _thresholding(here, stage, limits, -1 if three else 0)


def _quantise(here: Writing, stage: Stage) -> None:
    kernel = stage.node.kernel
    assert isinstance(kernel, Quantiser)  # noqa: S101  # narrows: WRITERS is keyed by the class
    factor, _ = here.state(stage.node.inputs[0])
    reach = reachable(kernel, here.maker(stage.node.inputs[0]))
    _thresholding(here, stage, limits_of(stage, kernel, reach, factor < 0), kernel.element.low)


def _thresholding(here: Writing, stage: Stage, limits: NDArray[np.int64], start: int) -> None:
    """Thresholds ``(C, steps)`` on our integers, as thresholds on FINN's."""
    source, output = here.tensor(stage)
    factor, shift = here.state(source)
    here.shapes[output] = here.shapes[source]
    moved = -((shift[:, None] - limits) // factor[:, None])  # rounded up
    element = Element(int(moved.min()), int(moved.max()))
    held = here.constant(moved, integer_type(element))
    attributes: dict[str, Any] = {"NumChannels": len(limits), "PE": stage.folding.pe}
    attributes |= {"numSteps": limits.shape[1], "ActVal": start}
    attributes |= {"inputDataType": here.kinds[source], "outputDataType": here.kinds[output]}
    attributes |= {"weightDataType": integer_type(element)}
    attributes |= {"numInputVectors": here.vectors(source)}
    here.node(stage, "Thresholding", [source, held], output, **attributes)


def _turned(here: Writing, stage: Stage) -> NDArray[np.bool_]:
    """The channels of a matrix unit whose weights are negated: the requantiser behind falls."""
    kernel, tensor = stage.node.kernel, stage.node.outputs[0]
    none = np.zeros(kernel.outputs[0].shape[2], np.bool_)
    for later in here.design.stages:
        if tensor not in later.node.inputs:
            continue
        if isinstance(later.node.kernel, Fifo | WidthConverter):
            tensor = later.node.outputs[0]
        elif isinstance(later.node.kernel, Quantiser):
            return falling(later, later.node.kernel, stage)
        else:
            return none
    return none


def _mvu(here: Writing, stage: Stage) -> None:
    source, output = here.tensor(stage)
    kernel = stage.node.kernel
    assert isinstance(kernel, Mvu)  # noqa: S101  # narrows: WRITERS is keyed by the class
    (high, wide), kind = kernel.weights.shape, here.kinds[source]
    popcount = kind == BITS
    turned = _turned(here, stage)
    signs = np.where(turned, -1, 1)
    weights = kernel.weights.T * signs
    coded = ((weights + 1) // 2, BITS) if popcount else (weights, _weight_type(weights))
    held = here.constant(*coded)
    thresholds = thresholds_on_zeros(kernel, _outside(here, stage))
    if thresholds is None:
        raise unsupported(
            stage, "its border is not padded with zeros, which FINN's thresholds cannot express"
        )
    attributes: dict[str, Any] = {"MW": wide, "MH": high, "PE": stage.folding.pe}
    attributes |= {"SIMD": stage.folding.simd, "ActVal": 0, "inputDataType": kind}
    attributes |= {"weightDataType": coded[1]}
    attributes |= {"binaryXnorMode": int(popcount), "noActivation": int(kernel.thresholds is None)}
    single = kernel.pixels == (1, 1)
    attributes["numInputVectors"] = [1] if single else [1, *kernel.pixels]
    here.shapes[output] = (1, high) if single else (1, *kernel.pixels, high)
    inputs = [source, held]
    if kernel.thresholds is None:
        # Our sums are signs * (2 p - MW) + offset, or signs * FINN's sums + offset.
        factor = (2 if popcount else 1) * (signs if turned.any() else np.ones(1, np.int64))
        shift = thresholds - (wide * signs if popcount else 0)
        here.affine[output] = (factor, shift.astype(np.int64))
        sums = Element(0, wide) if popcount else _sums(kernel)
        here.kinds[output] = attributes["outputDataType"] = integer_type(sums)
    else:
        limits = -(-(thresholds + wide) // 2) if popcount else thresholds
        limits = np.clip(limits, 0, wide + 1) if popcount else limits
        three = here.kinds[output] == TERNARY
        attributes |= {"outputDataType": here.kinds[output], "ActVal": -1 if three else 0}
        element = Element(int(limits.min()), int(limits.max()))
        held = here.constant(np.repeat(limits[:, None], 1 + three, axis=1), integer_type(element))
        inputs.append(held)
    attributes["accDataType"] = integer_type(Element(0, wide) if popcount else _sums(kernel))
    here.node(stage, "MVAU", inputs, output, **attributes)


def _weight_type(weights: NDArray[Any]) -> str:
    """The narrowest type of some weights."""
    if np.isin(weights, (-1, 1)).all():
        return "BIPOLAR"
    return integer_type(Element(min(-2, int(weights.min())), max(1, int(weights.max()))))


def _sums(kernel: Mvu) -> Element:
    """The value range of the sums of a unit, with true zeros among the inputs or without."""
    largest = max(-kernel.element.low, kernel.element.high)
    reach = int(np.abs(kernel.weights.astype(np.int64)).sum(axis=1).max()) * largest
    return Element(-reach, max(reach, 1))


def _outside(here: Writing, stage: Stage) -> NDArray[np.bool_] | None:
    """Which inputs of a unit are padding, ``(OH, OW, MW)``; None if none are."""
    slide = here.maker(stage.node.inputs[0])
    if slide is None or not isinstance(slide.node.kernel, SlidingWindow):
        return None
    pad = here.maker(slide.node.inputs[0])
    if pad is None or not isinstance(pad.node.kernel, Pad):
        return None
    frame = np.zeros((1, *pad.node.kernel.input.shape), np.int8)
    top, left, bottom, right = pad.node.kernel.pads
    border = ((0, 0), (top, bottom), (left, right), (0, 0))
    (windows,) = slide.node.kernel.reference(np.pad(frame, border, constant_values=1))
    outside: NDArray[np.bool_] = windows[0].astype(np.bool_)
    return outside


WRITERS: Mapping[type[Kernel], Any] = {
    Fifo: _passthrough,
    WidthConverter: _passthrough,
    Pad: _pad,
    SlidingWindow: _slide,
    MaxPool: _pool,
    AveragePool: _average,
    Mvu: _mvu,
    Requantize: _quantise,
    MultiThreshold: _quantise,
    Threshold: _threshold,
    Add: _add,
    StreamFork: _fork,
}
