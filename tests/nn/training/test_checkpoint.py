# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")
pytest.importorskip("sklearn")
pytest.importorskip("lightning")

from bonn_hw.errors import UserError
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training import train
from bonn_hw.nn.training.checkpoint import Checkpoint, TrainedCheckpoint
from bonn_hw.nn.training.experiment import Experiment


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    options = {"convs": [4, 6], "hidden": [8]}
    experiment = Experiment("digits", "digits", 1, options)
    out = tmp_path_factory.mktemp("runs") / "run"
    train.train(experiment, out, progress=False, limit=200)
    return out


def test_predicts_like_the_network_in_batches_of_any_size(run):
    checkpoint = Checkpoint.load(run)
    assert not checkpoint.network.training
    test = checkpoint.test_set(limit=37)
    assert len(test) == 37
    integers = checkpoint.accumulators(test.images, batch=37)
    assert integers.shape == (37, 10) and integers.dtype == np.int32
    assert np.array_equal(checkpoint.accumulators(test.images, batch=5), integers)
    logits = checkpoint.predict(test.images)
    assert logits.shape == (37, 10) and logits.dtype == np.float32
    hits = np.mean(logits.argmax(1) == test.labels)
    assert checkpoint.accuracy(test.images, test.labels) == hits


def test_activations_are_those_of_the_network(run):
    """Fed the network's own accumulators, each function answers the network's own signs."""
    checkpoint = Checkpoint.load(run)
    network = checkpoint.network
    activations = checkpoint.activations()
    assert [(a.name, a.channels) for a in activations] == [("conv0", 4), ("conv1", 6), ("fc0", 8)]
    seen = {}
    for name, block in network.blocks():
        block.matrix.register_forward_hook(lambda m, i, o, name=name: seen.update({name: o}))
        block.sign.register_forward_hook(lambda m, i, o, name=name: seen.update({name + "'": o}))
    checkpoint.predict(checkpoint.test_set(limit=20).images)
    for activation in activations:
        values, signs = seen[activation.name], seen[activation.name + "'"]
        rows = values.movedim(1, -1).reshape(-1, activation.channels).numpy()
        expected = signs.movedim(1, -1).reshape(-1, activation.channels).numpy()
        answer = activation.function(rows)
        assert answer.dtype == np.int8
        assert np.array_equal(answer, expected)


def test_accumulators_that_are_not_integers_are_a_bug_of_ours(run):
    checkpoint = Checkpoint.load(run)
    head = checkpoint.network.head
    images = checkpoint.test_set(limit=3).images
    head.register_forward_hook(lambda module, inputs, output: output + 0.5)
    with pytest.raises(ArithmeticError) as error:
        checkpoint.accumulators(images)
    assert str(error.value) == (
        "checkpoint: the classifier's accumulators are not integers; a scale of its weights or of "
        "its inputs is not accounted for"
    )


def test_a_run_has_its_experiment_and_a_bare_network_has_none(run):
    assert isinstance(Checkpoint.load(run), TrainedCheckpoint)
    bare = Checkpoint(build("tfc", hidden=4, height=2, width=2).eval())
    with pytest.raises(UserError) as error:
        bare.test_set()
    assert str(error.value) == (
        "checkpoint: made from a bare network, which has no data; load a run"
    )
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'experiment'"):
        TrainedCheckpoint(bare.network)


def test_images_of_folders_are_no_test_set(tmp_path):
    for split in ("train", "val"):
        (tmp_path / split / "cat").mkdir(parents=True)
        (tmp_path / split / "cat/one.png").touch()
    experiment = Experiment("digits", "imagenet", 1, root=str(tmp_path))
    network = build("digits", convs=[2, 2], hidden=[2]).eval()
    with pytest.raises(UserError) as error:
        TrainedCheckpoint(network, experiment).test_set()
    assert str(error.value) == (
        "data set imagenet: is read batch by batch in training, and cannot be loaded as a whole; "
        "prepare test images yourself and give them as an array (--inputs)"
    )


def test_wrong_images(run):
    with pytest.raises(UserError) as error:
        Checkpoint.load(run).predict(np.zeros((2, 1, 9, 8)))
    assert str(error.value) == (
        "images: must be float32 of shape (N, 1, 8, 8), not float64 of shape (2, 1, 9, 8)"
    )


def test_missing_and_unreadable_runs(run, tmp_path):
    with pytest.raises(UserError) as error:
        Checkpoint.load(tmp_path / "none")
    assert str(error.value) == (
        f"{tmp_path}/none: no such run folder; train first with "
        f"`bonn-hw train EXPERIMENT.toml --out {tmp_path}/none`"
    )
    with pytest.raises(UserError, match="no such checkpoint; train first with"):
        Checkpoint.load(tmp_path)
    whole = (run / "last.ckpt").read_bytes()
    for content in (b"", b"not a checkpoint", whole[: len(whole) // 2]):
        (tmp_path / "last.ckpt").write_bytes(content)
        with pytest.raises(UserError, match="not a readable checkpoint"):
            Checkpoint.load(tmp_path)


def test_weights_of_another_network(run, tmp_path):
    (tmp_path / "last.ckpt").write_bytes((run / "last.ckpt").read_bytes())
    text = (run / "experiment.toml").read_text()
    (tmp_path / "experiment.toml").write_text(text.replace("[4, 6]", "[4, 7]"))
    with pytest.raises(UserError) as error:
        Checkpoint.load(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/last.ckpt: its weights are not those of network 'digits' in experiment.toml; "
        "one of the two was edited: train again"
    )


def test_nothing_in_a_checkpoint_is_executed(run, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    torch.save({"state_dict": Trap()}, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match="not a readable checkpoint"):
        Checkpoint.load(tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_digest_follows_the_weights():
    torch.manual_seed(0)
    checkpoint = Checkpoint(build("tfc", hidden=4, height=2, width=2).eval())
    before = checkpoint.digest()
    assert before == checkpoint.digest()
    checkpoint.network.scale.bias.data[0] += 1
    assert checkpoint.digest() != before
