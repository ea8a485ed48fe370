# SPDX-License-Identifier: BSD-3-Clause
"""Groups of similar filters, and how pruning draws the filters of a group to their mean.

The journal version of BONN (Zhao et al., "Bayesian Optimized 1-Bit CNNs", IJCV 2022, doi
10.1007/s11263-021-01543-y): the latent filters K of a layer are clustered; a loss and a blend draw
the filters of a group to their mean Kbar, until one of them can stand for all. There are two
readings of the blend:

* `SharedGradient` and `Groups.draw`, the authors': after each step K <- (1 - gamma) K + gamma Kbar
  with a constant rate gamma;
* `Blend`: the quantiser sees the blend, and gamma goes from 0 to 1 during training.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn
from torch.nn.utils import parametrize

from bonn_hw.nn.models.quantized_layer import QuantizedLayer
from bonn_hw.nn.models.quantizers import BipolarWeight
from bonn_hw.nn.models.resilient import learnt_scales

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


def pruning_loss(
    latent: Tensor, labels: Tensor, sigma: Tensor, nu: float, weight: float = 1.0
) -> Tensor:
    """The pruning loss of one layer, a scalar.

    weight * sum over groups and their filters of ||K - Kbar||^2 + nu (K - Kbar)' Psi^-1 (K - Kbar)
    + nu log det Psi, with Psi = sigma^2 I in each group. The authors have no weight, so 1. Kbar is
    held constant, as X^ is in the kernel loss; with that,

    * dK = 2 weight (1 + nu / sigma^2) (K - Kbar);
    * dsigma = 2 weight nu * sum over the group of n / sigma - ||K - Kbar||^2 / sigma^3, n being
      the elements of a filter.

    Parameters
    ----------
    latent, labels
        K ``(C_out, ...)`` and the group of each filter ``(C_out,)``.
    sigma
        ``(groups,)``.
    nu
        Variance of the quantisation error.
    """
    squares = (latent - group_means(latent.detach(), labels)[labels]).square().flatten(1).sum(1)
    variance = sigma.square()[labels]
    elements = latent[0].numel()
    return weight * (squares * (1 + nu / variance) + nu * elements * variance.log()).sum()


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


class SharedGradient(nn.Module):
    """K as it is, with the mean gradient of its group: dK = 1 / members * dKbar.

    A parametrization of a layer's latent weight, as `Blend` is. The filters of a group then differ
    by what they differ at the start only, and a constant rate draws them together.

    Parameters
    ----------
    labels
        The group of each filter ``(C_out,)``.
    """

    labels: Tensor

    def __init__(self, labels: Tensor):
        super().__init__()
        self.register_buffer("labels", labels)

    def forward(self, latent: Tensor) -> Tensor:
        """Return K ``(C_out, ...)``."""
        means = group_means(latent, self.labels)
        return latent.detach() + (means - means.detach())[self.labels]


class Groups(nn.Module):
    """The groups of filters in some layers of a network: how they are drawn together, the loss.

    Parameters
    ----------
    layers
        1-bit layers by name. Each gets a `SharedGradient`, or a `Blend`: its ``weight`` is then
        the blended one.
    rate
        Share of the filters that remain.
    weight, nu
        See `pruning_loss`.
    seed
        See `cluster`.
    blended
        Whether the quantiser sees a blend.
    """

    def __init__(
        self,
        layers: dict[str, QuantizedLayer],
        rate: float,
        nu: float,
        seed: int,
        weight: float = 1.0,
        blended: bool = False,
    ):
        super().__init__()
        self.weight, self.nu = weight, nu
        # In plain containers: submodules would be saved twice, here and in the network.
        self._layers = dict(layers)
        self.labels: dict[str, Tensor] = {}
        self._blends: list[Blend] = []
        self.sigma = nn.ParameterList()
        for name, layer in layers.items():
            filters = layer.weight.detach()
            labels = cluster(filters, kept_filters(len(filters), rate), seed).to(filters.device)
            self.sigma.append(group_deviations(filters, labels).clamp(min=SMALLEST_SIGMA))
            self.labels[name] = labels
            drawn: nn.Module = SharedGradient(labels)
            if blended:
                drawn = Blend(labels)
                self._blends.append(drawn)
            parametrize.register_parametrization(layer, "weight", drawn)
        self._distance = self._apart()

    def representatives(self) -> dict[str, Tensor]:
        """The filter of each group that is nearest to its mean, by layer, ``(groups,)``."""
        return {
            name: representatives(self.latent(name).detach(), labels)
            for name, labels in self.labels.items()
        }

    def blend(self, gamma: float) -> None:
        """Set the share of the group means in what the quantisers see, from 0 to 1."""
        for blend in self._blends:
            blend.gamma = gamma

    @torch.no_grad()
    def draw(self, gamma: float) -> None:
        """K <- (1 - gamma) K + gamma Kbar, in every layer; learnt scales of filters likewise."""
        for name, labels in self.labels.items():
            for of_filters in (self.latent(name), *learnt_scales(self._layers[name])):
                means = group_means(of_filters, labels)[labels]
                step = gamma * (means - of_filters)
                of_filters.copy_(means if gamma == 1 else of_filters + step)

    @property
    def apart(self) -> float:
        """How far the filters are from their means, as a share of the distance at the start."""
        return self._apart() / self._distance if self._distance else 0.0

    @torch.no_grad()
    def _apart(self) -> float:
        squares = 0.0
        for name, labels in self.labels.items():
            latent = self.latent(name)
            squares += float((latent - group_means(latent, labels)[labels]).square().sum())
        return math.sqrt(squares)

    def latent(self, name: str) -> nn.Parameter:
        """K of a layer, before the blend."""
        return self._layers[name].get_parameter("parametrizations.weight.original")

    def loss(self) -> Tensor:
        """The pruning loss of all layers, a scalar."""
        total: Tensor = self.sigma[0].new_zeros(())
        for (name, labels), sigma in zip(self.labels.items(), self.sigma, strict=True):
            with torch.no_grad():
                sigma.clamp_(min=SMALLEST_SIGMA)
            latent = self.latent(name)
            total = total + pruning_loss(latent, labels, sigma, self.nu, self.weight)
        return total

    @torch.no_grad()
    def clip(self) -> None:
        """Clip the weights before the blend, which `network.clip_latent_weights` cannot reach."""
        for name, layer in self._layers.items():
            if issubclass(layer.weight_quant.quant_injector, BipolarWeight):
                self.latent(name).clamp_(-1, 1)

    def merge(self) -> None:
        """Make the filters of a group equal, and the layers' weights ordinary ones."""
        self.draw(1.0)
        self.blend(0.0)
        for layer in self._layers.values():
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
