# SPDX-License-Identifier: BSD-3-Clause
"""The table of commands. A command is one file of this folder and one entry here."""

from __future__ import annotations

import argparse
from typing import Protocol

from bonn_hw.cli import (
    bitstream,
    check,
    compile,
    export,
    export_finn,
    fold,
    plot,
    prune,
    release,
    report,
    simulate,
    sweep,
    synth,
    train,
    witness,
)
from bonn_hw.cli.terminal import Terminal


class Command(Protocol):
    """What a command's file states.

    Attributes
    ----------
    NAME : str
        The word that is typed.
    HELP : str
        One line, as ``bonn-hw --help`` shows it.
    """

    NAME: str
    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """State the arguments."""

    def run(self, options: argparse.Namespace, terminal: Terminal) -> int:
        """Do it; returns the exit code. Slow imports (NumPy, onnx, torch) stand in here."""


# In the order of the flow, as the help lists them.
COMMANDS: tuple[Command, ...] = (
    train,
    plot,
    export,
    prune,
    release,
    check,
    fold,
    compile,
    simulate,
    sweep,
    synth,
    bitstream,
    export_finn,
    witness,
    report,
)
