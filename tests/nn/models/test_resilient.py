# SPDX-License-Identifier: BSD-3-Clause
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

from bonn_hw.nn.models.resilient import LEAST_PULL, MOST_PULL, ResilientQuant, ResilientSign
from tests.support.learning import learnt


def quantiser(power_of_two=False, **state):
    made = ResilientQuant((2, 3), 0.25, power_of_two).train()
    for name, value in state.items():
        getattr(made, name).data.copy_(torch.tensor(value))
    return made


LATENT = [[0.5, -0.25, 1.5], [-0.125, 0.0, 2.0]]
INCOMING = [[0.001, -0.002, 0.0005], [0.003, 0.001, -0.004]]


def gradients(made, latent=LATENT):
    x = torch.tensor(latent, requires_grad=True)
    made(x)[0].backward(torch.tensor(INCOMING))
    return x.grad, made.alpha.grad


def test_filters_have_their_own_scales():
    made = quantiser(alpha=[[0.5], [0.3]])
    value, scale, zero, bits = made(torch.tensor(LATENT))
    assert value.tolist() == torch.tensor([[0.5, -0.5, 0.5], [-0.3, 0.3, 0.3]]).tolist()
    assert (scale.flatten().tolist(), float(zero), float(bits)) == (
        torch.tensor([0.5, 0.3]).tolist(),
        0.0,
        1.0,
    )
    assert quantiser(True, alpha=[[0.5], [0.3]]).scale().flatten().tolist() == [0.5, 0.25]


def test_scales_stay_positive():
    made = quantiser(alpha=[[-0.5], [0.001]])
    made(torch.tensor(LATENT))
    assert made.alpha.flatten().tolist() == [0.25 / 16] * 2


def test_gradients_are_those_of_the_paper():
    """Element by element; a third of the signs of filter 0 have changed, and none of filter 1."""
    made = quantiser(
        alpha=[[0.5], [0.3]],
        positive=[[True, True, True], [False, True, True]],
        started=True,
    )
    for_latent, for_alpha = gradients(made)
    # 1/3 * 0.002 is above the upper limit; no sign of filter 1 has changed.
    gammas, alphas = (MOST_PULL, LEAST_PULL), (0.5, 0.3)
    for row, (gamma, alpha) in enumerate(zip(gammas, alphas, strict=True)):
        total = 0.0
        for x, g, found in zip(LATENT[row], INCOMING[row], for_latent[row], strict=True):
            sign = 1 if x >= 0 else -1
            pull = gamma * (x - alpha * sign)
            assert float(found) == pytest.approx(alpha * g * (abs(x) <= 1) + pull, rel=1e-5)
            total += (g - pull) * sign
        assert float(for_alpha[row]) == pytest.approx(total, rel=1e-5)


def test_the_pull_follows_the_changes_of_signs():
    changed = torch.tensor([[1 / 3], [0.0]])
    x, alpha = torch.tensor(LATENT, requires_grad=True), torch.tensor([[0.5], [0.3]])
    incoming = torch.tensor(INCOMING) / 10  # 1/3 * 0.0002 is between the limits
    ResilientSign.apply(x, alpha, alpha, changed).backward(incoming)
    expected = 0.5 * float(incoming[0, 0]) + 0.0002 / 3 * (0.5 - 0.5)
    assert float(x.grad[0, 0]) == pytest.approx(expected)
    assert float(x.grad[0, 2]) == pytest.approx(0.0002 / 3 * (1.5 - 0.5), rel=1e-5)


def test_a_restored_quantiser_goes_on_as_the_first():
    first = quantiser()
    gradients(first, [[-1.0] * 3] * 2)
    again = quantiser()
    again.load_state_dict(first.state_dict())
    first.alpha.grad = None
    restored = gradients(again)
    assert all(
        torch.equal(one, other) for one, other in zip(gradients(first), restored, strict=True)
    )
    fresh = quantiser()  # which has seen no signs that could have changed
    assert not torch.equal(gradients(fresh)[0], restored[0])


def test_evaluation_counts_no_changes():
    made = quantiser().eval()
    made(torch.tensor(LATENT))
    assert not made.started


def test_a_network_learns():
    network, losses = learnt("rebnn")
    assert losses[-1] < 0.5 * losses[0]
    conv = network.layers.stage1_0.conv
    assert len(conv.weight_quant.tensor_quant.alpha.unique()) > 1
