# SPDX-License-Identifier: BSD-3-Clause
"""Equations 5, 12 and 15 against their closed forms, in float64."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
brevitas_nn = pytest.importorskip("brevitas.nn")

import onnx
from qonnx.custom_op.registry import getCustomOp

from bonn_hw.nn.models import quantizers
from bonn_hw.nn.models.modulation import ModulatedBinaryQuant, ModulatedSign
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training import release


def kernels(seed=0, shape=(5, 4, 3, 3)):
    """Latent kernels and w around the border of the window |w X| = 1, with zeros among them."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(0, 2, shape)
    latent[0].flat[:2] = 0.0, -0.0
    modulation = rng.normal(0.8, 0.3, (1, 1, *shape[2:]))
    return latent, modulation


@pytest.mark.parametrize("shape", [(5, 4, 3, 3), (6, 7, 1, 1), (8, 3)])
@pytest.mark.parametrize("exact", [False, True])
def test_gradients_are_those_of_equations_12_and_15(shape, exact):
    latent, modulation = kernels(shape=shape)
    g = np.random.default_rng(1).normal(size=shape)
    x = torch.tensor(latent, requires_grad=True)
    w = torch.tensor(modulation, requires_grad=True)
    y = ModulatedSign.apply(x, w, w.detach().mean(), exact)
    y.backward(torch.tensor(g))
    window = np.abs(modulation * latent) <= 1
    assert 0 < window.mean() < 1
    assert np.abs(x.grad.numpy() - g * window * modulation).max() < 1e-12
    if exact:
        total = (g * np.where(latent >= 0, 1, -1)).sum() / modulation.size
        expected = np.full(modulation.shape, total)
    else:
        expected = (g * window * latent).sum((0, 1), keepdims=True)
    assert w.grad.shape == w.shape
    assert np.abs(w.grad.numpy() - expected).max() < 1e-12


def test_exact_gradient_of_w_is_that_of_finite_differences():
    latent, modulation = kernels()
    g = np.random.default_rng(1).normal(size=latent.shape)
    w = torch.tensor(modulation, requires_grad=True)
    y = ModulatedSign.apply(torch.tensor(latent), w, w.detach().mean(), True)
    y.backward(torch.tensor(g))
    moved = modulation.copy()
    moved[0, 0, 1, 2] += 1e-3
    signs = np.where(latent >= 0, 1, -1)
    slope = (g * signs * (moved.mean() - modulation.mean())).sum() / 1e-3
    assert w.grad[0, 0, 1, 2].item() == pytest.approx(slope, rel=1e-9)


def test_weights_are_the_mean_of_w_exactly_and_the_sign_of_zero_is_plus():
    layer = brevitas_nn.QuantConv2d(4, 5, 3, bias=False, weight_quant=quantizers.BayesianWeight)
    latent, modulation = kernels(shape=(5, 4, 3, 3))
    layer.weight.data = torch.tensor(latent, dtype=torch.float32)
    quantiser = layer.weight_quant.tensor_quant
    quantiser.modulation.data = torch.tensor(modulation, dtype=torch.float32)
    mean = quantiser.modulation.mean().item()
    values = layer.eval().quant_weight().value
    assert values[0, 0, 0, :2].tolist() == [mean, mean]
    assert torch.equal(values, torch.where(layer.weight >= 0, mean, -mean))


@pytest.mark.parametrize(
    ("mean", "scale"), [(0.083, 2**-4), (0.1, 2**-3), (1.0, 1.0), (0.0, 2**-16), (-1.0, 2**-16)]
)
def test_scale_for_hardware_is_the_nearest_power_of_two(mean, scale):
    quantiser = ModulatedBinaryQuant((1, 1, 3, 3), mean, "free", "paper", power_of_two=True)
    x = torch.tensor([[[[-0.5, 0.0, 2.0]]]])
    y, reported, zero, bits = quantiser(x)
    assert y.flatten().tolist() == [-scale, scale, scale]
    assert (reported.item(), zero.item(), bits.item()) == (scale, 0, 1)


@pytest.mark.parametrize("quantiser", ["BayesianWeight", "ScaledBipolarWeight"])
def test_products_start_with_unit_variance(quantiser):
    weights = getattr(quantizers, quantiser)
    layer = brevitas_nn.QuantConv2d(64, 3, 3, bias=False, weight_quant=weights)
    assert layer.quant_weight().value.abs().unique().item() == pytest.approx(1 / 24)


