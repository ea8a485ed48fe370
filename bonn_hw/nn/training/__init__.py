# SPDX-License-Identifier: BSD-3-Clause
"""Training, run folders, pruning."""
