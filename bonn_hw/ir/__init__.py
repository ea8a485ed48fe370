# SPDX-License-Identifier: BSD-3-Clause
"""The data that passes between the steps of the flow: tensors, graphs, designs, RTL."""
