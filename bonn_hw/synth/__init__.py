# SPDX-License-Identifier: BSD-3-Clause
"""Open synthesis of the RTL: what a design really takes of a device, without a vendor's tool."""
