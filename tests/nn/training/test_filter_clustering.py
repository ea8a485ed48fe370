# SPDX-License-Identifier: BSD-3-Clause
"""Groups of filters, their loss, and how filters are drawn to their means."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")
pytest.importorskip("lightning")
pytest.importorskip("sklearn")


from bonn_hw.nn.training import filter_clustering
from bonn_hw.nn.training.filter_clustering import (
    Blend,
    SharedGradient,
    cluster,
    group_means,
    pruning_loss,
)
from tests.support.pruned import TINY, WRN, grouped, network


def test_filters_that_stand_together_make_a_group():
    torch.manual_seed(0)
    centres = torch.randn(3, 1, 2, 3, 3)
    filters = (centres + 0.01 * torch.randn(3, 4, 2, 3, 3)).flatten(0, 1)
    labels = cluster(filters, 3, seed=1)
    assert labels.dtype == torch.int64
    groups = labels.view(3, 4)
    assert (groups == groups[:, :1]).all() and len(set(groups[:, 0].tolist())) == 3
    assert torch.equal(labels, cluster(filters, 3, seed=1))


def test_no_group_is_empty_even_where_filters_are_equal():
    assert sorted(cluster(torch.ones(6, 2, 3, 3), 4, seed=0).unique().tolist()) == [0, 1, 2, 3]


def test_how_many_filters_remain():
    assert [filter_clustering.kept_filters(*x) for x in ((16, 0.5), (5, 0.5), (3, 0.1))] == [
        8,
        2,
        1,
    ]


def test_representative_is_the_member_nearest_to_the_mean():
    latent = torch.tensor([0.0, 7.0, 1.0, 9.0, 5.0, 8.5])[:, None]
    labels = torch.tensor([1, 0, 1, 0, 1, 0])
    # Means 2 and 8.17.
    assert filter_clustering.representatives(latent, labels).tolist() == [2, 5]


def test_pruning_loss_and_its_gradients_are_the_closed_forms():
    torch.manual_seed(2)
    latent = torch.randn(7, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 2, 1, 0, 2, 2, 0])
    sigma = (torch.rand(3, dtype=torch.float64) + 0.1).requires_grad_()
    lam, nu = 0.3, 0.7
    loss = pruning_loss(latent, labels, sigma, nu, lam / 2)
    loss.backward()
    k, s = latent.detach().numpy(), sigma.detach().numpy()
    expected, for_sigma = 0.0, np.zeros(3)
    for group in range(3):
        members = np.flatnonzero(labels.numpy() == group)
        mean = k[members].mean(0)
        for i in members:
            distance = (k[i] - mean).ravel()
            squares = distance @ distance
            expected += squares + nu * squares / s[group] ** 2 + nu * 27 * np.log(s[group] ** 2)
            for_sigma[group] += lam * nu * (27 / s[group] - squares / s[group] ** 3)
            gradient = lam * (1 + nu / s[group] ** 2) * distance
            np.testing.assert_allclose(latent.grad[i].numpy().ravel(), gradient, 1e-12, 1e-12)
    np.testing.assert_allclose(loss.item(), lam / 2 * expected, 1e-12)
    np.testing.assert_allclose(pruning_loss(latent, labels, sigma, nu).item(), expected, 1e-12)
    np.testing.assert_allclose(sigma.grad.numpy(), for_sigma, 1e-12, 1e-12)


def test_sigma_starts_at_the_deviation_of_the_group_and_has_a_floor():
    net = network("digits", **TINY.options)
    layer = net.layers.conv1.matrix
    latent = layer.weight.detach().clone()
    groups = grouped(net)
    labels = groups.labels["conv1"]
    for group, sigma in enumerate(groups.sigma[1].tolist()):
        members = latent[labels == group]
        assert sigma == pytest.approx(
            max(1e-3, float((members - members.mean(0)).std(correction=0)))
        )
    with torch.no_grad():
        groups.sigma[1].fill_(-1)
    groups.loss()
    assert (groups.sigma[1] == filter_clustering.SMALLEST_SIGMA).all()


def test_blend_goes_from_the_filters_to_their_means():
    torch.manual_seed(1)
    latent = torch.randn(5, 2, 3, 3, dtype=torch.float64)
    blend = Blend(torch.tensor([1, 0, 1, 1, 0]))
    means = group_means(latent, blend.labels)
    assert torch.equal(means[0], (latent[1] + latent[4]) / 2)
    assert torch.equal(blend(latent), latent)
    blend.gamma = 0.25
    assert torch.equal(blend(latent), 0.75 * latent + 0.25 * means[blend.labels])
    blend.gamma = 1.0
    assert torch.equal(blend(latent), means[blend.labels])


@pytest.mark.parametrize("method", ["bonn", "xnor", "bnn"])
def test_the_quantiser_sees_the_blend(method):
    net = network("wrn22", **WRN, method=method)
    conv = net.layers.stage1_0.conv
    latent = conv.weight.detach().clone()
    groups = grouped(net, blended=True)
    labels = groups.labels["stage1_0"]
    assert torch.equal(conv.quant_weight().value.sign(), latent.sign())
    groups.blend(1.0)
    weights = conv.quant_weight().value
    means = group_means(latent, labels)
    assert torch.equal(weights.sign(), means.sign()[labels])
    # Scales too, also where they are statistics of the filter.
    assert all(len(weights[labels == group].unique(dim=0)) == 1 for group in range(len(means)))


def test_filters_of_a_group_learn_as_one_when_gamma_is_1():
    blend = Blend(torch.tensor([0, 0, 1]))
    blend.gamma = 1.0
    latent = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    gradient = torch.randn(3, 4, dtype=torch.float64)
    blend(latent).backward(gradient)
    mean = (gradient[0] + gradient[1]) / 2
    torch.testing.assert_close(latent.grad, torch.stack([mean, mean, gradient[2]]))


def test_filters_of_a_group_share_their_gradient():
    latent = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    gradient = torch.randn(3, 4, dtype=torch.float64)
    weight = SharedGradient(torch.tensor([0, 1, 0]))(latent)
    assert torch.equal(weight, latent)
    weight.backward(gradient)
    mean = (gradient[0] + gradient[2]) / 2
    torch.testing.assert_close(latent.grad, torch.stack([mean, gradient[1], mean]))


def test_filters_are_drawn_at_a_constant_rate():
    net = network("digits", **TINY.options)
    before = net.layers.conv0.matrix.weight.detach().clone()
    groups = grouped(net)
    labels = groups.labels["conv0"]
    means = group_means(before, labels)[labels]
    assert groups.apart == 1.0
    groups.draw(0.25)
    torch.testing.assert_close(groups.latent("conv0").detach(), 0.75 * before + 0.25 * means)
    groups.draw(0.25)
    assert groups.apart == pytest.approx(0.75**2, rel=1e-5)
    # Every member is drawn to its mean, so the mean stays.
    torch.testing.assert_close(
        group_means(groups.latent("conv0").detach(), labels)[labels], means, atol=1e-6, rtol=1e-6
    )
    groups.merge()
    weight = net.layers.conv0.matrix.weight
    assert not hasattr(net.layers.conv0.matrix, "parametrizations")
    for group in range(int(labels.max()) + 1):
        assert len(weight[labels == group].unique(dim=0)) == 1


def test_latent_weights_are_clipped_behind_the_blend():
    net = network("digits", method="bnn")
    groups = grouped(net)
    with torch.no_grad():
        groups.latent("conv0").fill_(3)
    groups.clip()
    assert (groups.latent("conv0") == 1).all()
