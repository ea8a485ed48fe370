# SPDX-License-Identifier: BSD-3-Clause
"""Reports of a build: values, JSON, tables and pictures."""
