# SPDX-License-Identifier: BSD-3-Clause
"""The shell's memory reader and writer, proved against a memory behind AXI, for all times."""

import pytest

from tests.formal.engine import FALSE, PROVED, decide_step, prepare_shell
from tests.formal.shell import BENCHES, reader, writer
from tests.formal.shell_faults import FAULTS, faulty

CONTROLS = faulty()
FEW = (CONTROLS[4], CONTROLS[12])  # all of them: nightly, and `make formal`
CORE = (reader(20), writer(20))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("shell")
    prepare_shell([*CORE, *FEW], place)
    return place


@pytest.mark.parametrize("bench", CORE, ids=lambda bench: bench.name)
def test_a_module_of_the_shell_is_proved(bench, folder):
    assert decide_step(bench.name, folder, seconds=60) == PROVED


@pytest.mark.parametrize("bench", FEW, ids=lambda bench: bench.name)
def test_a_fault_is_found(bench, folder):
    assert decide_step(bench.name, folder, seconds=60) == FALSE


def test_both_modules_have_a_fault_for_each_property():
    assert {kind.__name__ for _, kind, *_ in FAULTS} == {"reader", "writer"}
    assert len({(kind, *fault) for _, kind, *fault in FAULTS}) == len(FAULTS)


@pytest.mark.large
def test_all_of_the_shell(tmp_path):
    prepare_shell([*BENCHES, *CONTROLS], tmp_path)
    answers = {
        bench.name: decide_step(bench.name, tmp_path, seconds=120)
        for bench in [*BENCHES, *CONTROLS]
    }
    assert answers == {
        bench.name: FALSE if bench.fault else PROVED for bench in [*BENCHES, *CONTROLS]
    }
