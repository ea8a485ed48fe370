# SPDX-License-Identifier: BSD-3-Clause
"""Find the network for a board: a search in which every candidate is folded before it is trained.

`space` says what is searched, `hardware` folds a candidate without training it, `study` chooses and
trains, `front` keeps what no other candidate beats.
"""
