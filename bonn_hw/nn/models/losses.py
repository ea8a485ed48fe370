# SPDX-License-Identifier: BSD-3-Clause
"""The Bayesian kernel loss and the Bayesian feature loss, as functions of tensors.

Gu et al., "Bayesian Optimized 1-Bit CNNs", ICCV 2019 (arXiv 1908.06314); equation numbers below are
the paper's. The gradients define the method and are not those of plain autograd: kernels X, modes
mu and deviations sigma are each learnt with the others held constant.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bonn_hw.nn.models.quantized_layer import applied


class _KernelLoss(torch.autograd.Function):
    """Equation 9 for one layer, with the gradients of equations 13 and 16 to 18."""

    @staticmethod
    def forward(
        ctx: Any,
        latent: Tensor,
        modulation: Tensor,
        mu: Tensor,
        sigma: Tensor,
        scale: Tensor,
        lam: float,
        nu: float,
    ) -> Tensor:
        """The scalar lambda/2 * (reconstruction + prior).

        X ``(C_out, ...)``; w broadcasts over filters and channels; mu, sigma ``(C_out,)``.
        """
        shape = (-1, *(1,) * (latent.dim() - 1))
        sign = torch.where(latent >= 0, 1.0, -1.0).to(latent.dtype)
        elements = latent[0].numel()
        variance = sigma.square()
        # w X - X^, and |X| - mu
        residual = modulation * latent - scale * sign
        excess = latent * sign - mu.view(shape)
        squares = excess.square().flatten(1).sum(1)
        prior = (squares / variance + elements * variance.log()).sum()
        pull = nu / variance.view(shape)
        ctx.save_for_backward(
            lam * (modulation * residual + pull * sign * excess),
            lam * (residual * latent).sum((0, 1), keepdim=True),
            -lam * nu / elements * excess.flatten(1).sum(1) / variance,
            lam * nu * (1 / sigma - squares / (elements * sigma**3)),
        )
        return lam / 2 * (residual.square().sum() + nu * prior)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of X, w, mu and sigma."""
        return *(grad * saved for saved in ctx.saved_tensors), None, None, None


def kernel_loss(
    latent: Tensor,
    modulation: Tensor,
    mu: Tensor,
    sigma: Tensor,
    lam: float,
    nu: float,
    scale: Tensor | None = None,
) -> Tensor:
    """The Bayesian kernel loss of one layer, a scalar (equation 9).

    Parameters
    ----------
    latent, modulation
        X ``(C_out, C_in, k, k)`` and w ``(1, 1, k, k)``.
    mu, sigma
        ``(C_out,)``: the modes +-mu and the standard deviation of each filter's prior.
    lam, nu
        Weight of the loss; variance of the quantisation error.
    scale
        The scalar in X^ = scale * sign(X); by default mean(w).
    """
    scale = modulation.detach().mean() if scale is None else scale
    return applied(_KernelLoss, latent, modulation, mu, sigma, scale, lam, nu)


def feature_loss(
    features: Tensor, labels: Tensor, centres: Tensor, deviations: Tensor, theta: float
) -> Tensor:
    """The Bayesian feature loss of a batch, a scalar (equation 9); centres get no gradient.

    Parameters
    ----------
    features, labels
        f ``(batch, K)``, y ``(batch,)``.
    centres, deviations
        c and s ``(classes, K)``.
    theta
        Weight of the loss.
    """
    variances = deviations.square()[labels]
    squares = (features - centres.detach()[labels]).square()
    loss: Tensor = theta / 2 * (squares + squares / variances + variances.log()).sum(1).mean()
    return loss


def centre_step(features: Tensor, labels: Tensor, centres: Tensor) -> Tensor:
    """Step dc ``(classes, K)`` of the centre-loss rule, by class: sum(c - f) / (1 + count)."""
    counts = torch.bincount(labels, minlength=len(centres))
    sums = torch.zeros_like(centres).index_add_(0, labels, features.to(centres.dtype))
    return centre_step_of_sums(sums, counts[:, None], centres)


def centre_step_of_sums(sums: Tensor, counts: Tensor, centres: Tensor) -> Tensor:
    """`centre_step` from the features' sums ``(classes, K)`` and counts ``(classes, 1)``."""
    return (counts * centres - sums) / (1 + counts)
