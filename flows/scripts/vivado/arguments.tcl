# SPDX-License-Identifier: BSD-3-Clause
# Arguments of the flow: pairs of a name and a value behind -tclargs.
#
#   --rtl FOLDER       the build's RTL: system.v, top.v, *.sv, cells/, shell/, mem/
#   --part PART        the board's device
#   --family FAMILY    zynq-7000 or zynq-ultrascale-plus
#   --clock-mhz MHZ    clock of the accelerator and of its buses
#   --name NAME        stem of the .bit and the .hwh
#   --out FOLDER       where they, the reports and the project go
#   --interrupt KIND   controller (an AXI interrupt controller, which PYNQ asks for) or direct
#   --threads COUNT    threads of the tool, 1 to 32
#   --stamp DIGITS     user ID of the bitstream: eight hexadecimal digits, by which bonn-hw knows it
#
# The board's processing system, as far as it decides the clock of the fabric: the boot image has set
# DDR and MIO long before a bitstream is loaded. The figures stand in the board's file.
#
#   --reference-mhz MHZ  crystal of the processing system
#   --pll-mhz MHZ        what the boot image gives the PLL from which the fabric's clock is divided
#
# and for the family zynq-7000, with which the tool finds the same PLL frequency:
#
#   --cpu-mhz MHZ  --ddr-mhz MHZ  --ethernet-mio FIRST..LAST  --sd-mio FIRST..LAST

set argument_names {rtl part family clock-mhz name out interrupt threads stamp reference-mhz pll-mhz}
set family_arguments {
    zynq-7000 {cpu-mhz ddr-mhz ethernet-mio sd-mio}
    zynq-ultrascale-plus {}
}
set family_parts {zynq-7000 xc7z* zynq-ultrascale-plus xc\[zk\]*}

proc read_arguments {given} {
    global argument_names family_arguments
    set known $argument_names
    foreach {family names} $family_arguments {
        if {$family in $given} {
            lappend known {*}$names
        }
    }
    set values [dict create]
    foreach {flag value} $given {
        set name [string range $flag 2 end]
        if {[string range $flag 0 1] ne "--" || $name ni $known} {
            error "argument '$flag' is not known; there are --[join $known { --}]"
        }
        if {[dict exists $values $name]} {
            error "argument '$flag' is given twice"
        }
        dict set values $name $value
    }
    foreach name $known {
        if {![dict exists $values $name] || [dict get $values $name] eq ""} {
            error "argument '--$name' is missing or has no value"
        }
    }
    check_arguments $values
    return $values
}

proc check_arguments {values} {
    global family_parts
    foreach name {clock-mhz reference-mhz pll-mhz cpu-mhz ddr-mhz} {
        if {[dict exists $values $name]} {
            set number [dict get $values $name]
            if {![string is double -strict $number] || $number <= 0} {
                error "--$name $number: give a number above 0"
            }
        }
    }
    foreach name {ethernet-mio sd-mio} {
        if {[dict exists $values $name] && ![regexp {^\d+\.\.\d+$} [dict get $values $name]]} {
            error "--$name [dict get $values $name]: give pins such as 16..27"
        }
    }
    dict with values {
        if {![dict exists $family_parts $family]} {
            error "--family $family: give one of [join [dict keys $family_parts] {, }]"
        }
        if {![string match [dict get $family_parts $family] $part]} {
            error "--part $part: it is not of the family $family"
        }
        if {![string is integer -strict $threads] || $threads < 1 || $threads > 32} {
            error "--threads $threads: give a whole number from 1 to 32"
        }
        if {![regexp {^[0-9a-f]{8}$} $stamp]} {
            error "--stamp $stamp: give eight hexadecimal digits"
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
