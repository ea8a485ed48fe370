# SPDX-License-Identifier: BSD-3-Clause
"""The table of operators: one file an operator, and what messages and docs make of it."""

from pathlib import Path
from pkgutil import iter_modules

import pytest

from bonn_hw.frontend import operators
from bonn_hw.frontend.operator import Kind
from bonn_hw.frontend.operators import documented, kind_of, supported, table

PAGE = Path(__file__).parent.parent.parent / "docs" / "models.md"


def test_every_file_has_entries_with_what_their_kind_needs():
    assert {module.name for module in iter_modules(operators.__path__)} >= {"convolution", "add"}
    for name, operator in table().items():
        quantiser, hosted = operator.kind is Kind.QUANTISER, operator.kind in (Kind.HEAD, Kind.TAIL)
        assert (operator.rewrite is not None) == quantiser, name
        assert (operator.lower is not None) == (not quantiser and not hosted), name
        assert (operator.join is not None) == (operator.kind is Kind.JOIN), name
        assert operator.text.strip() == operator.text and operator.text[-1] != ".", name


def test_kinds_by_name():
    assert kind_of("Conv") is Kind.MATRIX and kind_of("Softmax") is Kind.TAIL
    assert kind_of("LRN") is None


def test_the_supported_layers_are_those_of_the_table():
    layers, _, rest = supported().partition(", Add of two branches")
    joins = (f"{name} of two branches" for name in ("Sub", "Mul", "Max", "Min", "Concat"))
    assert rest == f", {', '.join(joins)}, and elementwise operators between them"
    named = [n for n, one in table().items() if one.kind in (Kind.MATRIX, Kind.LAYER)]
    assert layers.split(", ") == named
    assert named[:3] == ["Conv", "MatMul", "Gemm"] and {"MaxPool", "Pad"} <= set(named)


def test_one_name_in_two_files_is_refused(monkeypatch):
    twice = operators.operators()
    monkeypatch.setattr(operators, "operators", lambda: (*twice, twice[0]))
    with pytest.raises(ValueError, match="two files of frontend/operators claim"):
        table.__wrapped__()


def test_the_docs_have_the_table_of_today():
    assert documented(PAGE.read_text()) == PAGE.read_text(), (
        "docs/models.md is stale: run python -m bonn_hw.frontend.operators docs/models.md"
    )


def test_a_stale_page_is_found_and_written_anew():
    page = PAGE.read_text()
    stale = page.replace("| `Gather` |", "| `Gatter` |")
    assert stale != page and documented(stale) == page
    with pytest.raises(ValueError, match="lacks one of the marks"):
        documented("no marks")
