# SPDX-License-Identifier: BSD-3-Clause
"""Two processes share a training."""

import json
import os
import socket
import subprocess
import sys
from functools import partial

import pytest

# Slow: a minute and a half, which would else be the end of the run.
pytestmark = [pytest.mark.torch, pytest.mark.slow]
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")
pytest.importorskip("lightning")
pytest.importorskip("sklearn")

from bonn_hw.cli.main import main
from bonn_hw.nn.training import train as training
from tests.support.processes import ended, fork
from tests.support.tiny_training import BONN


def forked(arguments, folder):
    """Two processes as `torchrun` starts them, without an import of torch in each of three."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    both = {"WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "GROUP_RANK": 0, "TORCHELASTIC_RUN_ID": "none"}
    both |= {"MASTER_ADDR": "localhost", "MASTER_PORT": port}

    def work(rank):
        given = both | {"RANK": rank, "LOCAL_RANK": rank}
        os.environ.update({name: str(value) for name, value in given.items()})
        return main(["train", *arguments])

    logs = [folder / f"log{rank}" for rank in range(2)]
    numbers = [fork(partial(work, rank), log) for rank, log in enumerate(logs)]
    codes = [ended(number) for number in numbers]
    assert codes == [0, 0], [log.read_text() for log in logs]


def by_torchrun(arguments, folder):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--master-port", "0", "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    command += ["-m", "bonn_hw.cli", "train", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=1200)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("start", [forked, pytest.param(by_torchrun, marks=pytest.mark.large)])
def test_two_processes_share_a_training(start, tmp_path):
    """Each with half of every batch and half of the test images."""
    flow = tmp_path / "flow.toml"
    flow.write_text(BONN.toml())
    start([str(flow), "--out", str(tmp_path / "run"), "--limit", "200"], tmp_path)
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert len(metrics["epochs"]) == 4
    checkpoint = training.Checkpoint.load(tmp_path / "run")
    test = checkpoint.test_set()
    # All test images were counted once, and with the weights that were saved.
    assert metrics["accuracy"] == checkpoint.accuracy(test.images, test.labels)
