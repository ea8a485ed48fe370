# SPDX-License-Identifier: BSD-3-Clause
"""The 1-bit networks: chains of blocks (matrix product, batch norm, sign, pool) and a linear head.

``build("cnv", in_channels=1)`` returns a `Network`. All take images ``(N, C, H, W)`` as
`data.normalise` leaves them and answer logits ``(N, classes)``.
"""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear
from torch import Tensor, nn

from bonn_hw.errors import UserError
from bonn_hw.nn.quantizers import BipolarActivation, BipolarWeight, SignedByteInput


class Block(nn.Module):
    """A 1-bit layer: matrix product, batch norm, sign and, if asked for, a 2x2 max-pool.

    The pool stands after the sign, where it is an OR of bits; before it, it would compare integers.
    """

    def __init__(self, matrix: nn.Module, norm: nn.Module, pool: bool = False):
        super().__init__()
        self.matrix = matrix
        self.norm = norm
        self.sign = QuantIdentity(act_quant=BipolarActivation)
        self.pool = nn.MaxPool2d(2) if pool else None

    def activate(self, accumulators: Tensor) -> Tensor:
        """Map the matrix product's outputs to -1 and +1, same shape."""
        return self.sign(self.norm(accumulators))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` or ``(N, features)`` of the layer before to this layer's signs."""
        x = self.activate(self.matrix(x))
        return x if self.pool is None else self.pool(x)


def conv_block(inputs: int, outputs: int, padding: int, pool: bool = False) -> Block:
    """Return a 3x3 convolution block; `padding` pixels of PyTorch's zero on each side."""
    conv = QuantConv2d(inputs, outputs, 3, padding=padding, bias=False, weight_quant=BipolarWeight)
    return Block(conv, nn.BatchNorm2d(outputs), pool)


def dense_block(inputs: int, outputs: int) -> Block:
    """Return a fully connected block."""
    linear = QuantLinear(inputs, outputs, bias=False, weight_quant=BipolarWeight)
    return Block(linear, nn.BatchNorm1d(outputs))


class Network(nn.Module):
    """Input quantiser, named blocks, a 1-bit linear head and its scale and bias for each class.

    Parameters
    ----------
    input_shape
        ``(C, H, W)`` of one image.
    input_quant
        The quantiser of the image.
    layers
        Blocks (and one ``flatten``) by name, in order.
    features, classes
        Inputs and outputs of the head.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        input_quant: type,
        layers: "OrderedDict[str, nn.Module]",
        features: int,
        classes: int,
    ):
        super().__init__()
        self.input_shape = input_shape
        self.classes = classes
        self.input = QuantIdentity(act_quant=input_quant)
        self.layers = nn.Sequential(layers)
        self.head = QuantLinear(features, classes, bias=False, weight_quant=BipolarWeight)
        # Without a scale, logits of hundreds would saturate the cross entropy.
        self.scale = nn.BatchNorm1d(classes)

    def accumulators(self, x: Tensor) -> Tensor:
        """Return the head's outputs before the scale, ``(N, classes)``: integers in float32."""
        return self.head(self.layers(self.input(x)))

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(N, C, H, W)`` to logits ``(N, classes)``."""
        return self.scale(self.accumulators(x))

    def blocks(self) -> Iterator[tuple[str, Block]]:
        """Yield name and block of every 1-bit activation behind a matrix product, in order."""
        return ((n, m) for n, m in self.layers.named_children() if isinstance(m, Block))


@torch.no_grad()
def clip_latent_weights(model: nn.Module) -> None:
    """Clip the latent weights of all 1-bit layers to [-1, 1], in place.

    Outside, small steps no longer reach the sign, and a weight would take ever longer to flip.
    """
    for module in model.modules():
        if isinstance(module, QuantConv2d | QuantLinear):
            module.weight.clamp_(-1, 1)


def _fully_connected(neurons: int) -> Callable[..., Network]:
    def network(
        in_channels: int = 1,
        height: int = 28,
        width: int = 28,
        classes: int = 10,
        hidden: int = neurons,
        depth: int = 3,
    ) -> Network:
        pixels = in_channels * height * width
        sizes = [pixels] + [hidden] * depth
        layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
        for i, (inputs, outputs) in enumerate(pairwise(sizes)):
            layers[f"fc{i}"] = dense_block(inputs, outputs)
        shape = (in_channels, height, width)
        return Network(shape, BipolarActivation, layers, hidden, classes)

    return network


def _convolutional(
    shape: tuple[int, int, int],
    convs: tuple[int, ...],
    pools: tuple[int, ...],
    hidden: tuple[int, ...],
    classes: int,
    padding: int,
) -> Network:
    """Chain 3x3 convolutions (`pools` names those followed by a pool) and hidden dense layers."""
    channels, height, width = shape
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i, outputs in enumerate(convs):
        layers[f"conv{i}"] = conv_block(channels, outputs, padding, pool=i in pools)
        channels = outputs
        height, width = height + 2 * padding - 2, width + 2 * padding - 2
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
        layers[f"fc{i}"] = dense_block(features, outputs)
        features = outputs
    return Network(shape, SignedByteInput, layers, features, classes)


def cnv(
    in_channels: int = 3,
    classes: int = 10,
    convs: tuple[int, ...] = (64, 64, 128, 128, 256, 256),
    hidden: tuple[int, ...] = (512, 512),
    size: int = 32,
) -> Network:
    """CNV of FINN and BNN-PYNQ: valid 3x3 convolutions, pools behind the second and the fourth."""
    return _convolutional((in_channels, size, size), convs, (1, 3), hidden, classes, padding=0)


def cnv_padded(
    in_channels: int = 3,
    classes: int = 10,
    convs: tuple[int, ...] = (64, 64, 128, 128, 256, 256),
    hidden: tuple[int, ...] = (512, 512),
    size: int = 32,
) -> Network:
    """CNV with zero-padded convolutions, and a third pool behind the sixth.

    Padded, 32x32 pixels shrink only by pooling: with CNV's two pools the first dense layer would
    see 16,384 inputs, 8.4 Mbit of weights, more than all block RAM of a Zynq 7020 (4.9 Mbit). The
    third pool leaves 4,096 inputs and 2.1 Mbit.
    """
    pools = (1, 3, 5)
    return _convolutional((in_channels, size, size), convs, pools, hidden, classes, padding=1)


def digits(
    in_channels: int = 1,
    classes: int = 10,
    convs: tuple[int, ...] = (16, 32),
    hidden: tuple[int, ...] = (64,),
    size: int = 8,
) -> Network:
    """Two padded convolutions, a pool and a dense layer: the smallest network with every kernel."""
    return _convolutional((in_channels, size, size), convs, (1,), hidden, classes, padding=1)


NETWORKS: dict[str, Callable[..., Network]] = {
    "tfc": _fully_connected(64),
    "sfc": _fully_connected(256),
    "lfc": _fully_connected(1024),
    "cnv": cnv,
    "cnv_padded": cnv_padded,
    "digits": digits,
}


def build(name: str, **options: int | tuple[int, ...]) -> Network:
    """Return the untrained network `name`; its weights come from torch's global generator.

    Raises
    ------
    UserError
        If the name, an option or an option's value is not known.
    """
    if name not in NETWORKS:
        raise UserError(f"network {name!r} is not known; choose one of {', '.join(NETWORKS)}")
    known = inspect.signature(NETWORKS[name]).parameters
    for option, value in options.items():
        if option not in known:
            raise UserError(
                f"network {name}: option {option!r} is not known; choose from {', '.join(known)}"
            )
        _check_option(name, option, value, known[option].default)
    return NETWORKS[name](**{k: tuple(v) if isinstance(v, list) else v for k, v in options.items()})


def _check_option(network: str, option: str, value: object, default: object) -> None:
    def positive(x: object) -> bool:
        return isinstance(x, int) and not isinstance(x, bool) and x > 0

    if isinstance(default, tuple):
        if not (isinstance(value, list | tuple) and all(map(positive, value))):
            raise UserError(
                f"network {network}: option {option} must be a list of positive integers, "
                f"not {value!r}"
            )
    elif not positive(value):
        raise UserError(
            f"network {network}: option {option} must be a positive integer, not {value!r}"
        )
