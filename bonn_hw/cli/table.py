# SPDX-License-Identifier: BSD-3-Clause
"""The table of commands. A command is one file of this folder and one entry here."""

from __future__ import annotations

import argparse
from typing import Protocol

from bonn_hw.cli import (
    bitstream,
    check,
    compare,
    compile,
    doctor,
    explore,
    export,
    export_finn,
    fold,
    init,
    plot,
    prune,
    release,
    report,
    setup,
    simulate,
    sweep,
    synth,
    train,
    witness,
    zoo,
)
from bonn_hw.cli.terminal import Terminal


class Command(Protocol):
    """The interface of a command's module.

    Attributes
    ----------
    NAME : str
        The name of the command.
    HELP : str
        The line in ``bonn-hw --help``.
    """

    NAME: str
    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the arguments."""

    def run(self, options: argparse.Namespace, terminal: Terminal) -> int:
        """Run the command; returns the exit code. Slow imports (NumPy, torch) belong in here."""


# In the order of the flow, as the help lists them.
COMMANDS: tuple[Command, ...] = (
    train,
    plot,
    export,
    prune,
    release,
    zoo,
    check,
    fold,
    compile,
    simulate,
    compare,
    sweep,
    explore,
    synth,
    bitstream,
    export_finn,
    witness,
    report,
    init,
    setup,
    doctor,
)
