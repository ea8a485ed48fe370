# SPDX-License-Identifier: BSD-3-Clause
"""Compile a random network, do what a refusal says, and compare what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bonn_hw import frontend
from bonn_hw.errors import UserError
from tests.support.strangers import Plan, plan
from tests.support.strangers_layers import build

FRAMES = 6


@dataclass(frozen=True)
class Outcome:
    """What became of a network.

    Attributes
    ----------
    what : str
        ``exact``, ``wrong``, ``untrue`` (a refusal whose remedy is unknown or was already done).
    remedies : tuple of str
        Odd forms that were refused, and undone as the message said.
    odd : tuple of str
        Odd forms that were accepted.
    text : str
        The message of an untrue refusal.
    """

    what: str
    remedies: tuple[str, ...]
    odd: tuple[str, ...]
    text: str = ""


def judge(seed: int, folder: Path) -> tuple[Outcome, Path, Plan]:
    """Draw a network and follow its refusals; also its file, and the plan as it was compiled."""
    given, remedies = plan(seed), []
    while True:
        path = build(given).write(folder)
        grid = None if given.grid is None else frontend.StatedGrid.parse(given.grid)
        try:
            model = frontend.read(path, (), grid)
            lowered = frontend.lower(model)
        except UserError as error:
            after = given.without(str(error))
            if after is None:
                return Outcome("untrue", tuple(remedies), given.odd, str(error)), path, given
            remedies += [one for one in given.odd if given.odd.count(one) > after.odd.count(one)]
            given = after
            continue
        host = lowered.host
        frames = np.concatenate([_frames(model, host, seed), host.trial_frames()])
        answer = host.decode(lowered.graph.run(host.encode(frames)))
        equal = np.array_equal(answer, lowered.reference.run(frames), equal_nan=True)
        if not lowered.findings:  # of rounded sums, where ONNX Runtime may answer otherwise
            equal &= np.array_equal(answer, model.run(frames), equal_nan=True)
        return Outcome("exact" if equal else "wrong", tuple(remedies), given.odd), path, given


def _frames(model: frontend.Model, host: frontend.Host, seed: int) -> np.ndarray:
    if model.stated is not None:
        return host.random_frames(FRAMES, seed)
    shape = (FRAMES, *model.shapes[model.input])
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)
