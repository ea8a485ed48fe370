# SPDX-License-Identifier: BSD-3-Clause
# The two processing systems. Each procedure makes the cell `ps` with one master for registers, one
# slave port of 64 bits for memory, one clock, one reset and one interrupt, and returns the names of
# these.

proc vlnv_of {name} {
    set found [lsort -dictionary [get_ipdefs xilinx.com:ip:$name:*]]
    if {[llength $found] == 0} {
        error "the tool's catalogue has no IP '$name': its installation is not complete"
    }
    return [lindex $found end]
}

# 16..27 as the tool writes it.
proc mio {pins} {
    return "MIO [string map {.. { .. }} $pins]"
}

# The peripherals are those of the boards' own settings as far as their clocks go: with them the
# tool divides the fabric's clock from the same PLL frequency that the boot image has set.
proc make_zynq_7 {settings} {
    set ps [create_bd_cell -type ip -vlnv [vlnv_of processing_system7] ps]
    apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 -config {
        make_external "FIXED_IO, DDR" apply_board_preset "0" Master "Disable" Slave "Disable"
    } $ps
    set_property -dict [list \
        CONFIG.PCW_CRYSTAL_PERIPHERAL_FREQMHZ [dict get $settings reference-mhz] \
        CONFIG.PCW_APU_PERIPHERAL_FREQMHZ [dict get $settings cpu-mhz] \
        CONFIG.PCW_UIPARAM_DDR_FREQ_MHZ [dict get $settings ddr-mhz] \
        CONFIG.PCW_ENET0_PERIPHERAL_ENABLE 1 \
        CONFIG.PCW_ENET0_ENET0_IO [mio [dict get $settings ethernet-mio]] \
        CONFIG.PCW_QSPI_PERIPHERAL_ENABLE 1 \
        CONFIG.PCW_QSPI_GRP_SINGLE_SS_ENABLE 1 \
        CONFIG.PCW_SD0_PERIPHERAL_ENABLE 1 \
        CONFIG.PCW_SD0_SD0_IO [mio [dict get $settings sd-mio]] \
        CONFIG.PCW_SDIO_PERIPHERAL_FREQMHZ 50 \
        CONFIG.PCW_FCLK0_PERIPHERAL_CLKSRC {IO PLL} \
        CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ [dict get $settings clock-mhz] \
        CONFIG.PCW_EN_CLK0_PORT 1 \
        CONFIG.PCW_EN_RST0_PORT 1 \
        CONFIG.PCW_USE_M_AXI_GP0 1 \
        CONFIG.PCW_USE_S_AXI_HP0 1 \
        CONFIG.PCW_S_AXI_HP0_DATA_WIDTH 64 \
        CONFIG.PCW_USE_FABRIC_INTERRUPT 1 \
        CONFIG.PCW_IRQ_F2P_INTR 1 \
    ] $ps
    return [dict create \
        clock ps/FCLK_CLK0 reset ps/FCLK_RESET0_N interrupt ps/IRQ_F2P \
        master ps/M_AXI_GP0 master_clock ps/M_AXI_GP0_ACLK \
        slave ps/S_AXI_HP0 slave_clock ps/S_AXI_HP0_ACLK memory ps/S_AXI_HP0/HP0_* \
        base 0x43C00000 \
        clock_mhz [get_property CONFIG.PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ $ps] \
        pll_mhz [get_property CONFIG.PCW_IO_IO_PLL_FREQMHZ $ps] \
    ]
}

# A version of the tool may keep a setting to itself: then it stays as the tool has it, and the flow
# goes on with a warning.
proc set_if_settable {name value cell} {
    if {[catch {set_property $name $value $cell} reason]} {
        puts "bonn-hw: warning: $name stays [get_property $name $cell]: $reason"
    }
}

# The PLL is told its multiplier; a divider of 2 stands behind it.
proc make_zynq_plus {settings} {
    set reference [dict get $settings reference-mhz]
    set multiplier [expr {round(2 * [dict get $settings pll-mhz] / $reference)}]
    set ps [create_bd_cell -type ip -vlnv [vlnv_of zynq_ultra_ps_e] ps]
    set_property -dict [list \
        CONFIG.PSU__PSS_REF_CLK__FREQMHZ $reference \
        CONFIG.PSU__FPGA_PL0_ENABLE 1 \
        CONFIG.PSU__CRL_APB__PL0_REF_CTRL__SRCSEL IOPLL \
        CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ [dict get $settings clock-mhz] \
        CONFIG.PSU__USE__FABRIC__RST 1 \
        CONFIG.PSU__USE__M_AXI_GP0 1 \
        CONFIG.PSU__MAXIGP0__DATA_WIDTH 32 \
        CONFIG.PSU__USE__M_AXI_GP1 0 \
        CONFIG.PSU__USE__M_AXI_GP2 0 \
        CONFIG.PSU__USE__S_AXI_GP2 1 \
        CONFIG.PSU__SAXIGP2__DATA_WIDTH 64 \
        CONFIG.PSU__USE__IRQ0 1 \
    ] $ps
    set_if_settable CONFIG.PSU__CRL_APB__IOPLL_CTRL__FBDIV $multiplier $ps
    set taken [get_property CONFIG.PSU__CRL_APB__IOPLL_CTRL__FBDIV $ps]
    return [dict create \
        clock ps/pl_clk0 reset ps/pl_resetn0 interrupt ps/pl_ps_irq0 \
        master ps/M_AXI_HPM0_FPD master_clock ps/maxihpm0_fpd_aclk \
        slave ps/S_AXI_HP0_FPD slave_clock ps/saxihp0_fpd_aclk memory ps/SAXIGP2/HP0_* \
        base 0xA0000000 \
        clock_mhz [get_property CONFIG.PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ $ps] \
        pll_mhz [expr {$reference * $taken / 2}] \
    ]
}
