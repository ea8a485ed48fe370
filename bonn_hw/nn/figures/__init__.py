# SPDX-License-Identifier: BSD-3-Clause
"""Pictures of training runs."""
