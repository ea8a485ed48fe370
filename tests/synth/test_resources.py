# SPDX-License-Identifier: BSD-3-Clause
"""What kernels predict of their use against what Yosys makes of them, for some points of each."""

import pytest

from bonn_hw.kernels import kernels
from bonn_hw.synth import kernel as alone
from bonn_hw.synth.kernel import synthesise_kernel, synthesise_kernels
from bonn_hw.synth.netlist import Use
from tests.support import contract
from tests.support.grids import close, describe, report

# First: half a minute of Yosys on each core would else be the end of the run.
pytestmark = pytest.mark.slow
CASES = contract.cases()


@pytest.fixture(scope="module")
def uses():
    """All in one go: Yosys takes seconds to begin with."""
    return dict(zip(CASES, synthesise_kernels(list(CASES.values())), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_no_prediction_misleads(case, uses):
    kernel, folding = CASES[case]
    predicted = kernel.resources(folding)
    assert close(predicted, uses[case], 0.3, 40), report(predicted, uses[case])


def test_predictions_are_close(uses):
    """Not all of them can be: Yosys makes up to 9 % more or less of the same kernel elsewhere."""
    missed = [
        f"{case}: {report(kernel.resources(folding), uses[case])}"
        for case, (kernel, folding) in CASES.items()
        if not close(kernel.resources(folding), uses[case])
    ]
    assert len(missed) <= 0.1 * len(CASES), "\n".join(missed)


@pytest.mark.parametrize("case", CASES)
def test_logic_is_as_shallow_as_its_grid_states(case, uses):
    """Five LUT or so; a sixth where memories of many words are chosen from or addressed."""
    kernel, folding = CASES[case]
    assert uses[case].depth <= contract.grids()[kernel.stem].depth(kernel, folding)


@pytest.mark.large
def test_large_points():
    """Those in whose place the tests above have smaller ones."""
    cases = contract.large_cases()
    found = synthesise_kernels(list(cases.values()))
    for (kernel, folding), use in zip(cases.values(), found, strict=True):
        predicted = kernel.resources(folding)
        assert close(predicted, use, 0.3, 40), report(predicted, use)
        assert use.depth <= contract.grids()[kernel.stem].depth(kernel, folding)


def test_names_are_those_of_the_points():
    assert [describe(*point) for point in CASES.values()] == list(CASES)
    assert {kernel.stem for kernel, _ in CASES.values()} == set(kernels())


def test_what_was_synthesised_is_kept(uses, monkeypatch):
    monkeypatch.setattr("bonn_hw.synth.yosys.tools.run", None)
    name = next(iter(CASES))
    assert synthesise_kernel(*CASES[name]) == uses[name]


def test_a_kernel_that_is_synthesised_alone_is_not_mistaken_for_its_surroundings(
    uses, tmp_path, monkeypatch
):
    """Around a kernel is an empty top, whose use is zero: an empty cache must not get that one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    nothing, name = Use(*(0,) * 9), next(iter(CASES))
    made = {"top": nothing, "kernel_0": uses[name]}  # as Yosys' netlist of it is counted
    monkeypatch.setattr(alone, "synthesise_anew", lambda job: made)
    for _ in range(2):  # made, and from the cache
        assert synthesise_kernel(*CASES[name]) == uses[name]
