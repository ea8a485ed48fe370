# SPDX-License-Identifier: BSD-3-Clause
"""The engine gives the integers of the NumPy reference, for every kernel and random networks."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from bonn_hw import engine, frontend
from bonn_hw.engine import engine as module
from bonn_hw.engine import native
from bonn_hw.engine.engine import steps_of
from bonn_hw.engine.steps import by_reference
from bonn_hw.engine.tensors import Bits, integers
from bonn_hw.engine.tiles import _looked_up
from bonn_hw.errors import ToolMissing, UnsupportedModel
from bonn_hw.ir.graph import Node
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.requantize import Requantize
from bonn_hw.kernels.sliding_window import SlidingWindow
from bonn_hw.timing import native as compiled
from tests.support import contract, every_kernel
from tests.support.bench import random_values
from tests.support.models import networks

FRAMES = 5  # two more than the windows that are computed together
RNG = np.random.default_rng(0)
# Instructions, and the machines that they are compiled for.
INSTRUCTIONS = {"plain C++": None, native.library().instructions().decode(): "native"}
if any(name.startswith("AVX-512") for name in INSTRUCTIONS):
    INSTRUCTIONS["AVX2"] = "x86-64-v3"


@pytest.fixture(params=INSTRUCTIONS, autouse=True)
def instructions(request, monkeypatch):
    """With the instructions that there are, with fewer, and without any."""
    library = compiled.library(native.SOURCE, INSTRUCTIONS[request.param])
    library.instructions.restype = native.ctypes.c_char_p
    assert library.instructions().decode() == request.param
    monkeypatch.setattr(native, "library", lambda: library)


def step(kernel, *behind):
    """The work of a kernel, or of it and those behind it as one step."""
    kernels = (kernel, *behind)
    names = [[f"in {i}" for i in range(len(kernel.inputs))]]
    names += [[f"{at} {i}" for i in range(len(one.outputs))] for at, one in enumerate(kernels)]
    nodes = [
        Node(str(at), one, tuple(names[at]), tuple(names[at + 1])) for at, one in enumerate(kernels)
    ]
    (only,) = steps_of(nodes, names[-1])
    return only.work


def agree(kernel, work):
    frames = [random_values(kind, FRAMES, seed) for seed, kind in enumerate(kernel.inputs)]
    wanted = kernel.reference(*frames)
    for found, right in zip(work(*frames), wanted, strict=True):
        np.testing.assert_array_equal(integers(found), right)
    packed = [
        Bits.of(values) if kind.element.bipolar else values
        for values, kind in zip(frames, kernel.inputs, strict=True)
    ]
    for found, right in zip(work(*packed), wanted, strict=True):
        np.testing.assert_array_equal(integers(found), right)


@pytest.mark.parametrize("kernel", contract.examples(), ids=lambda k: f"{k.stem}-{k.inputs[0]}")
def test_every_kernel(kernel):
    agree(kernel, step(kernel))
    agree(kernel, by_reference(kernel))


def unit(window, outputs, element, *, bits=1, classes=True, levels=True):
    """A matrix unit behind a window."""
    rows, columns, wide = window.outputs[0].shape
    most = 1 << bits - 1
    weights = (
        RNG.choice([-1, 1], (outputs, wide))
        if bits == 1
        else RNG.integers(-most, most, (outputs, wide))
    )
    borders = [tuple(min(at, 2) for at in range(extent)) for extent in (rows, columns)]
    borders = borders if classes else [(0,) * rows, (0,) * columns]
    count = (borders[0][-1] + 1) * (borders[1][-1] + 1)
    reach = wide * max(-element.low, element.high) * most
    constants = RNG.integers(-reach // 3 - 2, reach // 3 + 3, (count, outputs))
    constants[:, 0], constants[:, -1] = reach + 9, -reach - 9  # never and always
    given = (constants, None) if levels else (None, constants)
    return Mvu((rows, columns), element, weights.astype(np.int8), *given, *borders)


@pytest.mark.parametrize("channels", [1, 3, 63, 64, 65, 130])
@pytest.mark.parametrize("outputs", [1, 7, 8, 65])
@pytest.mark.parametrize("levels", [True, False])
def test_binary_convolutions(channels, outputs, levels, columns=2):
    window = SlidingWindow(TensorType((5, 6, channels), BIPOLAR), (3, columns), (1, 2))
    mvu = unit(window, outputs, BIPOLAR, levels=levels)
    frames = random_values(window.input, FRAMES)
    (wanted,) = mvu.reference(*window.reference(frames))
    for tensor in (frames, Bits.of(frames)):
        (found,) = step(window, mvu)(tensor)
        np.testing.assert_array_equal(integers(found), wanted)


@pytest.mark.parametrize("channels", [2, 16, 21, 22, 26, 31, 32, 33])
@pytest.mark.parametrize("columns", [3, 5])
def test_binary_convolutions_whose_columns_are_joined(channels, columns):
    """A row of a window in a word, in several, and with pixels across their border."""
    test_binary_convolutions(channels, 9, True, columns)
    test_binary_convolutions(channels, 9, False, columns)


@pytest.mark.parametrize(
    ("element", "bits"),
    [(Element(-128, 127), 1), (Element(0, 255), 1), (Element(-8, 7), 4), (BIPOLAR, 3),
     (Element(-(1 << 15), (1 << 15) - 1), 8), (Element(0, 1 << 20), 1)],
)  # fmt: skip
@pytest.mark.parametrize("levels", [True, False])
def test_convolutions_of_integers(element, bits, levels):
    window = SlidingWindow(TensorType((4, 5, 3), element), (2, 3), (2, 1))
    mvu = unit(window, 9, element, bits=bits, levels=levels)
    frames = random_values(window.input, FRAMES)
    (wanted,) = mvu.reference(*window.reference(frames))
    fast = element.high < 1 << 15
    work = step(window, mvu) if fast else (lambda x: step(mvu)(*step(window)(x)))
    (found,) = work(frames)
    np.testing.assert_array_equal(integers(found), wanted)


@pytest.mark.parametrize("ties_even", [True, False])
@pytest.mark.parametrize("slope", [5, 1 << 40])
@pytest.mark.parametrize("rows", [1, 9])
def test_lines_of_quantisers(ties_even, slope, rows):
    """Sums of 32 bits and of more, one line or one for each channel."""
    kind = TensorType((3, 2, 9), Element(-300, 299))
    slopes = RNG.integers(-slope, slope, (rows, 1))
    shift = slope.bit_length() + 2
    offsets = RNG.integers(-1 << shift, 1 << shift, (rows, 1))
    slopes[0] = 1 << shift - 3  # eighths: ties
    offsets[0] = 0
    kernel = Requantize(kind, Element(-20, 17), slopes, offsets, shift, ties_even, 0)
    agree(kernel, step(kernel))


def test_large_windows_of_bits():
    """More than 255 differences a byte of the vector code."""
    kind = TensorType((1, 1, 64 * 70), BIPOLAR)
    mvu = Mvu(
        (1, 1), BIPOLAR, np.ones((8, kind.size), np.int8), None, np.zeros((1, 8), int), (0,), (0,)
    )
    (found,) = step(mvu)(np.full((3, *kind.shape), -1, np.int8))
    np.testing.assert_array_equal(found, np.full((3, 1, 1, 8), -kind.size))


def test_bits_in_any_shape():
    values = RNG.choice([-1, 1], (3, 2, 2, 65))
    for shape in ((2, 2, 65), (4, 1, 65), (1, 1, 260), (4, 65, 1)):
        found = Bits.of(values).shaped(shape)
        np.testing.assert_array_equal(found.integers(), values.reshape(3, *shape))


def test_a_network_of_every_kernel():
    graph = every_kernel.graph()
    frames = random_values(graph.tensors[graph.input], 70)  # several chunks
    for threads in (1, 3, None):
        found = engine.Engine(graph).run(frames, threads)
        np.testing.assert_array_equal(found, graph.run(frames))
    assert engine.run(graph, frames[:0]).shape == graph.run(frames[:0]).shape
    with pytest.raises(ValueError, match="input values leave the range of"):
        engine.run(graph, frames + 100)


@given(networks(odd=False))
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_networks(builder):
    with tempfile.TemporaryDirectory() as name:
        try:
            lowered = frontend.lower(frontend.read(builder.path(Path(name))))
        except UnsupportedModel:
            return
    frames = lowered.host.encode(builder.images(40))
    np.testing.assert_array_equal(engine.run(lowered.graph, frames), lowered.graph.run(frames))


def test_tables_beyond_four_million_entries_are_not_made():
    class Asked(Exception):
        """The reference is asked for the entries of a table."""

    class Elementwise:
        def __init__(self, high):
            self.inputs = (TensorType((1, 1, 64), Element(0, high)),)

        def reference(self, values):
            raise Asked

    with pytest.raises(Asked):
        _looked_up(Elementwise((1 << 16) - 1))
    assert _looked_up(Elementwise(1 << 16)) is None


def test_without_a_compiler(monkeypatch):
    def missing():
        raise ToolMissing("no C++ compiler")

    monkeypatch.setattr(module, "library", missing)
    graph = every_kernel.graph()
    frames = random_values(graph.tensors[graph.input], 3)
    np.testing.assert_array_equal(engine.run(graph, frames), graph.run(frames))
