# SPDX-License-Identifier: BSD-3-Clause
"""Bitstreams with Vivado."""
