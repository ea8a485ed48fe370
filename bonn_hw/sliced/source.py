# SPDX-License-Identifier: BSD-3-Clause
"""A netlist and its order -> the C++ files of a simulator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bonn_hw.sliced import control_source, data_source
from bonn_hw.sliced.independence import INPUT, Split
from bonn_hw.sliced.netlist import ONE, Memory
from bonn_hw.sliced.order import OUTPUT, Order
from bonn_hw.sliced.places import Places

HEADER, CONTENTS = "design.h", "contents.bin"
SIZE, FILES = 40_000, 12  # characters of a file of the data; at most so many files


def write(split: Split, ordered: Order, folder: Path) -> list[Path]:
    """Write the header and the memories' contents into a folder, and the files to compile.

    Returns
    -------
    paths
        The C++ files.
    """
    places = Places(split, ordered)
    blocks = data_source.functions(places)
    shares = _shares(blocks, max(1, min(FILES, sum(map(len, blocks)) // SIZE)))
    texts = {f"data_{number}.cpp": "\n".join(share) for number, share in enumerate(shares)}
    texts["output.cpp"] = data_source.output(places)
    texts["control.cpp"] = control_source.functions(places)
    for name, text in texts.items():
        (folder / name).write_text(f'#include "{HEADER}"\n{text}\n')
    (folder / HEADER).write_text(_header(places, len(blocks)))
    (folder / "places.cpp").write_text(_definitions(places, folder / CONTENTS))
    return [folder / name for name in (*texts, "places.cpp")]


def _shares(texts: Sequence[str], count: int) -> list[list[str]]:
    """Contiguous shares of about the same length: neighbours are called one after the other."""
    shares: list[list[str]] = [[] for _ in range(count)]
    total, done = sum(map(len, texts)), 0
    for text in texts:
        shares[min(count - 1, done * count // total)].append(text)
        done += len(text)
    return shares


def _array(places: Places, memory: Memory) -> str:
    """Declaration of a memory, a word for each address that its ports can have."""
    kind = "V" if places.holds_data(memory) else "uint8_t"
    depth = max([memory.depth, *(1 << len(port.address) for port in memory.ports)])
    return f"{kind} {places.name(memory).removeprefix('l.')}[{depth}][{memory.width}];"


def _variables(places: Places) -> list[str]:
    """Declarations of the variables of the control."""
    lines = [f"Control c[{len(places.control)}];"]
    for memory in places.netlist.memories:
        if not places.holds_data(memory):
            lines.append(_array(places, memory))
        lines += [f"unsigned {places.address(memory, port)};" for port in memory.ports]
    return lines


def _header(places: Places, blocks: int) -> str:
    ports = places.netlist.ports
    names = {
        "RST": "rst",
        "S_VALID": "s_axis_tvalid",
        "S_READY": "s_axis_tready",
        "M_VALID": "m_axis_tvalid",
        "M_READY": "m_axis_tready",
    }
    calls = " ".join(f"X({number})" for number in range(blocks))
    return "\n".join(
        [
            "#pragma once",
            '#include "lanes.h"',
            *(f"extern {line}" for line in _variables(places)),
            f"struct Lanes {{ V d[{len(places.data) + 1}];",
            *(_array(places, one) for one in places.netlist.memories if places.holds_data(one)),
            "};",
            f"#define BLOCKS(X) {calls}",
            "#define X(n) void f##n(Lanes& l);",
            "BLOCKS(X)",
            "#undef X",
            "void control();",
            "void control_step();",
            "void output_data(const Lanes& l, V* out);",
            "void start();",
            *(f"constexpr int {name} = {places.control[ports[port][0]]};"
              for name, port in names.items()),
            f"constexpr int INPUT[] = {{{_list(places, INPUT)}}};",
            f"constexpr int PROBE[] = {{{_list(places, 'probe')}}};",
            f"constexpr int INPUTS = {len(ports[INPUT])}, OUTPUTS = {len(ports[OUTPUT])};",
            f"constexpr int PROBES = {len(ports['probe'])};",
            "",
        ]
    )  # fmt: skip


def _list(places: Places, port: str) -> str:
    of = places.data if port == INPUT else places.control
    return ", ".join(str(of[net]) for net in places.netlist.ports[port])


def _definitions(places: Places, contents: Path) -> str:
    """Definitions of all variables, and what they hold at the start."""
    lines = [f'#include "{HEADER}"', *(f"alignas(64) {line}" for line in _variables(places))]
    lines += [
        f'asm(".section .rodata\\n.global contents\\ncontents: .incbin \\"{contents}\\"\\n'
        '.previous\\n");',
        'extern "C" const uint8_t contents[];',
        "void start() {",
        f"c[{places.control[ONE]}] = -1;",
        "const uint8_t* from = contents;",
    ]
    images = []
    for memory in places.netlist.memories:
        if not places.holds_data(memory):
            images.append(memory.start.tobytes())
            lines += [
                f"for (int i = 0; i < {memory.depth}; i++)",
                f"for (int j = 0; j < {memory.width}; j++) {places.name(memory)}[i][j] = -*from++;",
            ]
    for one in places.netlist.registers:
        if one.start and one.output not in places.split.data:
            lines.append(f"{places.text(one.output)} = -1;")
    contents.write_bytes(b"".join(images) or bytes(1))
    return "\n".join([*lines, "}", ""])
