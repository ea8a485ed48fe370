# SPDX-License-Identifier: BSD-3-Clause
"""Chains of 1-bit blocks (matrix product, batch norm, sign, pool) and a 1-bit linear head."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import pairwise

from torch import Tensor, nn

from bonn_hw.errors import UserError
from bonn_hw.frontend.chain_graph import of_convolutions
from bonn_hw.nn.models import methods
from bonn_hw.nn.models.block import Block
from bonn_hw.nn.models.copies import copies, kept_filters
from bonn_hw.nn.models.methods import Method
from bonn_hw.nn.models.network import Network, no_integers
from bonn_hw.nn.models.quantized_layer import quantized_identity
from bonn_hw.nn.models.quantizers import BipolarActivation, SignedByteInput

INPUTS = {"1-bit": BipolarActivation, "8-bit": SignedByteInput}
"""Quantisers of the image, as an experiment file names them."""


def conv_block(
    method: Method,
    inputs: int,
    outputs: int,
    window: tuple[int, int, int],
    pool: bool = False,
    kept: int | None = None,
) -> Block:
    """A convolution block; its kernel size, stride, and pixels of PyTorch's zero on each side.

    `kept` is the number of filters that pruning left of `outputs`; None: not pruned.
    """
    conv = methods.chain_convolution(method, inputs, kept or outputs, window)
    norm, sign = nn.BatchNorm2d(outputs), methods.chain_sign(method)
    return Block(conv, norm, sign, pool, copies(kept, outputs))


def dense_block(method: Method, inputs: int, outputs: int, kept: int | None = None) -> Block:
    """A fully connected block, `kept` as in `conv_block`."""
    linear = methods.chain_linear(method, inputs, kept or outputs)
    norm, sign = nn.BatchNorm1d(outputs), methods.chain_sign(method)
    return Block(linear, norm, sign, copies=copies(kept, outputs))


class Chain(Network):
    """Input quantiser, named blocks, a 1-bit linear head and its scale and bias for each class.

    Parameters
    ----------
    method
        Method of the head, see `methods.in_chain`.
    input_shape, classes
        See `Network`.
    input_quant
        The quantiser of the image.
    layers
        Blocks (and one ``flatten``) by name, in order.
    features
        Inputs of the head.
    """

    def __init__(
        self,
        method: Method,
        input_shape: tuple[int, int, int],
        input_quant: type,
        layers: OrderedDict[str, nn.Module],
        features: int,
        classes: int,
    ):
        super().__init__(input_shape, classes)
        self.input = quantized_identity(input_quant)
        self.layers = nn.Sequential(layers)
        self.head = methods.chain_linear(method, features, classes)
        self.exact = self.head.weight_quant.is_quant_enabled
        # Without a scale, logits of hundreds would saturate the cross entropy.
        self.scale = nn.BatchNorm1d(classes)

    def accumulators(self, x: Tensor) -> Tensor:
        """The head's integers before the scale, ``(N, classes)`` in float32."""
        if not self.exact:
            raise no_integers("float-weights")
        products: Tensor = self.head(self.layers(self.input(x)))
        return products / self.head.weight_quant.scale()

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(N, C, H, W)`` to logits ``(N, classes)``."""
        logits: Tensor = self.scale(self.head(self.layers(self.input(x))))
        return logits

    def blocks(self) -> Iterator[tuple[str, Block]]:
        """Yield name and block of every 1-bit activation after a matrix product, in order."""
        return ((n, m) for n, m in self.layers.named_children() if isinstance(m, Block))


def _fully_connected(neurons: int) -> Callable[..., Chain]:
    def network(
        in_channels: int = 1,
        height: int = 28,
        width: int = 28,
        classes: int = 10,
        hidden: int = neurons,
        depth: int = 3,
        method: str = "bnn",
        input: str = "1-bit",
        pruned: tuple[int, ...] = (),
    ) -> Chain:
        kind = methods.in_chain(method)
        pixels = in_channels * height * width
        sizes = [pixels] + [hidden] * depth
        layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
        kept = kept_filters(pruned, [hidden] * depth)
        for i, (inputs, outputs) in enumerate(pairwise(sizes)):
            layers[f"fc{i}"] = dense_block(kind, inputs, outputs, next(kept))
        shape = (in_channels, height, width)
        return Chain(kind, shape, INPUTS[input], layers, hidden, classes)

    return network


def _convolutional(
    method: str,
    shape: tuple[int, int, int],
    convs: tuple[int, ...],
    pools: tuple[int, ...],
    hidden: tuple[int, ...],
    classes: int,
    padded: bool,
    pruned: tuple[int, ...],
    input: str = "8-bit",
    kernels: tuple[int, ...] = (3,),
    strides: tuple[int, ...] = (1,),
) -> Chain:
    """Convolutions, then hidden dense layers; `pools`: convolutions with a pool, from 0.

    `pruned` is the number of filters that pruning left in each layer, here and in all networks.
    """
    kind = methods.in_chain(method)
    channels, height, width = shape
    kept = kept_filters(pruned, [*convs, *hidden])
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    windows = of_convolutions(len(convs), kernels, strides, padded)
    for i, (outputs, window) in enumerate(zip(convs, windows, strict=True)):
        block = conv_block(kind, channels, outputs, window, i in pools, next(kept))
        layers[f"conv{i}"] = block
        channels = outputs
        size, stride, padding = window
        height, width = ((side + 2 * padding - size) // stride + 1 for side in (height, width))
        if i in pools:
            height, width = height // 2, width // 2
        if height < 1 or width < 1:
            raise UserError(
                f"network: images of {shape[1]}x{shape[2]} pixels leave nothing behind conv{i}; "
                "every feature map must keep a pixel: use larger images, or a padded network"
            )
    features = channels * height * width
    layers["flatten"] = nn.Flatten()
    for i, outputs in enumerate(hidden):
        layers[f"fc{i}"] = dense_block(kind, features, outputs, next(kept))
        features = outputs
    return Chain(kind, shape, INPUTS[input], layers, features, classes)


def cnv(
    in_channels: int = 3,
    classes: int = 10,
    convs: tuple[int, ...] = (64, 64, 128, 128, 256, 256),
    hidden: tuple[int, ...] = (512, 512),
    size: int = 32,
    method: str = "bnn",
    input: str = "8-bit",
    pruned: tuple[int, ...] = (),
) -> Chain:
    """CNV of FINN and BNN-PYNQ: valid 3x3 convolutions, pools after the second and the fourth."""
    return _convolutional(
        method, (in_channels, size, size), convs, (1, 3), hidden, classes, False, pruned, input
    )


def cnv_padded(
    in_channels: int = 3,
    classes: int = 10,
    convs: tuple[int, ...] = (64, 64, 128, 128, 256, 256),
    hidden: tuple[int, ...] = (512, 512),
    size: int = 32,
    method: str = "bnn",
    input: str = "8-bit",
    pruned: tuple[int, ...] = (),
) -> Chain:
    """CNV with zero-padded convolutions, and a third pool after the sixth.

    With padding, only pools make images smaller. With CNV's two pools the first dense layer would
    have 16,384 inputs and 8.4 Mbit of weights, more than the block memory of a Zynq 7020
    (4.9 Mbit). The third pool leaves 4,096 inputs and 2.1 Mbit.
    """
    pools = (1, 3, 5)
    return _convolutional(
        method, (in_channels, size, size), convs, pools, hidden, classes, True, pruned, input
    )


def digits(
    in_channels: int = 1,
    classes: int = 10,
    convs: tuple[int, ...] = (16, 32),
    hidden: tuple[int, ...] = (64,),
    size: int = 8,
    method: str = "bnn",
    pruned: tuple[int, ...] = (),
) -> Chain:
    """Two padded convolutions, a pool and a dense layer: the network of ``make demo``."""
    return _convolutional(
        method, (in_channels, size, size), convs, (1,), hidden, classes, True, pruned
    )


def chain(
    in_channels: int = 1,
    classes: int = 10,
    convs: tuple[int, ...] = (16, 32),
    pools: tuple[int, ...] = (2,),
    hidden: tuple[int, ...] = (64,),
    size: int = 28,
    padded: bool = True,
    kernels: tuple[int, ...] = (3,),
    strides: tuple[int, ...] = (1,),
    method: str = "bnn",
    input: str = "8-bit",
    pruned: tuple[int, ...] = (),
) -> Chain:
    """Convolutions and dense layers of any number: what ``bonn-hw explore`` chooses from.

    ``pools`` are the convolutions with a 2x2 pool behind them, counted from 1. ``padded``
    convolutions have a border of zeros, and with odd kernels and stride 1 they keep height and
    width. ``kernels`` and ``strides`` are one for all convolutions, or one for each from the first
    on, of which the last holds for the rest.
    """
    if any(place > len(convs) for place in pools):
        raise UserError(
            f"network: pools {list(pools)} are the convolutions with a pool behind them, counted "
            f"from 1, and there are {len(convs)} convolutions; name only these"
        )
    shape, behind = (in_channels, size, size), tuple(place - 1 for place in pools)
    windows = {"kernels": kernels, "strides": strides}
    return _convolutional(
        method, shape, convs, behind, hidden, classes, padded, pruned, input, **windows
    )


tfc = _fully_connected(64)
sfc = _fully_connected(256)
lfc = _fully_connected(1024)
