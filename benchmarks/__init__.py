# SPDX-License-Identifier: BSD-3-Clause
"""Benchmarks: `python -m benchmarks`, or `make bench`."""
