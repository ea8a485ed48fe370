# SPDX-License-Identifier: BSD-3-Clause
"""Gates over the channels of a chain, trained with what a channel costs; it becomes narrower.

Each channel has a gate from 0 to 1, which is open above a half. A closed channel is 0, and so adds
nothing to the sums behind it: a chain with closed channels computes what the narrower chain
computes. Two gradients move a gate: that of the loss, passed straight through the step of the gate
(Courbariaux et al., arXiv 1602.02830, for a sign), and that of the cost, a finite difference of the
exact hardware model. Of a layer always so many channels are open as a step of its hardware has.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bonn_hw.cache import digest
from bonn_hw.errors import UserError
from bonn_hw.files import fresh_folder
from bonn_hw.nn.data.image_folder import ImageFolder
from bonn_hw.nn.data.labelled_images import Dataset
from bonn_hw.nn.models.chains import Chain
from bonn_hw.nn.training.channel_pruning import narrowed
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.pruning import phase
from bonn_hw.nn.training.run_files import CHECKPOINT
from bonn_hw.nn.training.run_writer import RunWriter
from bonn_hw.nn.training.training_module import TrainingModule
from bonn_hw.nn.training.unfinished import Setting, Unfinished

OPEN = 0.5
Widths = Mapping[str, int]


@dataclass(frozen=True)
class Costs:
    """What the widths of a chain cost.

    Attributes
    ----------
    steps
        By layer: the widths at which its hardware becomes cheaper, ascending to its own width.
    of
        The cost of a chain with these widths, in LUT; infinite if it does not fit.
    """

    steps: Mapping[str, tuple[int, ...]]
    of: Callable[[Widths], float]

    def slopes(self, widths: Widths) -> dict[str, float]:
        """By layer: what one channel costs, on the way to the next smaller step of its hardware."""
        now, slopes = self.of(widths), {}
        for name, width in widths.items():
            step = max((one for one in self.steps[name] if one < width), default=width)
            saved = now - self.of({**widths, name: step}) if step < width else 0.0
            slopes[name] = max(0.0, saved) / max(1, width - step)
        return slopes


class Gates(nn.Module):
    """The gates of all blocks of a chain; they act on the blocks until `detach`."""

    def __init__(self, network: Chain, costs: Costs) -> None:
        super().__init__()
        self.costs = costs
        blocks = dict(network.blocks())
        self.values = nn.ParameterDict(
            {name: torch.ones(block.norm.num_features) for name, block in blocks.items()}
        )
        self._handles = [
            block.register_forward_hook(self._gated(name)) for name, block in blocks.items()
        ]

    def detach(self) -> None:
        """Take the gates off the chain."""
        for handle in self._handles:
            handle.remove()

    def kept(self) -> dict[str, Tensor]:
        """By layer: the open channels, ascending."""
        return {name: self._open(name).nonzero()[:, 0].cpu() for name in self.values}

    @property
    def widths(self) -> dict[str, int]:
        """By layer: how many channels are open."""
        return {name: len(channels) for name, channels in self.kept().items()}

    def cost(self, slopes: Mapping[str, float]) -> Tensor:
        """The cost as the gates see it, a scalar: its gradient is what a channel costs."""
        return torch.stack(
            [slope * self.values[name].sum() for name, slope in slopes.items()]
        ).sum()

    @torch.no_grad()
    def clamp(self) -> None:
        """Put all gates back into their range, in place."""
        for value in self.values.values():
            value.clamp_(0, 1)

    def _open(self, name: str) -> Tensor:
        """Which channels are open, bool ``(C,)``."""
        value = self.values[name].detach()
        many = int((value > OPEN).sum())
        width = next(one for one in self.costs.steps[name] if one >= many)
        mask = torch.zeros_like(value, dtype=torch.bool)
        mask[value.topk(width).indices] = True
        return mask

    def _gated(self, name: str) -> Callable[..., Tensor]:
        def hook(block: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
            value = self.values[name]
            gate = self._open(name).to(value) + value - value.detach()
            gated: Tensor = output * gate.view(1, -1, *(1,) * (output.dim() - 2))
            return gated

        return hook


class GatedModule(TrainingModule):
    """A training of a chain and of its gates.

    Attributes
    ----------
    gates
        Of the chain.
    strength
        How much of the loss, in nats, the whole hardware is worth.
    """

    def __init__(
        self,
        experiment: Experiment,
        network: Chain,
        train: Dataset | ImageFolder,
        test: Dataset | ImageFolder,
        costs: Costs,
        strength: float,
    ) -> None:
        super().__init__(experiment, network, train, test)
        self.gates, self.strength = Gates(network, costs), strength
        self._whole = costs.of(self.gates.widths)
        self._slopes: dict[str, float] = {}

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The learnt parameters; gates have no weight decay."""
        gates = {"params": list(self.gates.parameters()), "weight_decay": 0.0}
        return [*super().parameter_groups(), gates]

    def on_train_epoch_start(self) -> None:
        """Measure what a channel costs at the widths of now."""
        super().on_train_epoch_start()
        slopes = self.gates.costs.slopes(self.gates.widths)
        self._slopes = {name: slope / self._whole for name, slope in slopes.items()}

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """The loss of one batch, the cost of the open channels included."""
        return super().training_step(batch, index) + self.strength * self.gates.cost(self._slopes)

    def on_train_batch_end(self, outputs: object, batch: object, index: int) -> None:
        """Put the gates back into their range too."""
        super().on_train_batch_end(outputs, batch, index)
        self.gates.clamp()

    def finish_epoch(self) -> None:
        """Add the epoch to the history."""
        super().finish_epoch()
        self.history[-1]["phase"] = "gates"