def test_xnor_weights_are_scaled_by_the_mean_of_each_filter():
    layer = brevitas_nn.QuantConv2d(4, 5, 3, bias=False, weight_quant=quantizers.XnorWeight)
    scale = layer.weight.abs().mean((1, 2, 3), keepdim=True)
    expected = torch.where(layer.weight >= 0, scale, -scale)
    assert torch.allclose(layer.quant_weight().value, expected, rtol=1e-6)


def test_layers_choose_the_gradient_of_w():
    layer = brevitas_nn.QuantConv2d(
        4,
        5,
        3,
        bias=False,
        weight_quant=quantizers.BayesianWeight,
        weight_modulation_gradient="exact",
    )
    assert layer.weight_quant.tensor_quant.exact


def test_the_sign_of_zero_is_plus_everywhere():
    """PyTorch's weights and activations, qonnx's operator, and the packed bits of NumPy."""
    zeros = np.array([[-0.0, 0.0, -1e-30]], np.float32)
    expected = [1.0, 1.0, -1.0]
    x = torch.from_numpy(zeros)
    for name in ("BipolarActivation", "ApproximateSignActivation"):
        activation = brevitas_nn.QuantIdentity(act_quant=getattr(quantizers, name))
        assert activation(x)[0].tolist() == expected
    for name in ("BipolarWeight", "BayesianWeight", "XnorWeight", "ScaledBipolarWeight"):
        layer = brevitas_nn.QuantLinear(3, 1, bias=False, weight_quant=getattr(quantizers, name))
        layer.weight.data = x.clone()
        assert (layer.quant_weight().value[0] >= 0).tolist() == [v > 0 for v in expected], name
    node = onnx.helper.make_node(
        "BipolarQuant", ["x", "scale"], ["y"], domain="qonnx.custom_op.general"
    )
    context = {"x": zeros, "scale": np.ones(1, np.float32), "y": None}
    getCustomOp(node).execute_node(context, None)
    assert context["y"][0].tolist() == expected
    network = build("tfc", height=1, width=3, hidden=1)
    network.layers.fc0.matrix.weight.data = x.clone()
    packed = release.pack(network)["bits layers.fc0.matrix.weight"]
    assert np.unpackbits(packed)[:3].tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        # A sixteenth of the start 0.5 is the least; then the mean 33/64 is brought back to 0.5.
        ("held", [1 / 33, 32 / 33]),
        ("positive", [1 / 32, 1.0]),
        ("free", [-1.0, 1.0]),
    ],
)
def test_w_is_brought_back_before_each_forward_pass_in_training(kept, expected):
    quantiser = ModulatedBinaryQuant((1, 1, 1, 2), 0.5, kept, "paper", power_of_two=False)
    quantiser.modulation.data.copy_(torch.tensor([[[[-1.0, 1.0]]]]))
    quantiser.eval()(torch.ones(3, 2, 1, 2))
    assert quantiser.modulation.flatten().tolist() == [-1.0, 1.0]
    quantiser.train()(torch.ones(3, 2, 1, 2))
    assert quantiser.modulation.flatten().tolist() == pytest.approx(expected)


def test_two_forward_passes_before_a_backward_pass():
    """The second one must not change what the first one saved, nor bring w back once more."""
    quantiser = ModulatedBinaryQuant((1, 1, 3, 3), 0.5, "held", "paper", power_of_two=False).train()
    quantiser.modulation.data.mul_(torch.rand(3, 3) + 0.1)
    x = torch.randn(4, 2, 3, 3, requires_grad=True)
    (quantiser(x)[0].sum() + quantiser(2 * x)[0].sum()).backward()
    optimiser = torch.optim.SGD([quantiser.modulation], lr=100.0)
    optimiser.step()
    quantiser(x)
    assert quantiser.modulation.min() > 0
    assert quantiser.scale().item() == pytest.approx(0.5)


def test_ranges_that_do_not_exist():
    with pytest.raises(ValueError, match="one of held, positive, free, not 'big'"):
        ModulatedBinaryQuant((1, 1, 3, 3), 0.5, "big", "paper", power_of_two=False)
