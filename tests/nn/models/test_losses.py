# SPDX-License-Identifier: BSD-3-Clause
"""Equations 7 to 9, 13 and 16 to 18 against their closed forms, in float64, to 1e-12."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
brevitas_nn = pytest.importorskip("brevitas.nn")

from torch.nn import functional

from bonn_hw.errors import UserError
from bonn_hw.nn import BayesianLosses
from bonn_hw.nn.models import quantizers
from bonn_hw.nn.models.losses import centre_step, feature_loss, kernel_loss
from bonn_hw.nn.models.networks import build

LAM, NU, THETA = 0.3, 0.07, 0.2


def tensors(*arrays):
    return [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in arrays]


def worst(actual, expected):
    return np.abs(actual.numpy() - expected).max()


@pytest.fixture(params=[(5, 4, 3, 3), (6, 7)], ids=["conv", "linear"])
def layer(request):
    """X with zeros among it, w, mu, sigma of one layer."""
    rng = np.random.default_rng(7)
    shape = request.param
    latent = rng.normal(0, 0.5, shape)
    latent[1].flat[:2] = 0.0, -0.0
    modulation = rng.normal(0.6, 0.2, (1, 1, *shape[2:]))
    return latent, modulation, rng.uniform(0.1, 0.9, shape[0]), rng.uniform(0.2, 2, shape[0])


def per_filter(values, latent):
    return values.reshape(-1, *[1] * (latent.ndim - 1))


def test_value_of_the_kernel_loss(layer):
    latent, w, mu, sigma = layer
    sign = np.where(latent >= 0, 1, -1)
    distance = ((w.mean() * sign - w * latent) ** 2).sum()
    m, s = per_filter(mu, latent), per_filter(sigma, latent)
    prior = ((np.abs(latent) - m) ** 2 / s**2).sum()
    log_det = (latent[0].size * np.log(sigma**2)).sum()
    expected = LAM / 2 * (distance + NU * (prior + log_det))
    assert kernel_loss(*tensors(*layer), LAM, NU).item() == pytest.approx(expected, rel=1e-13)


def test_gradients_of_the_kernel_loss(layer):
    latent, w, mu, sigma = layer
    given = tensors(*layer)
    # Any factor in front of the loss multiplies all gradients.
    (2.5 * kernel_loss(*given, LAM, NU)).backward()
    sign = np.where(latent >= 0, 1, -1)
    m, s = per_filter(mu, latent), per_filter(sigma, latent)
    residual = w * latent - w.mean() * sign
    elements = latent[0].size
    magnitude = np.abs(latent).reshape(len(latent), -1)
    d_latent = LAM * (w * residual + NU / s**2 * (latent - sign * m))  # (13)
    d_w = LAM * (residual * latent).sum((0, 1), keepdims=True)  # (16)
    excess = magnitude - mu[:, None]
    d_mu = LAM * NU / elements * (-excess / sigma[:, None] ** 2).sum(1)  # (17)
    d_sigma = LAM * NU / elements * (-(excess**2) / sigma[:, None] ** 3 + 1 / sigma[:, None]).sum(1)
    for tensor, expected in zip(given, (d_latent, d_w, d_mu, d_sigma), strict=True):
        assert worst(tensor.grad, 2.5 * expected) < 1e-12


def test_prior_alone_is_the_derivative_of_its_value():
    """With w = 0 there is no reconstruction; autograd gives mu and sigma N times as much."""
    rng = np.random.default_rng(1)
    latent, mu, sigma = rng.normal(0, 1, (3, 2, 3, 3)), rng.uniform(0.5, 1, 3), rng.uniform(1, 2, 3)
    given = tensors(latent, np.zeros((1, 1, 3, 3)), mu, sigma)
    kernel_loss(*given, LAM, NU).backward()
    x, m, s = tensors(latent, mu, sigma)
    column = (3, 1, 1, 1)
    prior = ((x.abs() - m.view(column)) / s.view(column)).square() + s.view(column).square().log()
    (LAM / 2 * NU * prior.sum()).backward()
    assert worst(given[0].grad, x.grad.numpy()) < 1e-12
    assert worst(given[2].grad, m.grad.numpy() / 18) < 1e-12
    assert worst(given[3].grad, s.grad.numpy() / 18) < 1e-12


def features(seed=3, batch=12, size=6, classes=4):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes - 1, batch)  # the last class is not in the batch
    return (
        rng.normal(0, 1, (batch, size)),
        labels,
        rng.normal(0, 1, (classes, size)),
        rng.uniform(0.3, 2, (classes, size)),
    )


def test_value_and_gradients_of_the_feature_loss():
    f, y, c, s = features()
    given = tensors(f, c, s)
    loss = feature_loss(given[0], torch.tensor(y), given[1], given[2], THETA)
    loss.backward()
    away = f - c[y]
    terms = (away**2).sum(1) + (away**2 / s[y] ** 2 + np.log(s[y] ** 2)).sum(1)
    assert loss.item() == pytest.approx(THETA / 2 * terms.mean(), rel=1e-13)
    assert worst(given[0].grad, THETA / len(f) * (away + away / s[y] ** 2)) < 1e-12
    d_s = np.zeros_like(s)
    for i, label in enumerate(y):
        d_s[label] += THETA / len(f) * (-(away[i] ** 2) / s[label] ** 3 + 1 / s[label])
    assert worst(given[2].grad, d_s) < 1e-12
    assert given[1].grad is None


def test_centres_move_by_the_centre_loss_rule():
    f, y, c, _ = features()
    step = centre_step(torch.tensor(f), torch.tensor(y), torch.tensor(c))
    for j in range(len(c)):
        own = f[y == j]
        expected = (c[j] - own).sum(0) / (1 + len(own))
        assert worst(step[j], expected) < 1e-12
    assert torch.count_nonzero(step[-1]) == 0


def users_network(weights=quantizers.BipolarWeight):
    """A Brevitas network that knows nothing of this package."""
    torch.manual_seed(0)
    return torch.nn.Sequential(
        brevitas_nn.QuantConv2d(1, 6, 3, bias=False, weight_quant=weights),
        torch.nn.BatchNorm2d(6),
        brevitas_nn.QuantIdentity(act_quant=quantizers.BipolarActivation),
        brevitas_nn.QuantConv2d(6, 4, 3, bias=False, weight_quant=weights),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 3),
    )


def test_three_lines_for_a_users_own_network():
    model = users_network()
    losses = BayesianLosses(model, lam=1e-3, theta=1e-2, nu=1e-3)
    optimiser = torch.optim.SGD(losses.groups(0.05, 5e-4), momentum=0.9)
    torch.manual_seed(1)
    x, y = torch.randn(32, 1, 8, 8), torch.arange(32) % 3
    first = None
    for step in range(20):
        loss = functional.cross_entropy(model(x), y) + losses.kernel()
        if step >= 10:
            loss = loss + losses.feature(y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        first = first or loss.item()
    assert loss.item() < first
    assert losses.names == ("0", "3")
    assert all(p.grad is not None for p in losses.parameters())
    assert losses.centres.abs().sum() > 0
    assert losses.started.all()
    # The weights have the learnt scale now, and there is a scale for each layer.
    assert model[0].quant_weight().value.unique().numel() == 2
    assert model[0].weight_quant.scale() != model[3].weight_quant.scale()


def test_kernel_loss_of_a_model_is_the_sum_over_its_layers():
    model = build("wrn22", widths=[2, 2, 3, 4], size=8)
    losses = BayesianLosses(model, lam=LAM, nu=NU)
    layers = [block.conv for block in model.layers]
    total = sum(
        kernel_loss(c.weight, c.weight_quant.tensor_quant.modulation, m, s, LAM, NU).item()
        for c, m, s in zip(layers, losses.mu, losses.sigma, strict=True)
    )
    assert losses.kernel().item() == pytest.approx(total, rel=1e-5)
    assert BayesianLosses(model, lam=0).kernel().item() == 0
    pulls = losses.pull()
    assert list(pulls) == [f"layers.stage{i}_{j}.conv" for i in (1, 2, 3) for j in range(6)]
    sigma = losses.sigma[0].detach()
    expected = LAM * NU * (1 / sigma**2).mean().item()
    assert pulls["layers.stage1_0.conv"] == pytest.approx(expected, rel=1e-5)


def test_one_dimension_and_transposed_convolutions():
    """A filter's X is a column of a transposed layer's weights: mu and sigma are by filter."""
    torch.manual_seed(0)
    bits = {"weight_quant": quantizers.BayesianWeight, "bias": False}
    layers = [
        brevitas_nn.QuantConv1d(3, 5, 3, **bits),
        brevitas_nn.QuantConvTranspose1d(5, 4, 3, stride=2, **bits),
        torch.nn.Unflatten(2, (1, -1)),
        brevitas_nn.QuantConvTranspose2d(4, 6, 2, stride=2, **bits),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(6, 2),
    ]
    model = torch.nn.Sequential(*layers)
    losses = BayesianLosses(model, lam=1e-2, nu=1e-3)
    assert [len(mu) for mu in losses.mu] == [5, 4, 6]
    kernels = [layers[0].weight, layers[1].weight.transpose(0, 1), layers[3].weight.transpose(0, 1)]
    for mu, sigma, kernel in zip(losses.mu, losses.sigma, kernels, strict=True):
        torch.testing.assert_close(mu.detach(), kernel.detach().abs().flatten(1).mean(1))
        assert sigma.shape == mu.shape
    optimiser = torch.optim.Adam(losses.groups(1e-2), 1e-2)
    x, y = torch.randn(8, 3, 9), torch.arange(8) % 2
    before = [kernel.detach().clone() for kernel in kernels]
    loss = torch.nn.functional.cross_entropy(model(x), y) + losses.kernel()
    loss.backward()
    optimiser.step()
    assert all((kernel != old).any() for kernel, old in zip(kernels, before, strict=True))


def test_mu_and_sigma_start_at_the_statistics_of_the_kernels():
    model = users_network()
    losses = BayesianLosses(model)
    magnitude = model[0].weight.detach().abs().flatten(1)
    assert torch.allclose(losses.mu[0], magnitude.mean(1))
    assert torch.allclose(losses.sigma[0], magnitude.std(1, correction=0))


def test_sigma_is_kept_above_its_floor():
    losses = BayesianLosses(users_network())
    losses.sigma[0].data.fill_(-1.0)
    assert torch.isfinite(losses.kernel())
    assert torch.equal(losses.sigma[0], torch.full((6,), 1e-3))


def test_prior_is_not_decayed_and_rates_are_set_apart():
    model = users_network()
    losses = BayesianLosses(model)
    groups = losses.groups(0.05, 5e-4, modulation_lr=0.1, prior_lr=0.2)
    assert [g["weight_decay"] for g in groups[2:]] == [5e-4, 0, 0]
    assert [g["lr"] for g in groups[2:]] == [0.05, 0.1, 0.2]
    assert [g["lr"] for g in losses.groups(0.05)[3:]] == [0.005, pytest.approx(1.5e-5)]
    given = [id(p) for g in groups for p in g["params"]]
    wanted = [id(p) for p in [*model.parameters(), *losses.parameters()]]
    assert sorted(given) == sorted(wanted)


def test_a_start_scales_kernels_and_their_rates_alike():
    """What a step does to the signs depends on the rate relative to |X| only."""
    model = users_network()
    before = [layer.weight.detach().clone() for layer in (model[0], model[3])]
    losses = BayesianLosses(model, start=0.01)
    for layer, group, old in zip(
        (model[0], model[3]), losses.groups(0.05, 1e-4), before, strict=False
    ):
        share = 0.01 * (3 * layer.weight[0].numel()) ** 0.5
        assert layer.weight.std(correction=0).item() == pytest.approx(0.01)
        assert torch.equal(layer.weight >= 0, old >= 0)
        assert group["lr"] == pytest.approx(0.05 * share)
        assert group["weight_decay"] == pytest.approx(1e-4 / share)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"start": 0.0}, "BayesianLosses: start must be a positive number, not 0.0"),
        ({"modulation": "big"}, "modulation must be one of held, positive, free, not 'big'"),
    ],
)
def test_starts_and_ranges_that_do_not_exist(changed, message):
    with pytest.raises(UserError, match=message):
        BayesianLosses(users_network(), **changed)


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_losses_have_the_type_of_the_model(kind):
    model = users_network().to(kind)
    losses = BayesianLosses(model)
    x, y = torch.randn(6, 1, 8, 8, dtype=kind), torch.arange(6) % 3
    loss = functional.cross_entropy(model(x), y) + losses.kernel() + losses.feature(y)
    loss.backward()
    assert loss.dtype == kind
    assert {p.dtype for p in [*model.parameters(), *losses.parameters()]} == {kind}
    assert losses.centres.dtype == kind


def test_a_1x1_convolution_is_a_classifier():
    """Its mean over the pixels is a linear layer on the mean of its inputs, also for the loss."""
    linear = users_network()
    conv = torch.nn.Sequential(
        *linear[:4], torch.nn.Conv2d(4, 3, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    with torch.no_grad():
        conv[4].weight.copy_(linear[6].weight[:, :, None, None])
        conv[4].bias.copy_(linear[6].bias)
    x, y = torch.randn(9, 1, 8, 8), torch.arange(9) % 3
    expected = BayesianLosses(linear, theta=1.0)
    losses = BayesianLosses(conv, theta=1.0, classifier=conv[4])
    assert torch.allclose(linear.eval()(x), conv.eval()(x), atol=1e-6)
    assert losses.feature(y).item() == pytest.approx(expected.feature(y).item(), rel=1e-5)
    assert torch.allclose(losses.centres, expected.centres, atol=1e-6)


def test_the_model_is_not_saved_twice():
    names = list(BayesianLosses(users_network()).state_dict())
    assert names == ["deviations", "centres", "started", "mu.0", "mu.1", "sigma.0", "sigma.1"]


def test_centres_do_not_move_in_evaluation():
    model = users_network()
    losses = BayesianLosses(model, theta=1.0)
    x, y = torch.randn(9, 1, 8, 8), torch.arange(9) % 3
    model(x)
    losses.feature(y)
    before = losses.centres.clone()
    losses.eval()
    model(x)
    losses.feature(y)
    assert torch.equal(losses.centres, before)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            [0, 3, 1],
            "BayesianLosses.feature: label 3 is not in 0 to 2; the classifier has 3 outputs",
        ),
        (
            [0, -1, 1],
            "BayesianLosses.feature: label -1 is not in 0 to 2; the classifier has 3 outputs",
        ),
        (
            [0, 1],
            "BayesianLosses.feature: no features of these labels; call the model on their batch "
            "first, once for each call of this",
        ),
    ],
)
def test_labels_that_do_not_fit(labels, message):
    model = users_network()
    losses = BayesianLosses(model)
    model(torch.randn(3, 1, 8, 8))
    with pytest.raises(UserError) as error:
        losses.feature(torch.tensor(labels))
    assert str(error.value) == message


def test_features_are_used_once():
    model = users_network()
    losses = BayesianLosses(model)
    model(torch.randn(3, 1, 8, 8))
    losses.feature(torch.tensor([0, 1, 2]))
    with pytest.raises(UserError, match="no features of these labels"):
        losses.feature(torch.tensor([0, 1, 2]))


def test_models_that_cannot_take_the_losses():
    with pytest.raises(UserError) as error:
        BayesianLosses(torch.nn.Linear(2, 2))
    assert str(error.value) == (
        "BayesianLosses: the model has no 1-bit layer; use QuantConv2d or QuantLinear of "
        "brevitas.nn with weight_quant=bonn_hw.nn.BayesianWeight"
    )
    with pytest.raises(UserError) as error:
        BayesianLosses(users_network()[:4])
    assert str(error.value) == (
        "BayesianLosses: the model has no linear layer, whose inputs would be the features; name "
        "the last layer with classifier="
    )
    wide = torch.nn.Conv2d(4, 3, 3)
    with pytest.raises(UserError) as error:
        BayesianLosses(torch.nn.Sequential(*users_network()[:4], wide), classifier=wide)
    assert str(error.value) == (
        "BayesianLosses: the classifier is a convolution of (3, 3) pixels; its inputs are one "
        "feature vector only if it is 1x1: name another layer with classifier="
    )
    with pytest.raises(UserError) as error:
        BayesianLosses(users_network(), lam=-1)
    assert str(error.value) == "BayesianLosses: lam must be 0 or positive, not -1"
