# SPDX-License-Identifier: BSD-3-Clause
"""The command ``bonn-hw``: one file per command."""
