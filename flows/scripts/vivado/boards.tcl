# SPDX-License-Identifier: BSD-3-Clause
# What the flow knows of a board. The boot image of PYNQ has set DDR and MIO long before a bitstream
# is loaded, so only what decides the clock of the fabric is repeated here.
#
# family     which processing system: 7 (Zynq-7000) or plus (Zynq UltraScale+)
# reference  MHz of the crystal of the processing system
# pll        MHz that the boot image gives the PLL from which the fabric's clock is divided

set boards {
    pynq-z1    {family 7    reference 50     pll 1000}
    pynq-z2    {family 7    reference 50     pll 1000}
    ultra96-v2 {family plus reference 33.333 pll 1500}
    aup-zu3    {family plus reference 33.33333 pll 1500}
    kv260      {family plus reference 33.333 pll 1000}
    zcu104     {family plus reference 33.333 pll 1500}
}

proc board_settings {name part} {
    global boards
    if {![dict exists $boards $name]} {
        error "board '$name' is not known; there are [join [lsort [dict keys $boards]] {, }]"
    }
    set settings [dict get $boards $name]
    set family [expr {[string match xc7z* $part] ? "7" : "plus"}]
    if {$family ne [dict get $settings family]} {
        error "part '$part' is not of the family of board '$name'"
    }
    if {[llength [get_parts -quiet $part]] == 0} {
        error "part '$part' is not installed: add its family with the tool's installer"
    }
    return $settings
}
