# SPDX-License-Identifier: BSD-3-Clause
# Block design -> placed and routed design with its reports. Each step runs in this process, so an
# error ends the flow with its own message.

proc step {name} {
    puts "bonn-hw: step $name"
}

# Returns the name of the top module.
proc generate_sources {} {
    set design [get_files board.bd]
    # One synthesis of the whole: modules of the accelerator are optimised with what they meet.
    set_property synth_checkpoint_mode None $design
    generate_target all $design
    add_files -norecurse [make_wrapper -files $design -top]
    set_property top board_wrapper [current_fileset]
    update_compile_order -fileset sources_1
    return board_wrapper
}

# `sources` is where the names of the memory images start. An image that is not found is a warning
# to the tool and would be a network without weights.
proc synthesise {top part sources} {
    set_msg_config -id {Synth 8-4445} -new_severity ERROR
    set_msg_config -id {Synth 8-2898} -new_severity ERROR
    set before [pwd]
    cd $sources
    synth_design -top $top -part $part
    cd $before
}

proc implement {} {
    step opt_design
    opt_design
    step place_design
    place_design
    step phys_opt_design
    phys_opt_design
    step route_design
    route_design
    if {[worst_slack max] < 0} {
        step phys_opt_design
        phys_opt_design -directive AggressiveExplore
    }
}

# Nanoseconds; `kind` is max (setup) or min (hold).
proc worst_slack {kind} {
    set path [get_timing_paths -delay_type $kind -max_paths 1 -nworst 1]
    if {[llength $path] == 0} {
        error "the routed design has no timing path ($kind): its clock is not constrained"
    }
    return [get_property SLACK $path]
}

proc write_reports {out} {
    report_timing_summary -delay_type min_max -max_paths 10 -file [file join $out timing.rpt]
    report_utilization -file [file join $out utilization.rpt]
    # The accelerator alone, to be held beside synthesis out of context.
    set core [get_cells -quiet board_i/accelerator]
    if {[llength $core] == 1} {
        report_utilization -cells $core -file [file join $out accelerator.rpt]
    }
    report_route_status -file [file join $out route.rpt]
    write_checkpoint -force [file join $out routed.dcp]
}

# PYNQ wants the description of the hardware beside the bitstream, under the same stem.
# The user ID stands in the header of the .bit, so that it is known of which RTL it was made.
proc write_results {out name project stamp} {
    set found {}
    foreach kind {gen srcs} {
        set place [file join $project board.$kind sources_1 bd board hw_handoff board.hwh]
        if {[file isfile $place]} {
            lappend found $place
        }
    }
    if {[llength $found] == 0} {
        error "the tool has written no board.hwh under $project"
    }
    set_property BITSTREAM.GENERAL.COMPRESS TRUE [current_design]
    if {[catch {set_property BITSTREAM.CONFIG.USERID 0x$stamp [current_design]} reason]} {
        puts "bonn-hw: warning: the bitstream has no user ID: $reason"
    }
    write_bitstream -force [file join $out $name.bit]
    file copy -force [lindex $found 0] [file join $out $name.hwh]
}
