# SPDX-License-Identifier: BSD-3-Clause
"""Bitstreams by Vivado."""
