# SPDX-License-Identifier: BSD-3-Clause
"""NLL, ECE and the temperature, against the definitions written out."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from bonn_hw.nn.training.calibration import BINS, TEMPERATURES, CalibrationSums


def probabilities(logits):
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def nll(logits, labels):
    return -np.log(probabilities(logits)[np.arange(len(labels)), labels]).mean()


def ece(logits, labels):
    shares = probabilities(logits)
    confidence, right = shares.max(1), shares.argmax(1) == labels
    total = 0.0
    for low in np.arange(BINS) / BINS:
        chosen = (confidence > low) & (confidence <= low + 1 / BINS)
        if chosen.any():
            total += chosen.mean() * abs(right[chosen].mean() - confidence[chosen].mean())
    return total


def drawn(count, sharpness, seed=0):
    """Labels drawn from a softmax, and its logits times `sharpness`."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, 5))
    labels = np.array([rng.choice(5, p=p) for p in probabilities(logits)])
    return sharpness * logits, labels


def figures(logits, labels, batch=64):
    sums = CalibrationSums()
    for i in range(0, len(labels), batch):
        part = slice(i, i + batch)
        sums.add(torch.from_numpy(logits[part]).float(), torch.from_numpy(labels[part]))
    return sums.figures()


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_figures_are_those_of_the_definitions(sharpness):
    logits, labels = drawn(2000, sharpness)
    found = figures(logits, labels)
    assert found["nll"] == pytest.approx(nll(logits, labels), rel=1e-6)
    assert found["ece"] == pytest.approx(ece(logits, labels), rel=1e-6)
    scaled = logits[1::2] / found["temperature"]
    assert found["nll_with_temperature"] == pytest.approx(nll(scaled, labels[1::2]), rel=1e-6)
    assert found["ece_with_temperature"] == pytest.approx(ece(scaled, labels[1::2]), rel=1e-6)
    tried = [nll(logits[::2] / t, labels[::2]) for t in TEMPERATURES]
    assert found["temperature"] == TEMPERATURES[int(np.argmin(tried))]
    # What the logits were made too sharp by, the temperature takes back.
    assert found["temperature"] == pytest.approx(sharpness, rel=0.15)


def test_logits_of_thousands():
    found = figures(np.array([[4000.0, 0.0], [0.0, 4000.0]] * 8), np.array([0, 1] * 8))
    assert (found["nll"], found["ece"]) == (0, 0)


def test_too_few_images():
    assert CalibrationSums().figures() is None
    assert figures(np.zeros((1, 3)), np.zeros(1, np.int64)) is None
