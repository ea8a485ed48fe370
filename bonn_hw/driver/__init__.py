# SPDX-License-Identifier: BSD-3-Clause
"""The driver of an accelerator: a folder that is copied to the board. It needs NumPy and pynq."""

from .accelerator import Accelerator
from .errors import AcceleratorError
from .serial_line import SerialAccelerator

__all__ = ["Accelerator", "AcceleratorError", "SerialAccelerator"]
