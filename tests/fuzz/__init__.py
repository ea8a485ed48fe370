# SPDX-License-Identifier: BSD-3-Clause
"""Damaged and hostile inputs of every kind, made from seeds, and what may become of them."""
