# SPDX-License-Identifier: BSD-3-Clause
"""The 1-bit layers of a Brevitas network, and the parts of them that training asks for."""

from __future__ import annotations

import math

from torch import nn
from torch.nn.utils import parametrize

from bonn_hw.nn.models.modulation import ModulatedBinaryQuant
from bonn_hw.nn.models.quantized_layer import QuantizedLayer


def binary_layers(model: nn.Module) -> dict[str, QuantizedLayer]:
    """Every 1-bit layer by name, in the model's order."""
    return {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, QuantizedLayer)
        and layer.weight_quant.is_quant_enabled
        and layer.weight_quant.bit_width() == 1
    }


def is_modulated(layer: QuantizedLayer) -> bool:
    """Whether a 1-bit layer has the learnt modulation."""
    return isinstance(layer.weight_quant.tensor_quant, ModulatedBinaryQuant)


def modulated_quantiser(layer: QuantizedLayer) -> ModulatedBinaryQuant:
    """The quantiser of a layer that has the learnt modulation; any other layer is a bug."""
    quantiser = layer.weight_quant.tensor_quant
    if not isinstance(quantiser, ModulatedBinaryQuant):
        raise TypeError(f"weights are quantised by {type(quantiser).__name__}, without modulation")
    return quantiser


def latent_weight(layer: QuantizedLayer) -> nn.Parameter:
    """X itself, the parameter: pruning puts a parametrization before what the layer reads."""
    if parametrize.is_parametrized(layer, "weight"):
        return layer.get_parameter("parametrizations.weight.original")
    return layer.weight


def natural_deviation(layer: QuantizedLayer) -> float:
    """The standard deviation of PyTorch's own initial weights: 1 / sqrt(3 inputs of a neuron)."""
    return 1 / math.sqrt(3 * layer.weight[0].numel())
