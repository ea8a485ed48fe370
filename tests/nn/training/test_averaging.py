# SPDX-License-Identifier: BSD-3-Clause
import copy

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training.averaging import WeightAverage, measure_norms

SMALL = {"widths": [4, 4, 4, 4], "in_channels": 1, "size": 8, "pruned": [3] * 18}


def test_average_follows_its_rule_and_keeps_indices():
    torch.manual_seed(0)
    network = build("wrn22", **SMALL)
    for block in network.layers:
        block.copies.index.copy_(torch.tensor([2, 0, 1, 2]))
    average = WeightAverage(network, 0.5)
    name = "layers.stage1_0.conv.weight"
    expected = network.get_parameter(name).detach().clone()
    mean = torch.zeros(4)
    for step, decay in ((1, 0), (3, 2 / 12), (20, 0.5)):
        with torch.no_grad():
            network.get_parameter(name).normal_()
            network.layers.stage1_0.norm.running_mean.normal_()
        average.update(network, step)
        expected = decay * expected + (1 - decay) * network.get_parameter(name).detach()
        mean = decay * mean + (1 - decay) * network.layers.stage1_0.norm.running_mean
        assert torch.allclose(average.network.get_parameter(name), expected, atol=1e-6)
        assert torch.allclose(average.network.layers.stage1_0.norm.running_mean, mean, atol=1e-6)
    assert average.network.layers.stage1_0.copies.index.tolist() == [2, 0, 1, 2]
    assert not any(parameter.requires_grad for parameter in average.parameters())


def test_norms_are_measured_over_all_batches_without_dropout():
    torch.manual_seed(0)
    network = build("wrn22", **SMALL | {"dropout": 0.5, "pruned": []}).train()
    twin = copy.deepcopy(network)
    batches = [torch.randn(20, 1, 8, 8) for _ in range(3)]
    measure_norms(network, batches)
    seen = []
    twin.layers.stage1_0.norm.register_forward_hook(lambda m, inputs, o: seen.append(inputs[0]))
    for module in twin.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    for images in batches:
        twin(images)
    norm = network.layers.stage1_0.norm
    means = torch.stack([x.mean((0, 2, 3)) for x in seen]).mean(0)
    assert torch.allclose(norm.running_mean, means, atol=1e-5)
    assert norm.momentum == 0.1 and network.training
    # Behind dropout too.
    later = network.layers.stage1_2.norm.running_var, twin.layers.stage1_2.norm
    measure_norms(twin, batches)
    assert torch.allclose(later[0], later[1].running_var, atol=1e-5)
