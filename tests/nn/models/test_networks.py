# SPDX-License-Identifier: BSD-3-Clause
import re
from dataclasses import replace

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

from bonn_hw.errors import UserError
from bonn_hw.nn.models import networks
from bonn_hw.nn.models.methods import METHODS
from bonn_hw.nn.models.network import clip_latent_weights

ZEROS = torch.zeros(1, 10)


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
    clip_latent_weights(network)
    assert network.head.weight.max() == 1
    assert network.scale.weight.max() == 3


@pytest.mark.parametrize(
    ("name", "options", "parameters"),
    [
        ("wrn22", {}, 272_282),
        ("wrn22", {"widths": [64, 64, 128, 256], "dropout": 0.3}, 4_326_986),
        # Twice the 3x3 convolutions and norms of WRN-22, once all the rest.
        ("wrn40", {}, 563_930),
        # 3x3, 7x7 and 1x1 convolutions; norms of stem, blocks, shortcuts; slopes; classifier.
        (
            "resnet18",
            {"size": 32},
            10_985_472 + 9_408 + 172_032 + 128 + 6_784 + 1_792 + 3_840 + 513_000,
        ),
    ],
)
def test_parameters_are_those_of_the_paper(name, options, parameters):
    network = networks.build(name, **options)
    bayesian = [p for n, p in network.named_parameters() if n.endswith("modulation")]
    own = sum(p.numel() for p in network.parameters()) - sum(p.numel() for p in bayesian)
    assert own == parameters
    assert [tuple(w.shape) for w in bayesian] == [(1, 1, 3, 3)] * len(network.layers)


