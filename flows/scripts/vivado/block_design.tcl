# SPDX-License-Identifier: BSD-3-Clause
# Processing system, accelerator, and what stands between them. All of it runs on one clock.

proc make_block_design {settings} {
    global accelerator_vlnv
    set interrupt [dict get $settings interrupt]
    create_bd_design board
    if {[dict get $settings family] eq "zynq-7000"} {
        set ps [make_zynq_7 $settings]
    } else {
        set ps [make_zynq_plus $settings]
    }
    create_bd_cell -type ip -vlnv $accelerator_vlnv accelerator
    make_reset $ps
    make_register_bus $ps $interrupt
    make_memory_bus $ps
    make_interrupt $ps $interrupt
    make_address_map $ps $interrupt
    validate_bd_design
    save_bd_design
    return $ps
}

proc make_reset {ps} {
    create_bd_cell -type ip -vlnv [vlnv_of proc_sys_reset] reset
    connect_bd_net [get_bd_pins [dict get $ps reset]] [get_bd_pins reset/ext_reset_in]
    clock_pins $ps {reset/slowest_sync_clk accelerator/aclk}
    reset_pins {accelerator/aresetn}
}

proc clock_pins {ps names} {
    set source [get_bd_pins [dict get $ps clock]]
    foreach name $names {
        connect_bd_net $source [get_bd_pins $name]
    }
}

proc reset_pins {names} {
    foreach name $names {
        connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins $name]
    }
}

# An interconnect of one master and some slaves, all on the one clock; between ports of the same
# protocol and width it takes no logic.
proc make_interconnect {ps name slaves} {
    set cell [create_bd_cell -type ip -vlnv [vlnv_of axi_interconnect] $name]
    set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI $slaves] $cell
    set ports {S00}
    for {set i 0} {$i < $slaves} {incr i} {
        lappend ports [format M%02d $i]
    }
    clock_pins $ps $name/ACLK
    reset_pins $name/ARESETN
    foreach port $ports {
        clock_pins $ps $name/${port}_ACLK
        reset_pins $name/${port}_ARESETN
    }
}

proc join_interfaces {from to} {
    connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to]
}

proc make_register_bus {ps interrupt} {
    make_interconnect $ps registers [expr {$interrupt eq "controller" ? 2 : 1}]
    clock_pins $ps [dict get $ps master_clock]
    join_interfaces [dict get $ps master] registers/S00_AXI
    join_interfaces registers/M00_AXI accelerator/s_axi_ctrl
}

proc make_memory_bus {ps} {
    make_interconnect $ps memory 1
    clock_pins $ps [dict get $ps slave_clock]
    join_interfaces accelerator/m_axi memory/S00_AXI
    join_interfaces memory/M00_AXI [dict get $ps slave]
}

# PYNQ finds interrupts behind an AXI interrupt controller and nowhere else.
proc make_interrupt {ps interrupt} {
    set pin [get_bd_pins [dict get $ps interrupt]]
    if {$interrupt eq "direct"} {
        connect_bd_net [get_bd_pins accelerator/interrupt] $pin
        return
    }
    set cell [create_bd_cell -type ip -vlnv [vlnv_of axi_intc] interrupts]
    set_property CONFIG.C_IRQ_CONNECTION 1 $cell
    clock_pins $ps interrupts/s_axi_aclk
    reset_pins interrupts/s_axi_aresetn
    join_interfaces registers/M01_AXI interrupts/s_axi
    connect_bd_net [get_bd_pins accelerator/interrupt] [get_bd_pins interrupts/intr]
    connect_bd_net [get_bd_pins interrupts/irq] $pin
}

proc make_address_map {ps interrupt} {
    set space [get_bd_addr_spaces ps/Data]
    set base [dict get $ps base]
    assign_bd_address -offset $base -range 4K -target_address_space $space \
        [get_bd_addr_segs accelerator/s_axi_ctrl/reg0]
    if {$interrupt eq "controller"} {
        assign_bd_address -offset [format 0x%08X [expr {$base + 0x10000}]] -range 4K \
            -target_address_space $space [get_bd_addr_segs interrupts/S_AXI/Reg]
    }
    # The accelerator sees the low DDR and nothing else of the processing system.
    set space [get_bd_addr_spaces accelerator/m_axi]
    set found 0
    foreach segment [get_bd_addr_segs [dict get $ps memory]] {
        if {[string match *_DDR_LOW* $segment]} {
            assign_bd_address -target_address_space $space $segment
            incr found
        } else {
            exclude_bd_addr_seg -target_address_space $space $segment
        }
    }
    if {$found != 1} {
        error "[dict get $ps slave]: $found segments of low DDR were found instead of 1"
    }
}
