# SPDX-License-Identifier: BSD-3-Clause
"""Groups of similar filters, and how pruning draws the filters of a group to their mean.

The journal version of BONN (Zhao et al., "Bayesian Optimized 1-Bit CNNs", IJCV 2022, doi
10.1007/s11263-021-01543-y): the latent filters K of a layer are clustered; a loss and a blend draw
the filters of a group to their mean Kbar, until one of them can stand for all.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn
from torch.nn.utils import parametrize

from bonn_hw.nn.models.quantized_layer import QuantizedLayer
from bonn_hw.nn.models.quantizers import BipolarWeight

SMALLEST_SIGMA = 1e-3


def kept_filters(filters: int, rate: float) -> int:
    """The number of filters that remain: int(filters * rate), at least 1."""
    return max(1, int(filters * rate))


def cluster(filters: Tensor, groups: int, seed: int) -> Tensor:
    """The group of each filter, int64 ``(C_out,)``, by k-means; no group is empty.

    Parameters
    ----------
    filters
        Latent filters ``(C_out, ...)``.
    groups
        From 1 to C_out.
    seed
        Seed of the first centres.
    """
    points = filters.detach().flatten(1).double().cpu().numpy()
    with warnings.catch_warnings():
        # It warns if there are fewer different filters than groups; the loop below handles that.
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = KMeans(groups, n_init=10, random_state=seed).fit_predict(points)
    for empty in set(range(groups)) - set(labels.tolist()):
        largest = np.bincount(labels, minlength=groups).argmax()
        labels[np.flatnonzero(labels == largest)[-1]] = empty
    return torch.from_numpy(labels.astype(np.int64))


def group_means(latent: Tensor, labels: Tensor) -> Tensor:
    """The mean Kbar of each group, ``(groups, ...)``, of filters K ``(C_out, ...)``."""
    groups = int(labels.max()) + 1
    sums = latent.new_zeros(groups, *latent.shape[1:]).index_add(0, labels, latent)
    counts = torch.bincount(labels, minlength=groups).to(latent.dtype)
    return sums / counts.view(-1, *(1,) * (latent.dim() - 1))


def group_deviations(latent: Tensor, labels: Tensor) -> Tensor:
    """The standard deviation of the elements of K around Kbar, by group, ``(groups,)``."""
    squares = (latent - group_means(latent, labels)[labels]).square().flatten(1).mean(1)
    return group_means(squares, labels).sqrt()


def pruning_loss(latent: Tensor, labels: Tensor, sigma: Tensor, lam: float, nu: float) -> Tensor:
    """The pruning loss of one layer, a scalar.

    lambda/2 * sum over groups and their filters of ||K - Kbar||^2 + nu (K - Kbar)' Psi^-1 (K -
    Kbar) + nu log det Psi, with Psi = sigma^2 I in each group. Kbar is held constant, as X^ is in
    the kernel loss; with that,

    * dK = lambda (1 + nu / sigma^2) (K - Kbar);
    * dsigma = lambda nu * sum over the group of n / sigma - ||K - Kbar||^2 / sigma^3, n being the
      elements of a filter.

    Parameters
    ----------
    latent, labels
        K ``(C_out, ...)`` and the group of each filter ``(C_out,)``.
    sigma
        ``(groups,)``.
    lam, nu
        Weight of the loss; variance of the quantisation error.
    """
    squares = (latent - group_means(latent.detach(), labels)[labels]).square().flatten(1).sum(1)
    variance = sigma.square()[labels]
    elements = latent[0].numel()
    return lam / 2 * (squares * (1 + nu / variance) + nu * elements * variance.log()).sum()


def representatives(latent: Tensor, labels: Tensor) -> Tensor:
    """The filter of each group that is nearest to its mean, ascending, ``(groups,)``."""
    distance = (latent - group_means(latent, labels)[labels]).square().flatten(1).sum(1)
    chosen = {}
    for index in distance.argsort(descending=True, stable=True).tolist():
        chosen[int(labels[index])] = index
    return torch.tensor(sorted(chosen.values()))


class Blend(nn.Module):
    """K <- (1 - gamma) K + gamma Kbar, as a parametrization of a layer's latent weight.

    The gradient passes through the mean too: at gamma = 1 the filters of a group are equal, and
    learn as one filter.

    Parameters
    ----------
    labels
        The group of each filter ``(C_out,)``.
    """

    labels: Tensor

    def __init__(self, labels: Tensor):
        super().__init__()
        self.register_buffer("labels", labels)
        self.gamma = 0.0

    def forward(self, latent: Tensor) -> Tensor:
        """Map K ``(C_out, ...)`` to the same shape; at gamma = 1, equal filters in each group."""
        if self.gamma == 0:
            return latent
        return (1 - self.gamma) * latent + self.gamma * group_means(latent, self.labels)[
            self.labels
        ]


class Groups(nn.Module):
    """The groups of filters in some layers of a network: their blends and their pruning loss.

    Parameters
    ----------
    layers
        1-bit layers by name. Each gets a `Blend`: its ``weight`` is then the blended one.
    rate
        Share of the filters that remain.
    lam, nu
        See `pruning_loss`.
    seed
        See `cluster`.
    """

    def __init__(
        self, layers: dict[str, QuantizedLayer], rate: float, lam: float, nu: float, seed: int
    ):
        super().__init__()
        self.lam, self.nu = lam, nu
        # In plain containers: submodules would be saved twice, here and in the network.
        self._layers = dict(layers)
        self._blends: dict[str, Blend] = {}
        self.sigma = nn.ParameterList()
        for name, layer in layers.items():
            weight = layer.weight.detach()
            labels = cluster(weight, kept_filters(len(weight), rate), seed).to(weight.device)
            self.sigma.append(group_deviations(weight, labels).clamp(min=SMALLEST_SIGMA))
            self._blends[name] = Blend(labels)
            parametrize.register_parametrization(layer, "weight", self._blends[name])

    @property
    def labels(self) -> dict[str, Tensor]:
        """The group of each filter ``(C_out,)``, by layer."""
        return {name: blend.labels for name, blend in self._blends.items()}

    def representatives(self) -> dict[str, Tensor]:
        """The filter of each group that is nearest to its mean, by layer, ``(groups,)``."""
        return {
            name: representatives(self.latent(name).detach(), labels)
            for name, labels in self.labels.items()
        }

    @property
    def gamma(self) -> float:
        """Share of the group means in the blended filters, from 0 to 1."""
        return next(iter(self._blends.values())).gamma

    @gamma.setter
    def gamma(self, value: float) -> None:
        for blend in self._blends.values():
            blend.gamma = value

    def latent(self, name: str) -> nn.Parameter:
        """K of a layer, before the blend."""
        return self._layers[name].get_parameter("parametrizations.weight.original")

    def loss(self) -> Tensor:
        """The pruning loss of all layers, a scalar."""
        total: Tensor = self.sigma[0].new_zeros(())
        for (name, blend), sigma in zip(self._blends.items(), self.sigma, strict=True):
            with torch.no_grad():
                sigma.clamp_(min=SMALLEST_SIGMA)
            latent = self.latent(name)
            total = total + pruning_loss(latent, blend.labels, sigma, self.lam, self.nu)
        return total

    @torch.no_grad()
    def clip(self) -> None:
        """Clip the weights before the blend, which `network.clip_latent_weights` cannot reach."""
        for name, layer in self._layers.items():
            if issubclass(layer.weight_quant.quant_injector, BipolarWeight):
                self.latent(name).clamp_(-1, 1)

    def remove_blends(self) -> None:
        """Make the blended filters the layers' ordinary weights."""
        for layer in self._layers.values():
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
