# SPDX-License-Identifier: BSD-3-Clause
"""Synthesis of the RTL with Yosys: the resources of a design without a vendor's tool."""
