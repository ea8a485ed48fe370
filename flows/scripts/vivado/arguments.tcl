# SPDX-License-Identifier: BSD-3-Clause
# Arguments of the flow: pairs of a name and a value behind -tclargs.
#
#   --rtl FOLDER       the build's RTL: system.v, top.v, *.sv, cells/, shell/, mem/
#   --board NAME       a board of boards.tcl
#   --part PART        its device
#   --clock-mhz MHZ    clock of the accelerator and of its buses
#   --name NAME        stem of the .bit and the .hwh
#   --out FOLDER       where they, the reports and the project go
#   --interrupt KIND   controller (an AXI interrupt controller, which PYNQ asks for) or direct
#   --threads COUNT    threads of the tool, 1 to 32

set argument_names {rtl board part clock-mhz name out interrupt threads}

proc read_arguments {given} {
    global argument_names
    set values [dict create]
    foreach {flag value} $given {
        set name [string range $flag 2 end]
        if {[string range $flag 0 1] ne "--" || $name ni $argument_names} {
            error "argument '$flag' is not known; there are --[join $argument_names { --}]"
        }
        if {[dict exists $values $name]} {
            error "argument '$flag' is given twice"
        }
        dict set values $name $value
    }
    foreach name $argument_names {
        if {![dict exists $values $name] || [dict get $values $name] eq ""} {
            error "argument '--$name' is missing or has no value"
        }
    }
    check_arguments $values
    return $values
}

proc check_arguments {values} {
    dict with values {
        if {![string is double -strict ${clock-mhz}] || ${clock-mhz} <= 0} {
            error "--clock-mhz ${clock-mhz}: give a number above 0"
        }
        if {![string is integer -strict $threads] || $threads < 1 || $threads > 32} {
            error "--threads $threads: give a whole number from 1 to 32"
        }
        if {$interrupt ni {controller direct}} {
            error "--interrupt $interrupt: give controller or direct"
        }
        if {![regexp {^[A-Za-z][A-Za-z0-9_-]*$} $name]} {
            error "--name $name: give letters, digits, _ and -, a letter first"
        }
        if {![file isfile [file join $rtl system.v]]} {
            error "--rtl $rtl: the folder has no system.v"
        }
    }
}