def narrow(
    run: Path,
    out: Path,
    costs: Costs,
    strength: float,
    epochs: int | None = None,
    recover: int | None = None,
    progress: bool = False,
) -> Widths:
    """Train gates over the channels of a finished run, and write the narrower network as a new run.

    Parameters
    ----------
    strength
        Of the cost, see `GatedModule`.
    epochs, recover
        Epochs with gates, and of ordinary training of the narrower network after that; by default
        a quarter of the run's own epochs each.

    Returns
    -------
    mapping
        The new width of each layer.

    Raises
    ------
    UserError
        If the run cannot be narrowed; `Interrupted` after Ctrl-C: the same call goes on.
    """
    checkpoint = Checkpoint.load(run)
    experiment, network = checkpoint.experiment, checkpoint.network
    if not isinstance(network, Chain) or experiment.options.get("pruned"):
        raise UserError(
            f"{run}: gates narrow chains of their own widths, and {experiment.network} is none; "
            "leave the gates out"
        )
    quarter = max(1, experiment.all_epochs // 4)
    epochs, recover = epochs or quarter, recover or quarter
    datasets = experiment.data("train"), experiment.data(experiment.tested)
    settings: dict[str, Setting] = {
        "run": digest((run / CHECKPOINT).read_bytes()),
        "strength": strength,
        "epochs": epochs,
        "recover": recover,
    }
    work = Unfinished("narrowing", out, settings, epochs + recover, "the same call")
    with fresh_folder(out) as folder, work:
        torch.manual_seed(experiment.seed)
        # An average of the weights would not have the gates.
        gating = replace(phase(experiment, epochs, "constant"), average=0.0, test_every=epochs)
        module = GatedModule(gating, network, *datasets, costs, strength)
        network.train()
        work.train(module, RunWriter(work.folder("gates"), gating, None, progress))
        module.gates.detach()
        options, smaller = narrowed(network, experiment, module.gates.kept())
        new = work.folder("run")
        recovering = phase(replace(experiment, options=options), recover, "cosine")
        recovery = TrainingModule(recovering, smaller.train(), *datasets)
        writer = RunWriter(new, recovering, None, progress)
        writer.begin()
        work.train(recovery, writer)
        writer.write_figures(recovery.history, recovery.kernels)
        shutil.copytree(new, folder, dirs_exist_ok=True)
        return module.gates.widths