@pytest.mark.parametrize("form", ["paper", "hardware"])
@pytest.mark.parametrize("name", ["wrn22", "wrn40", "resnet18"])
def test_residual_topology(name, form):
    widths = [2, 2, 3, 4] if name != "resnet18" else [2, 2, 3, 4, 5]
    network = networks.build(name, widths=widths, size=32, in_channels=1, classes=7, form=form)
    a_stage = {"wrn22": 6, "wrn40": 12, "resnet18": 4}[name]
    assert len(network.layers) == a_stage * (len(widths) - 1)
    shapes = []
    for block in network.layers:
        block.register_forward_hook(lambda m, i, o: shapes.append(tuple(o.shape[1:])))
    assert network(torch.zeros(2, 1, 32, 32)).shape == (2, 7)
    size = 32 if name != "resnet18" else 8
    assert shapes[0] == (2, size, size)
    assert shapes[a_stage] == (3, size // 2, size // 2)
    assert shapes[2 * a_stage] == (4, size // 4, size // 4)
    shortcuts = [type(block.shortcut).__name__ for block in network.layers]
    assert shortcuts.count("Sequential") == len(widths) - 2


def test_block_is_the_papers():
    """y = PReLU(conv(sign(norm(x))) + shortcut(x)), zero padding behind the sign."""
    torch.manual_seed(0)
    network = networks.build("wrn22", widths=[3, 3, 4, 5], size=8).eval()
    for block in (network.layers[1], network.layers[6]):
        x = torch.randn(2, block.norm.num_features, 8, 8)
        norm = block.norm
        norm.running_mean.normal_()
        norm.bias.data.normal_()
        normed = (x - norm.running_mean[:, None, None]) / (norm.running_var + norm.eps).sqrt()[
            :, None, None
        ]
        signs = torch.where(normed + norm.bias[:, None, None] >= 0, 1.0, -1.0)
        w = block.conv.weight_quant.tensor_quant.modulation.mean()
        kernels = torch.where(block.conv.weight >= 0, w, -w)
        y = torch.nn.functional.conv2d(signs, kernels, stride=block.conv.stride, padding=1)
        y = y + block.shortcut(x)
        assert torch.allclose(block(x), torch.where(y >= 0, y, 0.25 * y), atol=1e-5)


def test_a_method_works_in_a_chain_or_says_why_not():
    for name, method in METHODS.items():
        if method.not_in_chain:
            with pytest.raises(UserError, match=re.escape(method.not_in_chain)):
                networks.build("tfc", method=name, hidden=4)
        elif name != "float-weights":  # which has no integers
            network = networks.build("tfc", method=name, hidden=4).eval()
            assert torch.equal(network.accumulators(torch.zeros(1, 1, 28, 28)).frac(), ZEROS)
    with pytest.raises(ValueError, match="a method has a weight_in_chain, or says why not"):
        replace(METHODS["bnn"], weight_in_chain=None)


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("form", ["paper", "hardware"])
def test_every_method_learns(method, form):
    if (method, form) == ("float", "hardware"):
        with pytest.raises(UserError) as error:
            networks.build("wrn22", method=method, form=form)
        assert str(error.value) == (
            'network: method "float" has no 1-bit layer to put into hardware; use form = "paper", '
            "or another method"
        )
        return
    torch.manual_seed(0)
    small = {"widths": [4, 4, 4, 4], "blocks": [2, 2, 2], "size": 4}
    network = networks.build("wrn", method=method, form=form, in_channels=1, classes=2, **small)
    y = torch.arange(32) % 2
    x = torch.randn(32, 1, 4, 4) * 0.3 + (y * 2 - 1).view(-1, 1, 1, 1) * 0.3
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    losses = []
    for _ in range(25):
        loss = torch.nn.functional.cross_entropy(network(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    unused = [n for n, p in network.named_parameters() if p.grad is None]
    assert unused == []


def test_hardware_form_holds_integers_only():
    """Every tensor between layers is an integer times a power of two, of few bits."""
    torch.manual_seed(0)
    network = networks.build("wrn22", form="hardware", widths=[4, 4, 6, 8], size=8, in_channels=1)
    network.train()
    network((torch.randint(-128, 128, (64, 1, 8, 8)) / 128).float())
    network.eval()
    seen = {}

    def watch(name):
        def hook(module, inputs, output):
            seen[name] = output

        return hook

    for name, module in network.named_modules():
        if type(module).__name__ in ("QuantConv2d", "QuantLinear", "QuantIdentity"):
            module.register_forward_hook(watch(name))
    with torch.no_grad():
        network((torch.randint(-128, 128, (16, 1, 8, 8)) / 128).float())
        integers = network.accumulators((torch.randint(-128, 128, (16, 1, 8, 8)) / 128).float())
    assert len(seen) == 1 + 2 + 18 * 4 + 2 * 4 + 1 + 1 + 1
    for name, module in network.named_modules():
        if name not in seen:
            continue
        output = seen[name]
        if type(module).__name__ == "QuantIdentity":
            steps = output * 2**7
            assert output.abs().max() <= 8, name
        else:
            scale = module.weight_quant.scale()
            assert torch.equal(scale.log2(), scale.log2().round()), name
            steps = output * 2**7 / scale
            assert steps.abs().max() < 2**24, name
        assert torch.equal(steps, steps.round()), name
    assert torch.equal(integers, integers.round())
    with pytest.raises(UserError, match="the paper form has no integers"):
        networks.build("wrn22", size=8).accumulators(torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "vgg",
            {},
            "network 'vgg' is not known; choose one of tfc, sfc, lfc, cnv, cnv_padded, digits, "
            "chain, wrn, wrn22, wrn40, resnet18",
        ),
        (
            "cnv",
            {"depth": 3},
            "network cnv: option 'depth' is not known; choose from in_channels, classes, convs, "
            "hidden, size, method, input, pruned, sign_gradient, latent",
        ),
        ("tfc", {"hidden": 0}, "network tfc: option hidden must be a positive integer, not 0"),
        (
            "cnv",
            {"convs": [64, "x"]},
            "network cnv: option convs must be a list of positive integers, not [64, 'x']",
        ),
        (
            "wrn22",
            {"metod": "xnor"},
            "network wrn22: option 'metod' is not known (did you mean 'method'?); choose from "
            "in_channels, size, classes, widths, form, method, dropout, slopes, shifts, pruned, "
            "sign_gradient, latent",
        ),
        (
            "wrn22",
            {"method": "bon"},
            "network wrn22: option method must be one of bonn, xnor, bnn, bireal, react, rebnn, "
            "adabin, float-weights, float, not 'bon'",
        ),
        (
            "cnv",
            {"method": "xnor"},
            'network: method "xnor" does not work in a chain: it scales each filter by itself, and '
            "a layer of a chain has one scale; use a residual network, or one of the methods bonn, "
            "bnn, float-weights",
        ),
        (
            "tfc",
            {"method": "float"},
            'network: method "float" does not work in a chain: a chain has 1-bit layers only; use '
            "a residual network, or one of the methods bonn, bnn, float-weights",
        ),
        (
            "wrn22",
            {"dropout": 1.5},
            "network wrn22: option dropout must be a number from 0 to below 1, not 1.5",
        ),
        (
            "wrn22",
            {"size": 30},
            "network: images of 30x30 pixels cannot be halved as often as the stages ask; size "
            "must be a multiple of 4",
        ),
        (
            "wrn",
            {"widths": [8, 8, 16], "blocks": [2]},
            "network: widths [8, 8, 16] are those of the stem and of 2 stages, and blocks [2] has "
            "1 stages; give each stage its blocks",
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
