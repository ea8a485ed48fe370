# SPDX-License-Identifier: BSD-3-Clause
"""Any PyTorch module with Brevitas' layers -> QONNX file, compared with PyTorch."""
