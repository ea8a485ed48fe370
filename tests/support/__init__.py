# SPDX-License-Identifier: BSD-3-Clause
"""What tests share: benches, networks, models, stand-ins for boards and tools."""
