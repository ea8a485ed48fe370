# SPDX-License-Identifier: BSD-3-Clause
"""Faults in the frames of a finished bitstream, as a wrong tool or database would make them."""

import random
from collections.abc import Iterator
from dataclasses import replace

from bonn_hw.bitstream.open.fasm import Feature
from bonn_hw.bitstream.open.xray import Database
from bonn_hw.bitstream.readback import circuit, equality, features
from bonn_hw.bitstream.readback.boundary import PROCESSING_SYSTEM, Boundary
from bonn_hw.bitstream.readback.features import listed
from bonn_hw.bitstream.readback.frames import Frames, ReadbackFault
from bonn_hw.bitstream.readback.placed import Placed
from bonn_hw.bitstream.readback.wiring import Wiring


def changed(frames, database, off=(), on=()):
    """The frames with features disabled and enabled."""
    words = frames.words.copy()
    for those, value in ((off, 0), (on, 1)):
        for feature in those:
            ones, zeros = database.bits(feature)
            for address, word, bit in ones:
                _set(words, frames.addresses[address], word, bit, value)
            for address, word, bit in zeros if value else ():
                _set(words, frames.addresses[address], word, bit, 0)
    return replace(frames, words=words)


def _set(words, frame, word, bit, value):
    words[frame, word] = int(words[frame, word]) & ~(1 << bit) | value << bit


def faults(frames, enabled, database, seed=1) -> Iterator[tuple[str, str, object]]:
    """Endless faults, of each kind in turn: its kind, what it is, and the frames with it."""
    rng = random.Random(seed)
    while True:
        for kind in KINDS:
            fault = kind(rng, frames, enabled, database)
            if fault is not None:
                yield (kind.__name__, *fault)


def judged(
    frames: Frames,
    database: Database,
    placed: Placed,
    count: int = 20,
    seed: int = 1,
    boundary: Boundary = PROCESSING_SYSTEM,
) -> Iterator[tuple[str, str, str | None]]:
    """The verdicts on ``count`` faults that change the circuit: kind, fault, how it was found.

    The last is None if it was not. What no pin depends on, such as an entry of a table that its
    constant inputs exclude, is no fault of the circuit: the comparison with the FASM finds it.
    """
    wiring, enabled = Wiring(database), features.decode(frames, database)
    good = circuit.read(enabled, wiring, boundary)
    if (told := equality.difference(good, placed)) is not None:
        raise ReadbackFault(told)
    for kind, fault, bad in faults(frames, enabled, database, seed):
        try:
            netlist = circuit.read(features.decode(bad, database), wiring, boundary)
            if netlist == good:
                continue
            told = equality.difference(netlist, placed)
        except ReadbackFault as error:
            told = str(error)
        yield kind, fault, told
        count -= 1
        if not count:
            return


def permuted_table(rng, frames, enabled, database):
    """Two inputs of a table change places, but not their wires."""
    tile, name, value = rng.choice(sorted(_tables(enabled)))
    first, second = rng.sample(range(6), 2)

    def other(index):
        low, high = index >> first & 1, index >> second & 1
        return index & ~(1 << first | 1 << second) | low << second | high << first

    new = sum((value >> index & 1) << other(index) for index in range(64))
    if new == value:
        return None
    told = f"inputs {first + 1} and {second + 1} of {tile}.{name} swapped"
    return told, _vector(frames, database, tile, name, value, new)


def swapped_pips(rng, frames, enabled, database):
    """Two wires of a switch box take each other's driver, where it has such pips."""
    tiles = sorted(name for name in enabled if name.startswith("INT_"))
    while True:
        tile = rng.choice(tiles)
        known = database.segments(database.tiles[tile]["type"])
        pips = sorted(name for name in enabled[tile].names if name.startswith("IMUX"))
        if len(pips) < 2:
            continue
        (sink, driver), (other, another) = (one.split(".") for one in rng.sample(pips, 2))
        new = (f"{sink}.{another}", f"{other}.{driver}")
        if driver != another and all((name, -1) in known for name in new):
            break
    off = [Feature(tile, f"{sink}.{driver}"), Feature(tile, f"{other}.{another}")]
    told = f"drivers of {tile}.{sink} and {other} swapped"
    return told, changed(frames, database, off, [Feature(tile, name) for name in new])


def wrong_order(rng, frames, enabled, database):
    """Two rows of a block memory's contents change places."""
    rows = sorted(_rows(enabled))
    if not rows:
        return None
    tile, name, value = rng.choice(rows)
    half = name.partition(".")[0]
    others = [row for row in rows if row[0] == tile and row[1].startswith(half) and row[2] != value]
    if not others:
        return None
    _, other, its = rng.choice(others)
    once = _vector(frames, database, tile, name, value, its)
    return f"{tile}.{name} and {other} swapped", _vector(once, database, tile, other, its, value)


def table_bit(rng, frames, enabled, database):
    """A bit of a table's contents changes."""
    tile, name, value = rng.choice(sorted(_tables(enabled)))
    bit = rng.randrange(64)
    told = f"bit {bit} of {tile}.{name} flipped"
    return told, _vector(frames, database, tile, name, value, value ^ 1 << bit)


def memory_bit(rng, frames, enabled, database):
    """A bit of a block memory's contents changes, in a row that is not empty."""
    rows = sorted(_rows(enabled))
    if not rows:
        return None
    tile, name, value = rng.choice(rows)
    bit = rng.randrange(256)
    told = f"bit {bit} of {tile}.{name} flipped"
    return told, _vector(frames, database, tile, name, value, value ^ 1 << bit)


def start(rng, frames, enabled, database):
    """A flip-flop starts with the other value."""
    names = sorted(
        (tile, name)
        for tile, one in enabled.items()
        for name in one.names
        if name.endswith("FF.ZINI")
    )
    tile, name = rng.choice(names)
    told = f"the start of {tile}.{name.removesuffix('.ZINI')}"
    return told, changed(frames, database, [Feature(tile, name)])


def wrong_select(rng, frames, enabled, database):
    """A bit of a carry chain or of a multiplexer in a slice changes."""
    wanted = ("CY0", "PRECYINIT", "FFMUX", "OUTMUX", "CEUSEDMUX", "SRUSEDMUX")
    features = sorted(
        str(one)
        for one in listed(enabled)
        if one.index < 0 and one.tile.startswith("CLB") and any(w in one.name for w in wanted)
    )
    text = rng.choice(features)
    tile, _, name = text.partition(".")
    ones, _ = database.bits(Feature(tile, name))
    if not ones:
        return None
    words = frames.words.copy()
    address, word, bit = rng.choice(ones)
    words[frames.addresses[address], word] ^= 1 << bit
    return f"bit of {text} flipped", replace(frames, words=words)


def _rows(enabled):
    """The rows of block memories that are not empty, parity bits left out."""
    for tile, one in enabled.items():
        for name, value in one.vectors.items():
            if ".INIT_" in name:
                yield tile, name, value


def _tables(enabled):
    for tile, one in enabled.items():
        for name, value in one.vectors.items():
            if name.endswith("LUT.INIT"):
                yield tile, name, value


def _vector(frames, database, tile, name, old, new):
    bits = [index for index in range(256) if (old ^ new) >> index & 1]
    off = [Feature(tile, name, index) for index in bits if old >> index & 1]
    on = [Feature(tile, name, index) for index in bits if new >> index & 1]
    return changed(frames, database, off, on)


KINDS = (table_bit, permuted_table, swapped_pips, wrong_order, memory_bit, start, wrong_select)
