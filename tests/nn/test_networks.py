# SPDX-License-Identifier: BSD-3-Clause
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

from bonn_hw.errors import UserError  # noqa: E402
from bonn_hw.nn import networks  # noqa: E402


@pytest.mark.parametrize(
    ("name", "options", "products"),
    [
        ("tfc", {}, [(784, 64), (64, 64), (64, 64), (64, 10)]),
        ("sfc", {}, [(784, 256), (256, 256), (256, 256), (256, 10)]),
        ("lfc", {"height": 8, "width": 8}, [(64, 1024), (1024, 1024), (1024, 1024), (1024, 10)]),
        ("digits", {}, [(9, 16), (144, 32), (512, 64), (64, 10)]),
        (
            "cnv",
            {},
            [
                *((27, 64), (576, 64), (576, 128), (1152, 128), (1152, 256), (2304, 256)),
                *((256, 512), (512, 512), (512, 10)),
            ],
        ),
        (
            "cnv_padded",
            {"in_channels": 1, "classes": 7},
            [
                *((9, 64), (576, 64), (576, 128), (1152, 128), (1152, 256), (2304, 256)),
                *((4096, 512), (512, 512), (512, 7)),
            ],
        ),
    ],
)
def test_topology(name, options, products):
    network = networks.build(name, **options).eval()
    matrices = [block.matrix for _, block in network.blocks()] + [network.head]
    assert [(m.weight[0].numel(), m.weight.shape[0]) for m in matrices] == products
    logits = network(torch.zeros(2, *network.input_shape))
    assert logits.shape == (2, network.classes)


def test_padding_is_a_true_zero():
    """All weights and pixels +1: a corner sees 4 taps, an edge 6, the inside 9."""
    torch.manual_seed(0)
    network = networks.build("digits", convs=[2, 2], hidden=[4], size=4)
    block = dict(network.blocks())["conv1"]
    block.matrix.weight.data.fill_(1.0)
    counts = block.matrix(torch.ones(1, 2, 4, 4))[0, 0]
    assert counts.tolist() == [
        [8, 12, 12, 8],
        [12, 18, 18, 12],
        [12, 18, 18, 12],
        [8, 12, 12, 8],
    ]


def test_pool_stands_behind_the_sign():
    network = networks.build("digits")
    block = dict(network.blocks())["conv1"].eval()
    x = torch.randint(0, 2, (1, 16, 8, 8)) * 2.0 - 1
    signs = block.activate(block.matrix(x))
    assert torch.equal(block(x), torch.nn.functional.max_pool2d(signs, 2))
    assert set(block(x).unique().tolist()) <= {-1.0, 1.0}


def test_latent_weights_are_clipped_and_batch_norm_is_not():
    network = networks.build("tfc", hidden=4, height=2, width=2)
    for parameter in network.parameters():
        parameter.data.fill_(3.0)
    networks.clip_latent_weights(network)
    assert network.head.weight.max() == 1
    assert network.scale.weight.max() == 3


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "vgg",
            {},
            "network 'vgg' is not known; choose one of tfc, sfc, lfc, cnv, cnv_padded, digits",
        ),
        (
            "cnv",
            {"depth": 3},
            "network cnv: option 'depth' is not known; choose from in_channels, classes, convs, "
            "hidden, size",
        ),
        ("tfc", {"hidden": 0}, "network tfc: option hidden must be a positive integer, not 0"),
        (
            "cnv",
            {"convs": [64, "x"]},
            "network cnv: option convs must be a list of positive integers, not [64, 'x']",
        ),
        (
            "cnv",
            {"size": 8},
            "network: images of 8x8 pixels leave nothing behind conv2; every feature map must keep "
            "a pixel: use larger images, or a padded network",
        ),
    ],
)
def test_wrong_options(name, options, message):
    with pytest.raises(UserError) as error:
        networks.build(name, **options)
    assert str(error.value) == message
