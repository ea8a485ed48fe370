# SPDX-License-Identifier: BSD-3-Clause
"""What FINN writes and reads."""
