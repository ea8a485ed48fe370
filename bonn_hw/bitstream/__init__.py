# SPDX-License-Identifier: BSD-3-Clause
"""From a build to a bitstream: plans, flows, reports, and the folder for the board."""
