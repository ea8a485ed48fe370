# SPDX-License-Identifier: BSD-3-Clause
"""Reports made by hand, for tests of what is shown of them."""

from bonn_hw.boards import board
from bonn_hw.passes.optimum import LeastCost
from bonn_hw.report.figures import Amount, Cycles, PerResource, Rate, Share
from bonn_hw.report.values import BlockMemory, Front, LayerReport, Model, Point, Report, Target


def stage(name, kernel="mvu", cycles=1000, lut=100.0, bram36=0.0, dsp=0.0, pe=16, simd=32):
    return LayerReport(
        name=name,
        kernel=kernel,
        origin=f"layer of {name}",
        pe=pe,
        simd=simd,
        cycles=Cycles(cycles, None),
        resources=PerResource(lut, lut, bram36, dsp),
    )


def target(fps=None, place="pynq-z2"):
    return Target(place, board(place).part, 100.0, fps)


def report(layers, interval=32768, fps=3000.0, place="pynq-z2"):
    totals = map(sum, zip(*(layer.resources for layer in layers), strict=True))
    holds = board(place).holds.astuple()
    return Report(
        model=Model("ab" * 32),
        target=target(fps, place),
        cycles_per_frame=Cycles(interval, None),
        latency_cycles=Cycles(3 * interval, None),
        frames_per_second=Rate(round(100e6 / interval, 1)),
        resources=PerResource(
            *(
                Amount(predicted=round(used, 1), available=there)
                for used, there in zip(totals, holds, strict=True)
            )
        ),
        block_memory=BlockMemory(0, Share(None, None)),
        boards={place: True},
        optimum=LeastCost(cost=100.0, least_cost_without_fifos=90.0),
        notes=("a note",),
        layers=tuple(layers),
        findings=(),
        tools={"bonn_hw": "0"},
    )


def point(rate, lut=11510.0, bram36=36.5, dsp=0.0, fits=True):
    return Point(
        frames_per_second=rate,
        cycles=round(100e6 / rate),
        resources=PerResource(lut, lut, bram36, dsp),
        fits=fits,
    )


def front(points, fps=None, place="pynq-z2"):
    return Front(
        model=Model("ab" * 32),
        target=target(fps, place),
        front=tuple(points),
        findings=("FIFOs are not counted",),
        tools={"bonn_hw": "0"},
    )
