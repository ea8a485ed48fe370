# SPDX-License-Identifier: BSD-3-Clause
"""FoldedDesign to RtlProject, and RtlProject to a folder."""
