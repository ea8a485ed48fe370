# SPDX-License-Identifier: BSD-3-Clause
# Pins of the Nexys A7 (its published constraints).
set_property PACKAGE_PIN E3 [get_ports CLK]
set_property PACKAGE_PIN C4 [get_ports RX]
set_property PACKAGE_PIN D4 [get_ports TX]
set_property IOSTANDARD LVCMOS33 [get_ports CLK]
set_property IOSTANDARD LVCMOS33 [get_ports RX]
set_property IOSTANDARD LVCMOS33 [get_ports TX]
