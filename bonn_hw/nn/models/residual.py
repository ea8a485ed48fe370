# SPDX-License-Identifier: BSD-3-Clause
"""The paper's networks: Wide ResNets and ResNet-18 with a shortcut around every 1-bit convolution.

The block follows the authors' evaluation code: y = PReLU(conv(sign(norm(x))) + shortcut(x)), the
shortcut being the identity or, where the shape changes, a 1x1 convolution, a norm and a 2x2 average
pool. Zero padding comes after the sign, so padded taps contribute 0.

A pruned convolution computes one filter per group, and the result is copied to all channels of the
group, because identity shortcuts need every channel of the stream (see `pruning`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

import torch
from brevitas.nn import QuantIdentity
from torch import Tensor, nn

from bonn_hw.errors import UserError
from bonn_hw.nn.models import methods
from bonn_hw.nn.models.copies import copies, kept_filters
from bonn_hw.nn.models.methods import METHODS, Method
from bonn_hw.nn.models.network import Network, no_integers
from bonn_hw.nn.models.quantized_layer import QuantizedLayer
from bonn_hw.nn.models.variants import FORMS, Paper


class BinaryBlock(nn.Module):
    """One 1-bit 3x3 convolution and its shortcut.

    Parameters
    ----------
    form, method
        See `variants`, `methods`.
    inputs, outputs, stride
        Of the convolution; stride 2 halves height and width.
    affine
        Whether the norm of the shortcut has gain and bias.
    learnt
        Whether the PReLU's slopes are learnt.
    dropout
        Share of the convolution's inputs that are set to zero in training.
    kept
        Filters that pruning left of `outputs`; None: not pruned.
    """

    def __init__(
        self,
        form: Paper,
        method: Method,
        inputs: int,
        outputs: int,
        stride: int,
        affine: bool,
        learnt: bool,
        dropout: float = 0.0,
        kept: int | None = None,
    ):
        super().__init__()
        self.norm = form.norm(inputs)
        self.sign = methods.sign(method, inputs, power_of_two=form.exact)
        self.dropout = nn.Dropout(dropout)
        filters = kept or outputs
        self.conv = methods.convolution(method, inputs, filters, stride, power_of_two=form.exact)
        self.quantised = (
            isinstance(self.conv, QuantizedLayer) and self.conv.weight_quant.is_quant_enabled
        )
        self.copies = copies(kept, outputs)
        self.branch = form.stream()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = _sequence(
                conv=form.convolution(inputs, outputs, kernel=1, stride=1),
                fine=form.fine(),
                norm=form.norm(outputs, affine),
                grid=form.stream(),
                pool=nn.AvgPool2d(stride),
                stream=form.stream(),
            )
        self.activation = methods.activation(method, outputs, learnt, power_of_two=form.exact)
        self.stream = form.stream()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, inputs, H, W)`` to ``(N, outputs, H / stride, W / stride)``."""
        y = self.copies(self.conv(self.dropout(self.sign(self.norm(x)))))
        added: Tensor = self.stream(self.activation(self.branch(y) + self.shortcut(x)))
        return added


class ResidualNetwork(Network):
    """Stem, 1-bit blocks, average over all pixels, linear classifier.

    Parameters
    ----------
    form
        `variants.Paper` or `variants.Hardware`.
    input_shape, classes
        See `Network`.
    stem, blocks, tail
        Modules up to the first block, the blocks by name, and the modules between the last block
        and the average.
    features
        Channels of the last block.
    """

    def __init__(
        self,
        form: Paper,
        input_shape: tuple[int, int, int],
        classes: int,
        stem: nn.Module,
        blocks: dict[str, BinaryBlock],
        tail: nn.Module,
        features: int,
    ):
        super().__init__(input_shape, classes)
        # False too with a method whose weights stay float.
        self.exact = form.exact and all(block.quantised for block in blocks.values())
        self.input = form.image()
        self.stem = stem
        self.layers = _sequence(**blocks)
        self.tail = tail
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.features = form.features()
        self.head = form.linear(features, classes)
        # Not part of the layer: its product is then exact, and the host adds the bias.
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(N, C, H, W)`` to logits ``(N, classes)``."""
        products: Tensor = self.head(self.embed(x))
        return products + self.bias

    def accumulators(self, x: Tensor) -> Tensor:
        """The classifier's integers, ``(N, classes)`` in float32; `Hardware` only."""
        features = self.features
        if not isinstance(self.head, QuantizedLayer) or not isinstance(features, QuantIdentity):
            raise UserError(
                'network: the paper form has no integers; train with form = "hardware" to '
                "compile it"
            )
        if not self.exact:
            raise no_integers("float-weights")
        scale: Tensor = self.head.weight_quant.scale() * features.act_quant.scale()
        products: Tensor = self.head(self.embed(x))
        return products / scale

    def embed(self, x: Tensor) -> Tensor:
        """The features, the classifier's inputs, ``(N, K)``."""
        x = self.tail(self.layers(self.stem(self.input(x))))
        features: Tensor = self.features(self.flatten(self.pool(x)))
        return features


