# SPDX-License-Identifier: BSD-3-Clause
"""Gates and Verilator side by side: outputs, the cycle of every beat, busy cycles of stages.

Also the engine and NumPy, without RTL.
"""

import tempfile
from hashlib import sha256
from itertools import count
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from bonn_hw import engine, frontend, pipeline
from bonn_hw.boards import board
from bonn_hw.emit.stored import read_project
from bonn_hw.errors import UnsupportedModel, UserError
from bonn_hw.ir.stream import pack
from bonn_hw.sim import run as verilator
from bonn_hw.sliced import run as sliced
from tests.support.bench import random_values
from tests.support.models import networks

FRAMES, LANES = 192, 64


def agree(build, stalls=(None, 1), frames=FRAMES, fan_in=3):
    """Simulate a build by both, without and with stalls; raises AssertionError.

    Its gates have at most ``fan_in`` inputs.
    """
    project = read_project(build.rtl)
    values = random_values(build.design.graph.tensors[build.design.graph.input], frames)
    beats = pack(values, project.source.lanes, project.source.element)
    options = {"folder": build.rtl, "timeout_cycles": build.design.patience}
    for stall in stalls:
        gates = sliced.simulate(
            project, beats, frames, lanes=LANES, fan_in=fan_in, stall=stall, **options
        )
        rtl = verilator.simulate(
            project, beats, frames, jobs=len(gates.shards), stall=stall, **options
        )
        assert rtl.shards == gates.shards
        np.testing.assert_array_equal(gates.outputs, rtl.outputs)
        np.testing.assert_array_equal(gates.output_cycles, rtl.output_cycles)
        assert gates.stage_cycles == rtl.stage_cycles


def compiled(builder, cycles, folder):
    """The build of a random network, at most so many cycles a frame; None if it has none."""
    target = pipeline.Target(board("pynq-z2"), 100.0, 100e6 / cycles)
    try:
        pipeline.compile_model(builder.path(folder), target, folder / "build")
    except UnsupportedModel:
        return None
    except UserError as error:
        assert "cycles per frame at full parallelism" in str(error)
        return None
    return pipeline.Build.load(folder / "build")


def random_network_agrees(number):
    """Network ``number``, its file, if it compiles: both simulators agree, or AssertionError.

    Networks have gates of two and of three inputs in turns.
    """
    drawn, found = count(), []

    @seed(number)
    @settings(
        max_examples=2, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(networks(odd=False), st.integers(50, 3000))
    def one(builder, cycles):
        if next(drawn) != 1:
            return  # the first is the simplest network, whatever the seed
        with tempfile.TemporaryDirectory() as name:
            build = compiled(builder, cycles, Path(name))
            if build is not None:
                agree(build, fan_in=2 + number % 2)
                found.append(builder.path(Path(name)).read_bytes())

    one()
    return found[0] if found else None


def engine_agrees(number, examples=25):
    """Digests of the random networks of a set that lower; the engine gives NumPy's integers."""
    found = set()

    @seed(number)
    @settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(networks(odd=False))
    def some(builder):
        with tempfile.TemporaryDirectory() as name:
            path = builder.path(Path(name))
            try:
                lowered = frontend.lower(frontend.read(path))
            except UnsupportedModel:
                return
            digest = sha256(path.read_bytes()).hexdigest()
        frames = lowered.host.encode(builder.images(40))  # more than a chunk
        wanted = lowered.graph.run(frames)
        np.testing.assert_array_equal(engine.Engine(lowered.graph).run(frames), wanted)
        found.add(digest)

    some()
    return sorted(found)
