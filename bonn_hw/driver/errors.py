# SPDX-License-Identifier: BSD-3-Clause
"""What the driver raises."""


class AcceleratorError(RuntimeError):
    """The accelerator cannot do what was asked: what happened, and what to do about it."""
