# SPDX-License-Identifier: BSD-3-Clause
"""The C++ of gates: every function of one, two and three values, of control and of data."""

import subprocess

import pytest

from bonn_hw.sliced.build import FLAGS, HERE
from bonn_hw.timing import native

pytestmark = pytest.mark.rtl
# Each table, at all values of its inputs, against the definition in `netlist.Gate`.
PROGRAM = """
#include <utility>
#include "lanes.h"

bool same(V a, V b) { return !std::memcmp(&a, &b, sizeof a); }

template <int table> bool right(Control a, Control b, Control c) {
  const V va = spread(a), vb = spread(b), vc = spread(c);
  const Control one = -(table >> (a & 1) & 1u), two = -(table >> (a & 1 | b & 2) & 1u);
  const Control three = -(table >> (a & 1 | b & 2 | c & 4) & 1u);
  bool all = gate<table>(a, b, c) == three && same(gate<table>(va, vb, vc), spread(three));
  if constexpr (table < 16) all &= gate<table>(a, b) == two;
  if constexpr (table < 16) all &= same(gate<table>(va, vb), spread(two));
  if constexpr (table < 4) all &= gate<table>(a) == one && same(gate<table>(va), spread(one));
  return all;
}

template <int... tables> int wrong(std::integer_sequence<int, tables...>) {
  int count = 0;
  for (int code = 0; code < 8; code++) {
    const Control a = -(code & 1), b = -(code >> 1 & 1), c = -(code >> 2 & 1);
    count += (0 + ... + !right<tables>(a, b, c));
  }
  return count;
}

int main() { return wrong(std::make_integer_sequence<int, 256>()) ? 1 : 0; }
"""


@pytest.mark.parametrize("lanes", [64, 512])
def test_gates_are_their_tables(tmp_path, lanes):
    source, program = tmp_path / "gates.cpp", tmp_path / "gates"
    source.write_text(PROGRAM)
    flags = (*FLAGS, f"-DLANES={lanes}", f"-I{HERE}", "-no-pie")
    subprocess.run([native.compiler(), *flags, str(source), "-o", str(program)], check=True)
    assert subprocess.run([program], check=False).returncode == 0
