# SPDX-License-Identifier: BSD-3-Clause
"""How far a network's probabilities can be believed: NLL, ECE, and one temperature for its logits.

A temperature divides all logits. It changes no class, and costs nothing in hardware: the host
multiplies by its scales anyway (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017).
"""

from __future__ import annotations

from typing import TypedDict

import torch
from torch import Tensor
from torch.nn import functional

TEMPERATURES = tuple(2.0 ** (i / 16) for i in range(-48, 49))
"""Those that are tried: 1/8 to 8, in steps of 4 %."""
ONE = len(TEMPERATURES) // 2
"""The place of temperature 1."""
BINS = 15
"""Bins of equal width from 0 to 1, as in the paper."""


class Calibration(TypedDict):
    """The figures of one test.

    Attributes
    ----------
    nll, ece
        Negative log-likelihood (nats an image) and expected calibration error (0 to 1: the mean
        difference between confidence and accuracy, over `BINS` of confidence) of all images.
    temperature
        That of the least NLL on the images of even index.
    nll_with_temperature, ece_with_temperature
        NLL and ECE with it, of the images of odd index.
    """

    nll: float
    ece: float
    temperature: float
    nll_with_temperature: float
    ece_with_temperature: float


class CalibrationSums:
    """Sums over images from which `Calibration` follows; those of several processes can be added.

    Attributes
    ----------
    sums
        float64 ``(2, temperatures, 1 + 3 * BINS)``, for even and odd images: NLL, then images, hits
        and confidences of each bin.
    """

    def __init__(self) -> None:
        self.sums = torch.zeros(2, len(TEMPERATURES), 1 + 3 * BINS, dtype=torch.float64)

    def add(self, logits: Tensor, labels: Tensor) -> None:
        """Add a batch: logits ``(N, classes)``, labels int64 ``(N,)``."""
        logits, labels = logits.detach().double().cpu(), labels.cpu()
        hits = (logits.argmax(1) == labels).double()
        for place, temperature in enumerate(TEMPERATURES):
            logs = functional.log_softmax(logits / temperature, 1)
            nll = -logs.gather(1, labels[:, None])[:, 0]
            confidence = logs.max(1).values.exp()
            bins = (confidence * BINS).ceil().long().clamp(1, BINS) - 1
            of_bin = functional.one_hot(bins, BINS).double()
            columns = [of_bin, of_bin * hits[:, None], of_bin * confidence[:, None]]
            rows = torch.cat([nll[:, None], *columns], 1)
            for half in (0, 1):
                self.sums[half, place] += rows[half::2].sum(0)

    def figures(self) -> Calibration | None:
        """The figures; None with fewer than two images."""
        if not self.sums[1, ONE, 1 : 1 + BINS].any():
            return None
        best = int(self.sums[0, :, 0].argmin())
        both, odd = self.sums.sum(0)[ONE], self.sums[1, best]
        return {
            "nll": _nll(both),
            "ece": _ece(both),
            "temperature": TEMPERATURES[best],
            "nll_with_temperature": _nll(odd),
            "ece_with_temperature": _ece(odd),
        }


def _nll(sums: Tensor) -> float:
    return float(sums[0] / sums[1 : 1 + BINS].sum())


def _ece(sums: Tensor) -> float:
    images, hits, confidences = sums[1:].view(3, BINS)
    return float((hits - confidences).abs().sum() / images.sum())
