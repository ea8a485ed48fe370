# SPDX-License-Identifier: BSD-3-Clause
"""Networks, quantisers, training methods and losses."""
