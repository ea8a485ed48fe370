# SPDX-License-Identifier: BSD-3-Clause
import copy
import math

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

from bonn_hw.nn.models.latent import centre_latent_weights
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.models.shared_options import follow


def layer_of(method):
    torch.manual_seed(0)
    return build("wrn22", widths=[8, 8, 8, 8], method=method, latent="recu").layers.stage1_0.conv


def test_filters_are_standardised_and_clamped_by_the_quantile():
    layer = layer_of("xnor")
    with torch.no_grad():
        layer.weight.mul_(torch.rand(8, 1, 1, 1) + 0.1).add_(0.3)
    centre_latent_weights(layer)
    follow(layer, 0.0)
    x = layer.weight.detach().double()
    scaled = x / x.flatten(1).std(1, correction=0)[:, None, None, None] / math.sqrt(3 * 72)
    limit = -float(scaled.abs().mean()) * math.log(2 - 2 * 0.85)
    made = layer.latent(layer.weight)
    assert torch.allclose(made.double(), scaled.clamp(-limit, limit), atol=1e-6)
    assert 0.1 < (made.abs() == made.abs().max()).float().mean() < 0.5
    # xnor's scale is that of what is clamped.
    assert torch.allclose(layer.weight_quant.scale().flatten(), made.abs().mean((1, 2, 3)))
    follow(layer, 1.0)
    assert float(layer.latent.tau) == pytest.approx(0.99)


@pytest.mark.parametrize("method", ["bonn", "bnn", "xnor"])
def test_no_sign_changes(method):
    layer = layer_of(method)
    signs = torch.where(layer.weight >= 0, 1.0, -1.0)
    assert torch.equal(torch.sign(layer.quant_weight().value), signs)
    with torch.no_grad():
        layer.weight[0] = -1  # as a released network may have it: no deviation at all
    assert bool((layer.quant_weight().value[0] < 0).all())


def test_gradient_reaches_what_is_inside_the_clamp_only():
    layer = layer_of("bnn")
    y = layer.latent(layer.weight)
    inside = y.abs() < y.abs().max()
    (y[inside].sum() * 0 + y[~inside].sum()).backward()
    alone = layer.weight.grad.clone()
    assert torch.count_nonzero(alone) == 0
    layer.weight.grad = None
    layer.latent(layer.weight)[inside].square().sum().backward()
    assert torch.count_nonzero(layer.weight.grad) > 0


def test_a_copy_has_its_own():
    """Else the averaged network would follow the trained one's tau."""
    layer = layer_of("xnor")
    twin = copy.deepcopy(layer)
    before = twin.quant_weight().value
    follow(layer, 1.0)
    assert torch.equal(twin.quant_weight().value, before)
    assert not torch.equal(layer.quant_weight().value, before)
