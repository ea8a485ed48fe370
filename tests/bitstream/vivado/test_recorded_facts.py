# SPDX-License-Identifier: BSD-3-Clause
"""What the stand-in for Vivado knows, held against header files that Vivado wrote.

PYNQ's own designs come with their .hwh, of Vivado 2022.1 and 2024.1: all parameters of the
processing systems with their values, pins, interfaces, segments, and versions of IPs.
"""

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import cache

import pytest

from bonn_hw.bitstream.vivado.plan import scripts_folder
from tests.bitstream.vivado.stand_in import tcl_check
from tests.bitstream.vivado.stand_in.commands import CommandSet, check_value
from tests.bitstream.vivado.stand_in.tcl_check import trial
from tests.bitstream.vivado.stand_in.tool import Scenario
from tests.support import real_pynq

KNOWN = CommandSet.read(tcl_check.COMMANDS).ips
SYSTEMS = {"processing_system7": ("Pynq-Z2", "Pynq-Z1"), "zynq_ultra_ps_e": ("ZCU104",)}
DESIGNS = [(name, version) for version in real_pynq.DESIGNS for name in sum(SYSTEMS.values(), ())]
# Ours alone: PYNQ's designs have other peripherals in the fabric.
CHOSEN = {
    "PCW_FPGA0_PERIPHERAL_FREQMHZ",
    "PSU__CRL_APB__PL0_REF_CTRL__SRCSEL",
    "PSU__MAXIGP0__DATA_WIDTH",
    "PSU__SAXIGP2__DATA_WIDTH",
    "PSU__USE__M_AXI_GP0",
    "PSU__USE__M_AXI_GP2",
    "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ",
}


@dataclass(frozen=True)
class Described:
    """The cells of a .hwh by the name of their IP: one of each."""

    versions: dict[str, str]
    parameters: dict[str, dict[str, str]]
    pins: dict[str, set[str]]
    interfaces: dict[str, set[str]]
    segments: set[str]  # of the processing system: port and segment
    reached: list[tuple[str, int, int]]  # master of the processing system, first and last address


@cache
def described(name, version):
    tree = ET.parse(real_pynq.design(name, ".hwh", version)).getroot()
    assert tree.get("VIVADOVERSION") == real_pynq.DESIGNS[version]
    made = Described({}, {}, {}, {}, set(), [])
    for module in tree.iter("MODULE"):
        kind = module.get("MODTYPE")
        made.versions[kind] = module.get("HWVERSION")
        values = {one.get("NAME"): one.get("VALUE") for one in module.iter("PARAMETER")}
        made.parameters.setdefault(kind, {}).update(values)
        pins = {one.get("NAME") for one in module.iter("PORT")}
        made.pins.setdefault(kind, set()).update(pins)
        interfaces = {one.get("NAME") for one in module.iter("BUSINTERFACE")}
        made.interfaces.setdefault(kind, set()).update(interfaces)
        for place in module.iter("MEMRANGE"):
            if kind in SYSTEMS:
                ends = (place.get("BASEVALUE"), place.get("HIGHVALUE"))
                low, high = (int(end, 0) for end in ends)
                made.reached.append((place.get("MASTERBUSINTERFACE"), low, high))
            port, block = place.get("SLAVEBUSINTERFACE"), place.get("ADDRESSBLOCK")
            made.segments.add(f"{port}/{block}")
    return made


def system_of(name):
    return next(kind for kind, names in SYSTEMS.items() if name in names)


@pytest.mark.parametrize(("name", "version"), DESIGNS)
def test_every_property_exists_and_takes_what_vivado_wrote(name, version):
    facts = described(name, version)
    for kind in KNOWN.keys() & facts.parameters.keys():
        for key, rule in KNOWN[kind]["properties"].items():
            assert key in facts.parameters[kind], f"{kind} has no {key}"
            value = facts.parameters[kind][key]
            if value not in ("<Select>", None):  # a peripheral that the design leaves out
                check_value(key, value, rule)
    assert {system_of(name), "axi_interconnect", "proc_sys_reset"} < facts.parameters.keys()


@pytest.mark.parametrize(("name", "version"), DESIGNS)
def test_pins_interfaces_segments_and_versions(name, version):
    facts, kind = described(name, version), system_of(name)
    known = KNOWN[kind]
    for entry in known["interfaces"].values():
        assert entry["clock"] in facts.pins[kind] or not used(facts, kind, entry)
    there = {port for port, entry in known["interfaces"].items() if used(facts, kind, entry)}
    assert there <= facts.interfaces[kind]
    pins = {pin for pin, entry in known["pins"].items() if used(facts, kind, entry)}
    assert pins and pins <= facts.pins[kind]
    # The header names a segment's port, the script's pattern its space: SAXIGP2 is S_AXI_HP0_FPD.
    blocks = {segment.partition("/")[2] for segment in known["segments"]}
    assert blocks <= {segment.partition("/")[2] for segment in facts.segments}
    for other in ("axi_interconnect", "proc_sys_reset", "axi_intc", kind):
        if other != "zynq_ultra_ps_e" or version == "3.1.2":  # 3.4 in 2022.1
            assert KNOWN[other]["version"] == facts.versions[other]
    assert set(KNOWN["proc_sys_reset"]["pins"]) <= facts.pins["proc_sys_reset"]
    assert set(KNOWN["axi_intc"]["segments"]) <= facts.segments


def used(facts, kind, entry):
    when = entry.get("when")
    return when is None or facts.parameters[kind][when] == "1"


@pytest.mark.parametrize(("name", "version"), DESIGNS)
def test_addresses_lie_in_the_windows(name, version):
    facts, kind = described(name, version), system_of(name)
    masters = KNOWN[kind]["interfaces"]
    seen = 0
    for master, low, high in facts.reached:
        if "window" in masters.get(master, {}):
            first, last = (int(end, 0) for end in masters[master]["window"])
            assert first <= low <= high <= last, master
            seen += 1
    assert seen > 3


@pytest.mark.parametrize(("name", "version"), DESIGNS)
def test_the_values_of_the_scripts_are_those_of_pynq(tmp_path, name, version):
    """Crystal, clocks, pins of the processing system: as in PYNQ's own design of the board."""
    run = trial(scripts_folder(), name.lower(), tmp_path, "controller", Scenario())
    written = {}
    for call in run.calls:
        if call[0] == "set_property" and call[1] == "-dict" and "/ps" in call[3]:
            words = split(call[2])
            written |= dict(zip(words[::2], words[1::2], strict=True))
        elif call[0] == "set_property" and call[1].startswith("CONFIG.PSU"):
            written[call[1]] = call[2]
    found = described(name, version).parameters[system_of(name)]
    assert len(written) > 10
    other = {
        key: (value, found[key])
        for key, value in ((key.removeprefix("CONFIG."), value) for key, value in written.items())
        if not same(value, found[key])
    }
    assert other.keys() <= CHOSEN, other


def split(text):
    return tcl_check.interpreter().splitlist(text)


def same(one, other):
    try:
        return float(one) == float(other)
    except ValueError:
        return one == other
