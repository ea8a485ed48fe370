# SPDX-License-Identifier: BSD-3-Clause
"""RtlProject to SimulationRun: Verilator and one generic C++ harness."""
