# SPDX-License-Identifier: BSD-3-Clause
"""Figures of a build: values, tables and pictures."""
