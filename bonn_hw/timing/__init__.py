# SPDX-License-Identifier: BSD-3-Clause
"""The cycle model of a whole design."""
