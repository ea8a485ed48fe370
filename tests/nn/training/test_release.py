# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")
pytest.importorskip("lightning")

from bonn_hw.errors import UserError
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training import release
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.train import train

RESIDUAL = {"widths": [3, 3, 4, 5], "in_channels": 1, "size": 8}
NETWORKS = [
    ("digits", {}),
    ("digits", {"method": "bonn"}),
    ("wrn22", RESIDUAL | {"form": "hardware"}),
    ("wrn22", RESIDUAL | {"form": "paper"}),
    ("wrn22", RESIDUAL | {"form": "paper", "method": "xnor"}),
    ("wrn22", RESIDUAL | {"form": "hardware", "method": "rebnn"}),
]


def folder(path, name, options):
    """A run folder as training leaves it."""
    torch.manual_seed(2)
    network = build(name, **options).train()
    network(torch.randn(50, *network.input_shape))
    path.mkdir(parents=True)
    experiment = Experiment(network=name, options=options, dataset="digits", epochs=1)
    (path / "experiment.toml").write_text(experiment.toml())
    (path / "metrics.json").write_text("{}")
    state = {f"network.{key}": value for key, value in network.state_dict().items()}
    torch.save({"state_dict": state}, path / "last.ckpt")
    return path


@pytest.mark.parametrize(("name", "options"), NETWORKS)
def test_released_network_answers_alike(tmp_path, name, options):
    run = folder(tmp_path / "run", name, options)
    before = Checkpoint.load(run)
    weights = release.release(before.network, run, tmp_path / "zoo")
    after = Checkpoint.load(tmp_path / "zoo")
    images = np.random.default_rng(0).normal(0, 1, (20, *before.network.input_shape))
    images = images.astype(np.float32)
    assert np.array_equal(before.predict(images), after.predict(images))
    assert sorted(p.name for p in weights.parent.iterdir()) == [
        "experiment.toml",
        "metrics.json",
        "weights.npz",
    ]


def test_only_bits_are_kept_where_bits_suffice(tmp_path):
    run = folder(tmp_path / "run", "digits", {})
    arrays = release.pack(Checkpoint.load(run).network)
    assert arrays["bits layers.conv1.matrix.weight"].nbytes == 16 * 32 * 9 // 8
    assert "layers.conv1.matrix.weight" not in arrays
    xnor = build("wrn22", **RESIDUAL, method="xnor")
    assert not any(name.startswith("bits ") for name in release.pack(xnor))
    rebnn = release.pack(build("wrn22", **RESIDUAL, method="rebnn"))
    assert "bits layers.stage1_0.conv.weight" in rebnn


def test_nothing_is_overwritten_and_damage_is_named(tmp_path):
    run = folder(tmp_path / "run", "digits", {})
    network = Checkpoint.load(run).network
    out = tmp_path / "zoo"
    release.release(network, run, out)
    with pytest.raises(UserError) as error:
        release.release(network, run, out)
    assert str(error.value) == f"{out}: exists already; name a new folder for the released run"
    (out / "weights.npz").write_bytes(b"PK")
    with pytest.raises(UserError, match="not readable as a released network"):
        Checkpoint.load(out)


def test_a_released_run_is_not_trained_over(tmp_path):
    run = folder(tmp_path / "run", "digits", {})
    out = tmp_path / "zoo"
    release.release(Checkpoint.load(run).network, run, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(UserError) as error:
        train(out / "experiment.toml", out, resume=True, progress=False)
    assert str(error.value) == (
        f"{out}: a released run, of whose latent weights only the signs are left; go on with the "
        "run that it was made of, or name another folder"
    )
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
