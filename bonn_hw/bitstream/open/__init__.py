# SPDX-License-Identifier: BSD-3-Clause
"""Bitstreams by open tools: Yosys, nextpnr, prjxray, prjtrellis."""
