# SPDX-License-Identifier: BSD-3-Clause
"""Graph to graph or design, one transformation a file."""
