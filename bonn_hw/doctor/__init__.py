# SPDX-License-Identifier: BSD-3-Clause
"""What an installation has, what is missing, and how to get it (``bonn-hw doctor``)."""
