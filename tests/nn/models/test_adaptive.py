# SPDX-License-Identifier: BSD-3-Clause
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

from bonn_hw.nn.models.adaptive import DeviationQuant, LearntLevels
from tests.support.learning import learnt


class StraightSign(torch.nn.Module):
    """A sign whose gradient is 1."""

    def forward(self, x):
        return x + (torch.where(x >= 0, 1.0, -1.0) - x).detach()


def levels(middle, distance, power_of_two=False):
    made = LearntLevels(StraightSign(), power_of_two)
    with torch.no_grad():
        made.middle.fill_(middle)
        made.distance.fill_(distance)
    return made


def test_two_levels():
    made = levels(0.5, 2.0)
    assert made(torch.tensor([-3.0, 0.25, 0.5, 4.0])).tolist() == [-1.5, -1.5, 2.5, 2.5]


def test_levels_for_hardware_are_on_a_grid():
    made = levels(0.3, 1.3, power_of_two=True)
    assert [one.item() for one in made.levels()] == [0.25, 1.0]
    assert made(torch.tensor([0.2, 0.3])).tolist() == [-0.75, 1.25]
    assert levels(0.0, -1.0, power_of_two=True).levels()[1].item() == 2.0**-8


@pytest.mark.parametrize("power_of_two", [False, True])
def test_what_is_exported_is_the_same_function(power_of_two):
    torch.manual_seed(0)
    made = levels(-0.3, 0.7, power_of_two).eval()
    x = torch.randn(2, 3, 4, 4)
    # Without rounding, a product with 1 / beta may differ from a quotient in the last place.
    torch.testing.assert_close(made.folded()(x), made(x), rtol=0, atol=0 if power_of_two else 1e-6)


def test_levels_have_the_papers_gradients():
    """Of alpha: nothing inside the window of a straight sign; of beta: s - (x - alpha) / beta."""
    made = levels(0.5, 2.0)
    x = torch.tensor([1.5, -3.5], requires_grad=True)
    (made(x) * torch.tensor([1.0, 10.0])).sum().backward()
    assert x.grad.tolist() == [1.0, 10.0]
    assert float(made.middle.grad) == 0.0
    assert float(made.distance.grad) == (1 - 0.5) * 1 + (-1 + 2) * 10


def test_weights_have_the_deviation_of_their_filter():
    x = torch.tensor([[3.0, -3.0, 1.0, -1.0], [0.5, -0.5, 0.5, -0.5]])
    value, scale, _, bits = DeviationQuant(False)(x)
    assert scale.flatten().tolist() == pytest.approx([5**0.5, 0.5])
    assert torch.equal(value, torch.sign(x) * scale)
    assert float(bits) == 1
    rounded = DeviationQuant(True)(x)[1]
    assert rounded.flatten().tolist() == [2.0, 0.5]


def test_the_gradient_of_a_weight_is_that_of_the_sum():
    """Straight through x / deviation, whose product with the deviation is x again."""
    x = torch.tensor([[2.0, -1.0, -1.0]], requires_grad=True)
    weight = torch.tensor([[1.0, 2.0, 4.0]])
    (DeviationQuant(True)(x)[0] * weight).sum().backward()
    deviation = 2**0.5
    signs = torch.tensor([[1.0, -1.0, -1.0]])
    by_deviation = ((signs - x.detach() / deviation) * weight).sum() * x.detach() / deviation / 3
    torch.testing.assert_close(x.grad, weight + by_deviation)


def test_filters_stay_centred_and_a_network_learns():
    network, losses = learnt("adabin")
    assert losses[-1] < 0.5 * losses[0]
    block = network.layers.stage1_0
    means = block.conv.weight.detach().mean((1, 2, 3))
    torch.testing.assert_close(means, torch.zeros(4), rtol=0, atol=1e-7)
    assert block.sign.middle.item() != 0 and block.sign.distance.item() != 1