def wrn(
    in_channels: int = 3,
    size: int = 32,
    classes: int = 10,
    widths: tuple[int, ...] = (32, 32, 64),
    blocks: tuple[int, ...] = (4, 4),
    form: str = "paper",
    method: str = "bonn",
    dropout: float = 0.0,
    slopes: str = "fixed",
    shifts: bool = False,
    pruned: tuple[int, ...] = (),
) -> ResidualNetwork:
    """Wide ResNet of any depth, its 3x3 convolutions 1-bit.

    ``widths`` are those of the stem and of each stage, ``blocks`` the convolutions of each stage.
    The slopes of the PReLUs are fixed at 0.25 unless ``slopes="learnt"``: the paper's number of
    parameters does not include slopes. ``shifts`` are learnt before each sign and on both sides of
    the PReLU. ``pruned`` is the number of filters that pruning left in each block.
    """
    parts, kind = _chosen(form, method, shifts)
    if len(blocks) != len(widths) - 1:
        raise UserError(
            f"network: widths {list(widths)} are those of the stem and of {len(widths) - 1} "
            f"stages, and blocks {list(blocks)} has {len(blocks)} stages; give each stage its "
            "blocks"
        )
    _divisible(size, 2 ** (len(widths) - 2))
    inputs, *stages = widths
    sizes = list(zip(stages, blocks, strict=True))
    kept = kept_filters(pruned, [width for width, count in sizes for _ in range(count)])
    first = parts.convolution(in_channels, inputs, 3, 1)
    nn.init.kaiming_normal_(first.weight, mode="fan_out")
    stem = _sequence(conv=first, stream=parts.stream())
    layers = {}
    for i, (outputs, count) in enumerate(sizes, 1):
        for j in range(count):
            stride = 2 if i > 1 and j == 0 else 1
            layers[f"stage{i}_{j}"] = BinaryBlock(
                parts,
                kind,
                inputs,
                outputs,
                stride,
                # As in Wide ResNet; this gives the paper's number of parameters.
                affine=False,
                learnt=slopes == "learnt",
                dropout=dropout if j % 2 else 0.0,
                kept=next(kept),
            )
            inputs = outputs
    tail = _sequence(norm=parts.norm(inputs), relu=nn.ReLU(), stream=parts.stream())
    shape = (in_channels, size, size)
    return ResidualNetwork(parts, shape, classes, stem, layers, tail, inputs)


def _wide(depth: int) -> Callable[..., ResidualNetwork]:
    # A stage of WRN-22 has three of Wide ResNet's blocks, of WRN-40 six, with two convolutions
    # each; here every convolution is a block.
    per_stage = (depth - 4) // 3

    def network(
        in_channels: int = 3,
        size: int = 32,
        classes: int = 10,
        widths: tuple[int, ...] = (16, 16, 32, 64),
        form: str = "paper",
        method: str = "bonn",
        dropout: float = 0.0,
        slopes: str = "fixed",
        shifts: bool = False,
        pruned: tuple[int, ...] = (),
    ) -> ResidualNetwork:
        blocks = (per_stage,) * (len(widths) - 1)
        return wrn(
            in_channels,
            size,
            classes,
            widths,
            blocks,
            form,
            method,
            dropout,
            slopes,
            shifts,
            pruned,
        )

    network.__doc__ = f"""Wide ResNet with {depth} layers, see `wrn`."""
    return network


def resnet18(
    in_channels: int = 3,
    size: int = 224,
    classes: int = 1000,
    widths: tuple[int, ...] = (64, 64, 128, 256, 512),
    form: str = "paper",
    method: str = "bonn",
    slopes: str = "learnt",
    shifts: bool = False,
    pruned: tuple[int, ...] = (),
) -> ResidualNetwork:
    """ResNet-18 with a shortcut around every 1-bit convolution (Bi-Real Net, ECCV 2018)."""
    parts, kind = _chosen(form, method, shifts)
    _divisible(size, 2 ** len(widths))
    inputs, *stages = widths
    kept = kept_filters(pruned, [width for width in stages for _ in range(4)])
    stem = _sequence(
        conv=parts.convolution(in_channels, inputs, 7, 2),
        fine=parts.fine(),
        norm=parts.norm(inputs),
        stream=parts.stream(),
        pool=nn.MaxPool2d(3, 2, 1),
    )
    blocks = {}
    for i, outputs in enumerate(stages, 1):
        for j in range(4):
            stride = 2 if i > 1 and j == 0 else 1
            learnt = slopes == "learnt"
            blocks[f"stage{i}_{j}"] = BinaryBlock(
                parts, kind, inputs, outputs, stride, True, learnt, kept=next(kept)
            )
            inputs = outputs
    shape = (in_channels, size, size)
    return ResidualNetwork(parts, shape, classes, stem, blocks, nn.Identity(), inputs)


wrn22 = _wide(22)
wrn40 = _wide(40)


def _sequence(**modules: nn.Module) -> nn.Sequential:
    """The modules one after the other; their names become those of the exported nodes."""
    return nn.Sequential(OrderedDict(modules))


def _chosen(form: str, method: str, shifts: bool) -> tuple[Paper, Method]:
    if form == "hardware" and method == "float":
        raise UserError(
            'network: method "float" has no 1-bit layer to put into hardware; use form = "paper", '
            "or another method"
        )
    kind = METHODS[method]
    return FORMS[form], replace(kind, shifts=kind.shifts or shifts)


def _divisible(size: int, by: int) -> None:
    if size % by:
        raise UserError(
            f"network: images of {size}x{size} pixels cannot be halved as often as the stages ask; "
            f"size must be a multiple of {by}"
        )
