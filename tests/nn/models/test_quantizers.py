# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
brevitas_nn = pytest.importorskip("brevitas.nn")

from bonn_hw.nn.models import quantizers
from bonn_hw.nn.models.activations import PowerOfTwoPReLU, SignQuant
from bonn_hw.nn.models.binary_layers import binary_layers
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.objective import bayesian_losses


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


@pytest.mark.parametrize(
    ("gradient", "share", "expected"),
    [
        ("window", 0.0, lambda x: 1.0 * (abs(x) <= 1)),
        ("triangle", 0.0, lambda x: np.maximum(2 - 2 * abs(x), 0)),
        ("sine", 0.0, lambda x: np.pi / 2 * np.cos(np.pi / 2 * x) * (abs(x) <= 1)),
        # t = 0.1, k = 10; t = k = 1; t = 10, k = 1.
        ("ede", 0.0, lambda x: 1 - np.tanh(0.1 * x) ** 2),
        ("ede", 0.5, lambda x: 1 - np.tanh(x) ** 2),
        ("ede", 1.0, lambda x: 10 * (1 - np.tanh(10 * x) ** 2)),
    ],
)
def test_sign_gradients(gradient, share, expected):
    quantiser = SignQuant(gradient)
    quantiser.follow(share)
    x = torch.linspace(-1.7, 1.7, 35, dtype=torch.float64, requires_grad=True)
    y = quantiser(x)[0]
    assert torch.equal(y, torch.where(x >= 0, 1.0, -1.0).double())
    (3 * y).sum().backward()
    assert np.allclose(x.grad, 3 * expected(x.detach().numpy()), atol=1e-12)


def test_settings_outlive_the_loading_of_a_state():
    """Brevitas creates its quantisers anew when a state is loaded, as in a resumed training."""
    network = build("digits", method="bonn", sign_gradient="ede", latent="recu")
    experiment = Experiment("digits", "digits", 1, modulation="free", modulation_gradient="exact")
    bayesian_losses(experiment, network)
    network.load_state_dict(network.state_dict())
    signs = [m for m in network.modules() if isinstance(m, SignQuant)]
    assert len(signs) == 3 and {sign.gradient for sign in signs} == {"ede"}
    for layer in binary_layers(network).values():
        quantiser = layer.weight_quant.tensor_quant
        assert quantiser.exact and quantiser.range == "free"
        layer.latent.register_forward_hook(lambda m, i, o: seen.append(m))
    seen = []
    network(torch.zeros(2, 1, 8, 8))
    assert len(set(seen)) == 4


def test_slopes_on_powers_of_two_learn():
    prelu = PowerOfTwoPReLU(4)
    prelu.weight.data = torch.tensor([0.3, -0.2, 0.7, 9.0])
    x = -torch.ones(1, 4, 1, 1)
    assert prelu.eval()(x).flatten().tolist() == [-0.25, -(2.0**-8), -0.5, -2.0]
    y = prelu.train()(x)
    assert torch.allclose(y, prelu.eval()(x))
    y.sum().backward()
    assert prelu.weight.grad.tolist() == [-1, -1, -1, -1]


def test_every_pixel_value_passes_the_input_quantiser_unchanged():
    quantiser = brevitas_nn.QuantIdentity(act_quant=quantizers.SignedByteInput).eval()
    levels = np.arange(-128, 128, dtype=np.float32) * quantizers.INPUT_SCALE
    with torch.no_grad():
        assert np.array_equal(quantiser(torch.from_numpy(levels)).numpy(), levels)
        assert quantiser(torch.tensor([-3.0, 3.0])).tolist() == [-1.0, 127 / 128]
