# SPDX-License-Identifier: BSD-3-Clause
"""The two losses of BONN for a whole network: the kernel loss and the feature loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bonn_hw.errors import UserError
from bonn_hw.nn.models.binary_layers import (
    binary_layers,
    is_modulated,
    latent_weight,
    modulated_quantiser,
    natural_deviation,
)
from bonn_hw.nn.models.losses import centre_step_of_sums, feature_loss, kernel_loss
from bonn_hw.nn.models.modulation import RANGES
from bonn_hw.nn.models.quantized_layer import QuantizedLayer, configure, filters
from bonn_hw.nn.models.quantizers import BayesianWeight

SMALLEST_SIGMA = 1e-3
SMALLEST_DEVIATION = 1e-2
CENTRE_RATE = 0.5
"""Learning rate of the centres (Wen et al., "A Discriminative Feature Learning Approach", 2016)."""


class BayesianLosses(nn.Module):
    """The two losses of BONN for any Brevitas network::

        losses = BayesianLosses(model, lam=1e-4, theta=1e-3, nu=1e-4)
        loss = cross_entropy(model(x), y) + losses.kernel()
        loss = cross_entropy(model(x), y) + losses.kernel() + losses.feature(y)    # fine-tuning

    Create it before the optimiser, and pass ``losses.groups(weight_decay)`` to the optimiser
    instead of ``model.parameters()``. Every 1-bit layer of the model gets the learnt modulation
    (`quantizers.BayesianWeight`) if it does not have it yet.

    Parameters
    ----------
    model
        A network with 1-bit layers of Brevitas (linear, or convolutions of one or two dimensions,
        transposed ones too), and a linear layer at the end.
    lam, theta, nu
        Weight of the kernel loss, weight of the feature loss, variance of the quantisation error.
    classifier
        The layer whose inputs are the features: linear, or a 1x1 convolution whose outputs are
        averaged over the pixels (the features are then the averages of its inputs). By default
        the model's last linear layer.
    start
        Rescale the latent kernels X of each 1-bit layer to this standard deviation; no sign
        changes. The prior's pull, lambda nu / sigma^2, grows as they shrink. None: leave them.
    modulation
        Where w may go, one of `modulation.RANGES`. None: as each layer says; ``held`` for those
        that get their modulation here.

    Raises
    ------
    UserError
        If the model has no 1-bit layer or no classifier, the classifier is none of these, or a
        weight is out of range.
    """

    centres: Tensor
    started: Tensor

    def __init__(
        self,
        model: nn.Module,
        lam: float = 1e-4,
        theta: float = 1e-3,
        nu: float = 1e-4,
        classifier: nn.Linear | nn.Conv2d | None = None,
        start: float | None = None,
        modulation: str | None = None,
    ):
        super().__init__()
        if start is not None and not 0 < start < float("inf"):
            raise UserError(f"BayesianLosses: start must be a positive number, not {start}")
        if modulation not in (None, *RANGES):
            raise UserError(
                f"BayesianLosses: modulation must be one of {', '.join(RANGES)}, not {modulation!r}"
            )
        for name, value in (("lam", lam), ("theta", theta), ("nu", nu)):
            if not 0 <= value < float("inf"):
                raise UserError(f"BayesianLosses: {name} must be 0 or positive, not {value}")
        self.lam, self.theta, self.nu = lam, theta, nu
        layers = binary_layers(model)
        if not layers:
            raise UserError(
                "BayesianLosses: the model has no 1-bit layer; use QuantConv2d or QuantLinear of "
                "brevitas.nn with weight_quant=bonn_hw.nn.BayesianWeight"
            )
        classifier = classifier or _last_linear(model)
        for layer in layers.values():
            if not is_modulated(layer):
                _modulate(layer)
        # In plain lists: submodules would be saved twice, here and in the model.
        self._model, self._layers = [model], list(layers.values())
        self.names = tuple(layers)
        for layer in self._layers:
            if modulation is not None:
                modulated_quantiser(layer).range = modulation
                configure(layer.weight_quant, modulation_range=modulation)
            if start is not None:
                _rescale(layer, start)
        kernels = [filters(layer).detach() for layer in self._layers]
        self.mu = nn.ParameterList(k.abs().flatten(1).mean(1) for k in kernels)
        self.sigma = nn.ParameterList(_spread(k) for k in kernels)
        weight = _matrix(classifier)
        self.deviations = nn.Parameter(torch.ones_like(weight))
        self.register_buffer("centres", torch.zeros_like(weight))
        self.register_buffer(
            "started", torch.zeros(len(weight), dtype=torch.bool, device=weight.device)
        )
        self._features: Tensor | None = None
        classifier.register_forward_pre_hook(self._keep_features)

    def kernel(self) -> Tensor:
        """The kernel loss of all 1-bit layers, a scalar."""
        total = self.deviations.new_zeros(())
        if self.lam == 0:
            return total
        for layer, mu, sigma in zip(self._layers, self.mu, self.sigma, strict=True):
            with torch.no_grad():
                sigma.clamp_(min=SMALLEST_SIGMA)
            quantiser = modulated_quantiser(layer)
            total = total + kernel_loss(
                filters(layer),
                quantiser.modulation,
                *(mu, sigma, self.lam, self.nu),
                quantiser.scale(),
            )
        return total

    def feature(self, labels: Tensor) -> Tensor:
        """The feature loss of the model's last batch, a scalar; in training, update the centres.

        Parameters
        ----------
        labels
            int64 ``(batch,)``.

        Raises
        ------
        UserError
            If a label is out of range, or the model was not called since the last feature loss.
        """
        classes = len(self.centres)
        if len(labels) and not (int(labels.min()) >= 0 and int(labels.max()) < classes):
            wrong = labels[(labels < 0) | (labels >= classes)][0]
            raise UserError(
                f"BayesianLosses.feature: label {int(wrong)} is not in 0 to {classes - 1}; the "
                f"classifier has {classes} outputs"
            )
        if self._features is None or len(self._features) != len(labels):
            raise UserError(
                "BayesianLosses.feature: no features of these labels; call the model on their "
                "batch first, once for each call of this"
            )
        features, self._features = self._features.to(self.centres.dtype), None
        if self.theta == 0:
            return features.new_zeros(())
        if self.training:
            self._start(features.detach(), labels)
        with torch.no_grad():
            self.deviations.clamp_(min=SMALLEST_DEVIATION)
        loss = feature_loss(features, labels, self.centres.clone(), self.deviations, self.theta)
        if self.training:
            self._move(features.detach(), labels)
        return loss

    def groups(
        self,
        lr: float,
        weight_decay: float = 0.0,
        modulation_lr: float | None = None,
        prior_lr: float | None = None,
    ) -> list[dict[str, Any]]:
        """The learnt parameters with their rates, in groups for an optimiser of the rate `lr`.

        * The latent kernels X of a layer. Only their signs count, so that what a step does depends
          on the rate relative to |X|: it is `lr` times the ratio of their deviation to that of
          PyTorch's own start, 1 / sqrt(3 inputs), for which rates of plain 1-bit networks are
          known. The weight decay is divided by the same ratio, so that it does as much.
        * The model's other parameters.
        * w, by default a tenth of `lr`, without weight decay.
        * The losses' own (mu, sigma, the deviations of the features), by default 3e-4 of `lr`,
          without weight decay.
        """
        quantisers = [modulated_quantiser(layer) for layer in self._layers]
        modulations: list[Tensor] = [quantiser.modulation for quantiser in quantisers]
        kernels = []
        for layer in self._layers:
            latent = latent_weight(layer)
            share = float(latent.detach().std(correction=0)) / natural_deviation(layer)
            kernels.append(
                {"params": [latent], "lr": lr * share, "weight_decay": weight_decay / share}
            )
        apart = {id(p) for p in modulations} | {id(latent_weight(one)) for one in self._layers}
        others = [p for p in self._model[0].parameters() if id(p) not in apart]
        return [
            *kernels,
            {"params": others, "lr": lr, "weight_decay": weight_decay},
            {"params": modulations, "lr": modulation_lr or lr / 10, "weight_decay": 0.0},
            {"params": list(self.parameters()), "lr": prior_lr or 3e-4 * lr, "weight_decay": 0.0},
        ]

    def project(self) -> None:
        """Bring every w back into its range; each forward pass in training does the same first."""
        for layer in self._layers:
            modulated_quantiser(layer).project()

    def accept(self) -> None:
        """Leave every w as it is until an optimiser changes it, as after `project`."""
        for layer in self._layers:
            modulated_quantiser(layer).accept()

    def pull(self) -> dict[str, float]:
        """The prior's pull per step, lambda * nu / sigma^2, by layer: the mean over its filters."""
        return {
            name: self.lam * self.nu * float(sigma.detach().square().reciprocal().mean())
            for name, sigma in zip(self.names, self.sigma, strict=True)
        }

    def _keep_features(self, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        features = getattr(inputs[0], "value", inputs[0])
        if isinstance(layer, nn.Conv2d):
            self._features = features.mean((2, 3))
        else:
            self._features = features.flatten(1)

    @torch.no_grad()
    def _start(self, features: Tensor, labels: Tensor) -> None:
        """Set the centre and deviation of a new class from its first features.

        If centres started at zero, the loss would first pull all features to the origin.
        """
        sums, counts = self._sums(features, labels)
        new = (counts > 0) & ~self.started
        if not new.any():
            return
        self.centres[new] = (sums / counts.clamp(min=1)[:, None])[new]
        squares, _ = self._sums((features - self.centres[labels]).square(), labels)
        # Over all classes of the batch: one class alone has too few images.
        spread = (squares.sum(0) / counts.sum()).sqrt().clamp(min=SMALLEST_DEVIATION)
        self.deviations[new] = spread
        self.started |= new

    @torch.no_grad()
    def _move(self, features: Tensor, labels: Tensor) -> None:
        sums, counts = self._sums(features, labels)
        self.centres -= CENTRE_RATE * centre_step_of_sums(sums, counts[:, None], self.centres)

    def _sums(self, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Sums ``(classes, K)`` and counts ``(classes,)``, over all processes."""
        counts = torch.bincount(labels, minlength=len(self.centres)).to(self.centres.dtype)
        sums = torch.zeros_like(self.centres).index_add_(0, labels, features)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(sums)
            torch.distributed.all_reduce(counts)
        return sums, counts


@torch.no_grad()
def _rescale(layer: QuantizedLayer, deviation: float) -> None:
    layer.weight.mul_(deviation / layer.weight.std(correction=0).clamp(min=1e-12))


def _modulate(layer: QuantizedLayer) -> None:
    quantiser = BayesianWeight.proxy_class(layer, BayesianWeight)
    layer.weight_quant = quantiser
    quantiser.to(layer.weight.device, layer.weight.dtype)


def _last_linear(model: nn.Module) -> nn.Linear:
    linear = [m for m in model.modules() if isinstance(m, nn.Linear)]
    if not linear:
        raise UserError(
            "BayesianLosses: the model has no linear layer, whose inputs would be the features; "
            "name the last layer with classifier="
        )
    return linear[-1]


def _matrix(classifier: nn.Linear | nn.Conv2d) -> Tensor:
    """The weights of a classifier, ``(classes, K)``, without gradient."""
    weight = classifier.weight.detach()
    if weight[0].numel() != weight.shape[1]:
        raise UserError(
            f"BayesianLosses: the classifier is a convolution of {tuple(weight.shape[2:])} pixels; "
            "its inputs are one feature vector only if it is 1x1: name another layer with "
            "classifier="
        )
    return weight.flatten(1)


def _spread(kernel: Tensor) -> Tensor:
    """The standard deviation of |X| of each filter, ``(C_out,)``, at least `SMALLEST_SIGMA`."""
    return kernel.abs().flatten(1).std(1, correction=0).clamp(min=SMALLEST_SIGMA)
