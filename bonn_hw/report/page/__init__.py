# SPDX-License-Identifier: BSD-3-Clause
"""A report as one self-contained page of HTML: no script, no other file, no network."""
