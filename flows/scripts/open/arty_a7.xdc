# SPDX-License-Identifier: BSD-3-Clause
# Pins of the Arty A7 (its published constraints).
set_property PACKAGE_PIN E3 [get_ports CLK]
set_property PACKAGE_PIN A9 [get_ports RX]
set_property PACKAGE_PIN D10 [get_ports TX]
set_property IOSTANDARD LVCMOS33 [get_ports CLK]
set_property IOSTANDARD LVCMOS33 [get_ports RX]
set_property IOSTANDARD LVCMOS33 [get_ports TX]
