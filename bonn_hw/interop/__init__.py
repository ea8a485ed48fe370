# SPDX-License-Identifier: BSD-3-Clause
"""Reading and writing FINN's files, and comparing our results with FINN's."""
