# SPDX-License-Identifier: BSD-3-Clause
"""A user's own networks and data, as functions in a file: ``mine.py:space``, ``mine.py:data``."""
