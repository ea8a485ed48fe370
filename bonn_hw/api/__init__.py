# SPDX-License-Identifier: BSD-3-Clause
"""The Python API, whose names are those of `bonn_hw` itself: a thin layer over `pipeline`."""
