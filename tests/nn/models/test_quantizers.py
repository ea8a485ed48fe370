# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
brevitas_nn = pytest.importorskip("brevitas.nn")

from bonn_hw.nn.models import quantizers


def test_bipolar_weights_are_signs_and_zero_is_plus_one():
    layer = brevitas_nn.QuantLinear(4, 1, bias=False, weight_quant=quantizers.BipolarWeight)
    layer.weight.data = torch.tensor([[-0.3, -0.0, 0.0, 2.0]])
    assert layer.quant_weight().value.tolist() == [[-1.0, 1.0, 1.0, 1.0]]


def test_weight_gradient_passes_straight_through():
    layer = brevitas_nn.QuantLinear(3, 1, bias=False, weight_quant=quantizers.BipolarWeight)
    layer(torch.tensor([[2.0, 3.0, 5.0]])).sum().backward()
    assert layer.weight.grad.tolist() == [[2.0, 3.0, 5.0]]


def test_bipolar_activation_is_the_sign_with_gradient_inside_one():
    activation = brevitas_nn.QuantIdentity(act_quant=quantizers.BipolarActivation)
    x = torch.tensor([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0], requires_grad=True)
    y = activation(x)
    assert y.tolist() == [-1, -1, -1, 1, 1, 1, 1]
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 1, 1, 0]


def test_every_pixel_value_passes_the_input_quantiser_unchanged():
    quantiser = brevitas_nn.QuantIdentity(act_quant=quantizers.SignedByteInput).eval()
    levels = np.arange(-128, 128, dtype=np.float32) * quantizers.INPUT_SCALE
    with torch.no_grad():
        assert np.array_equal(quantiser(torch.from_numpy(levels)).numpy(), levels)
        assert quantiser(torch.tensor([-3.0, 3.0])).tolist() == [-1.0, 127 / 128]
