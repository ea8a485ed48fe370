# SPDX-License-Identifier: BSD-3-Clause
"""Gradients of quantised activations at the bounds of their ranges, and the sign of zero."""

import numpy as np
import pytest
import torch

from bonn_hw.nn.models.activations import RoundToGrid, Sign

TYPES = (torch.float32, torch.bfloat16, torch.float64)
SCALE, LOW, HIGH = 2.0**-4, -8192, 8191  # 14 bits: bfloat16 does not have the upper bound


def around(bound, dtype):
    """A bound, and the next values below and above it that the type has."""
    below, above = (
        torch.nextafter(torch.tensor(bound, dtype=dtype), torch.tensor(side, dtype=dtype))
        for side in (-np.inf, np.inf)
    )
    return torch.stack([below, torch.tensor(bound, dtype=dtype), above])


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("low", "high"), [(LOW, HIGH), (-2, 1), (-128, 127)])
def test_the_gradient_of_a_grid_is_1_inside_its_bounds_and_on_them(dtype, low, high):
    x = torch.cat([around(low * SCALE, dtype), around(high * SCALE, dtype), torch.zeros(1)])
    x = x.to(dtype).requires_grad_()
    y = RoundToGrid.apply(x, SCALE, low, high)
    y.backward(torch.full_like(y, 3.0))
    value = x.detach().double()
    inside = (value >= low * SCALE) & (value <= high * SCALE)
    assert torch.equal(x.grad.double(), 3.0 * inside)


@pytest.mark.parametrize("dtype", TYPES)
def test_the_window_of_a_sign(dtype):
    x = torch.cat([around(-1.0, dtype), around(1.0, dtype), torch.zeros(1, dtype=dtype)])
    x.requires_grad_()
    y = Sign.apply(x, "window", 1.0)
    y.backward(torch.full_like(y, 2.0))
    assert torch.equal(x.grad.double(), 2.0 * (x.detach().double().abs() <= 1))


@pytest.mark.parametrize("dtype", TYPES)
def test_both_zeros_have_the_sign_plus(dtype):
    """The accelerator's comparison is x >= 0."""
    x = torch.tensor([0.0, -0.0, 1e-30, -1e-30], dtype=dtype)
    assert Sign.apply(x, "window", 1.0).tolist() == [1.0, 1.0, 1.0, -1.0]
    assert Sign.apply(x, "window", 1.0).dtype == dtype
