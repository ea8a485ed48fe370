# SPDX-License-Identifier: BSD-3-Clause
from dataclasses import replace

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training import speed
from bonn_hw.nn.training.experiment import Experiment

EXPERIMENT = Experiment(network="digits", dataset="digits", epochs=1)


@pytest.mark.parametrize(
    ("gpu", "capabilities", "expected"),
    [
        (True, {}, "16-mixed"),
        (False, {"avx2": True, "avx512_bf16": False}, "32-true"),
        (False, {"avx512_bf16": True}, "bf16-mixed"),
        (False, {"amx_bf16": True}, "bf16-mixed"),
    ],
)
def test_auto_is_the_fastest_of_the_machine(monkeypatch, gpu, capabilities, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert speed.precision(EXPERIMENT) == expected
    assert speed.is_channels_last(EXPERIMENT) == (expected != "32-true")
    assert speed.precision(replace(EXPERIMENT, precision="32")) == "32-true"
    assert not speed.is_channels_last(replace(EXPERIMENT, memory_format="contiguous"))
    assert speed.is_channels_last(
        replace(EXPERIMENT, precision="32", memory_format="channels-last")
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_every_layer_keeps_channels_last(channels):
    network = build("wrn22", widths=[4, 4, 4, 4], in_channels=channels, size=8, form="hardware")
    speed.train_channels_last(network)
    kept = []
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda m, i, o: kept.append(o.stride(1) == 1))
    images = torch.randint(-128, 128, (5, channels, 8, 8)) / 128
    network(images)
    assert len(kept) == 21 and all(kept)
    kept.clear()
    network.eval()(images)
    assert not any(kept)
