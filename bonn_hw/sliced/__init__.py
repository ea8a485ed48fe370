# SPDX-License-Identifier: BSD-3-Clause
"""The bit-sliced simulator: the gates of a design, with an image in every bit of a vector.

The control of a streaming accelerator does not depend on data. So it is evaluated once, and the
data of hundreds of images follow it in lockstep. That no handshake and no memory address depends on
data is proved on the netlist of every design (`independence`).
"""
