# SPDX-License-Identifier: BSD-3-Clause
# The module `system` and all below it become an IP: AXI4-Lite slave s_axi_ctrl, AXI4 master m_axi,
# a level interrupt, one clock and one reset.

set accelerator_vlnv bonn_hw:user:bonn_accelerator:1.0

# Sources are copied, so that the IP is a folder of its own and keeps its tree: the file parameters
# of the memories name mem/*.hex. Returns the folder of the copy.
proc copy_sources {rtl ip} {
    set sources [file join $ip src]
    file mkdir $sources
    foreach pattern {*.v *.sv cells/*.sv shell/*.sv mem/*.hex} {
        foreach file [glob -nocomplain -directory $rtl -- $pattern] {
            set target [file join $sources [file dirname $pattern] [file tail $file]]
            file mkdir [file dirname $target]
            file copy -force $file $target
        }
    }
    return $sources
}

proc package_accelerator {rtl ip scratch part} {
    global accelerator_vlnv
    set sources [copy_sources $rtl $ip]
    create_project -force -part $part package $scratch
    add_files -norecurse [glob -directory $sources -- *.v]
    foreach pattern {*.sv cells/*.sv shell/*.sv} {
        set files [glob -nocomplain -directory $sources -- $pattern]
        if {[llength $files] > 0} {
            add_files -norecurse $files
        }
    }
    set memories [glob -nocomplain -directory $sources -- mem/*.hex]
    if {[llength $memories] > 0} {
        add_files -norecurse $memories
        foreach memory $memories {
            set_property file_type {Memory File} [get_files [list $memory]]
        }
    }
    set_property top system [current_fileset]
    update_compile_order -fileset sources_1
    lassign [split $accelerator_vlnv :] vendor library name version
    ipx::package_project -root_dir $ip -vendor $vendor -library $library -taxonomy /UserIP -force
    set core [ipx::current_core]
    set_property name $name $core
    set_property version $version $core
    set_property display_name {bonn-hw accelerator} $core
    set_property supported_families {zynq Production zynquplus Production} $core
    describe_interfaces $core
    ipx::create_xgui_files $core
    ipx::update_checksums $core
    if {![ipx::check_integrity $core]} {
        error "the packaged IP is not whole: see the messages above"
    }
    ipx::save_core $core
    close_project
}

# The packager finds interfaces by the names of the ports. What it has not found is told here, not
# hours later by a board that does not answer.
proc describe_interfaces {core} {
    foreach {port kind} {aclk clock aresetn reset interrupt interrupt} {
        if {[llength [ipx::get_bus_interfaces $port -of_objects $core -quiet]] == 0} {
            ipx::infer_bus_interface $port xilinx.com:signal:${kind}_rtl:1.0 $core
        }
    }
    foreach name {s_axi_ctrl m_axi aclk aresetn interrupt} {
        set interface [ipx::get_bus_interfaces $name -of_objects $core -quiet]
        if {[llength $interface] == 0} {
            error "module system: its ports make up no interface '$name'"
        }
        # A frequency that is written into the IP would have to equal that of the board's clock.
        ipx::remove_bus_parameter FREQ_HZ $interface -quiet
    }
    ipx::associate_bus_interfaces -busif s_axi_ctrl -clock aclk -reset aresetn $core
    ipx::associate_bus_interfaces -busif m_axi -clock aclk -reset aresetn $core
    bus_parameter $core aresetn POLARITY ACTIVE_LOW
    bus_parameter $core interrupt SENSITIVITY LEVEL_HIGH
    describe_registers $core
}

proc bus_parameter {core interface name value} {
    set bus [ipx::get_bus_interfaces $interface -of_objects $core]
    set parameter [ipx::get_bus_parameters $name -of_objects $bus -quiet]
    if {[llength $parameter] == 0} {
        set parameter [ipx::add_bus_parameter $name $bus]
    }
    set_property value $value $parameter
}

proc describe_registers {core} {
    set map [ipx::get_memory_maps s_axi_ctrl -of_objects $core -quiet]
    if {[llength $map] == 0} {
        set map [ipx::add_memory_map s_axi_ctrl $core]
        set bus [ipx::get_bus_interfaces s_axi_ctrl -of_objects $core]
        set_property slave_memory_map_ref s_axi_ctrl $bus
    }
    set block [ipx::get_address_blocks reg0 -of_objects $map -quiet]
    if {[llength $block] == 0} {
        set block [ipx::add_address_block reg0 $map]
    }
    set_property range 4096 $block
    set_property usage register $block
}
