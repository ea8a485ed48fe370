# SPDX-License-Identifier: BSD-3-Clause
"""The driver's exception."""


class AcceleratorError(RuntimeError):
    """The accelerator failed; the message says what happened and what to do about it."""
