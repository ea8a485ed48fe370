# SPDX-License-Identifier: BSD-3-Clause
"""Trainings of seconds, for the tests of training."""

import os
import signal
from dataclasses import replace

from bonn_hw.nn.training import train as training
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.objective import Objective

TINY = Experiment(
    network="digits",
    options={"convs": [4, 4], "hidden": [8]},
    dataset="digits",
    epochs=3,
    precision="32",  # on every processor
    batch=50,
    lr=0.01,
    seed=3,
    augment="shift",
)


BONN = replace(
    TINY,
    options={"convs": [4, 4], "hidden": [8], "method": "bonn"},
    epochs=2,
    fine_tune_epochs=2,
    lam=1e-4,
    theta=1e-2,
)


def train(out, experiment=TINY, **options):
    return training.train(experiment, out, progress=False, limit=200, **options)


def weights(checkpoint) -> dict:
    return {k: v.numpy().tobytes() for k, v in checkpoint.network.state_dict().items()}


def interrupt_in(call):
    """An objective that presses Ctrl-C at one call of it."""
    calls, original = iter(range(1, 1000)), Objective.__call__

    def objective(self, *args):
        if next(calls) == call:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, *args)

    return objective
