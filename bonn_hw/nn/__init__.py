# SPDX-License-Identifier: BSD-3-Clause
"""Networks, data, training and export: the only package that imports torch and Brevitas.

Nothing is imported here, so that ``from bonn_hw.nn import data`` works without torch.
"""
