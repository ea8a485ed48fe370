# SPDX-License-Identifier: BSD-3-Clause
"""A finished bitstream, read back to a netlist and simulated (docs/open_bitstream.md)."""
