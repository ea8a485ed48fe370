# SPDX-License-Identifier: BSD-3-Clause
# RTL of a build -> bitstream, hardware description and reports for a PYNQ board.
#
#   vivado -mode batch -source bitstream.tcl -tclargs --rtl FOLDER ... (arguments.tcl)
#
# Exit codes: 0 done; 1 an error, with its message; 4 the design is routed and misses its timing, so
# there are reports and no bitstream.

set here [file dirname [file normalize [info script]]]
foreach part {arguments package_ip processing_system block_design implement} {
    source [file join $here $part.tcl]
}

# Names of commands and of properties are those of these versions.
proc check_version {} {
    set number [version -short]
    if {![regexp {^(\d{4}\.\d)} $number -> short] || $short < 2020.2 || $short > 2025.1} {
        error "vivado is version $number: the scripts are written for 2020.2 to 2025.1"
    }
}

proc check_part {part} {
    if {[llength [get_parts -quiet $part]] == 0} {
        error "part '$part' is not installed: add its family with the tool's installer"
    }
}

proc report_clocks {ps settings} {
    puts "bonn-hw: clock [dict get $ps clock_mhz] MHz, wanted [dict get $settings clock-mhz] MHz"
    if {abs([dict get $ps pll_mhz] - [dict get $settings pll-mhz]) > 1} {
        puts "bonn-hw: warning: the tool divides the clock from [dict get $ps pll_mhz] MHz and the\
            board has [dict get $settings pll-mhz] MHz: set the clock when the bitstream is loaded"
    }
}

proc build {values} {
    check_version
    set part [dict get $values part]
    check_part $part
    set out [file normalize [dict get $values out]]
    set ip [file join $out ip]
    set project [file join $out project]
    set_param general.maxThreads [dict get $values threads]
    step package_ip
    package_accelerator [file normalize [dict get $values rtl]] $ip [file join $out package] $part
    step block_design
    create_project -force -part $part board $project
    set_property ip_repo_paths [list $ip] [current_project]
    update_ip_catalog
    set ps [make_block_design $values]
    report_clocks $ps $values
    set top [generate_sources]
    step synth_design
    synthesise $top $part [file join $ip src]
    implement
    step reports
    write_reports $out
    set setup [worst_slack max]
    set hold [worst_slack min]
    if {$setup < 0 || $hold < 0} {
        puts "bonn-hw: timing is missed: setup $setup ns, hold $hold ns"
        return 4
    }
    step write_bitstream
    write_results $out [dict get $values name] $project [dict get $values stamp]
    return 0
}

if {[catch {build [read_arguments $argv]} code options]} {
    puts "bonn-hw: error: $code"
    puts [dict get $options -errorinfo]
    exit 1
}
exit $code
