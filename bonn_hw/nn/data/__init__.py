# SPDX-License-Identifier: BSD-3-Clause
"""Data sets: fetching, reading, splitting, augmenting."""
