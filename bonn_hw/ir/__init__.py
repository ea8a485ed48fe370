# SPDX-License-Identifier: BSD-3-Clause
"""The values that flow: tensors, streams, graphs, designs, RTL."""
