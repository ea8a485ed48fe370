# SPDX-License-Identifier: BSD-3-Clause
"""The keys of an experiment file: which value each may have, and in which words a rule is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bonn_hw.nn.data import datasets, transforms
from bonn_hw.nn.own.source import OwnName

OPTIMISERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine", "linear", "steps")
AUGMENTS = ("none", "shift", "flip", "shift-flip", "crop", "crop-flip")
PRECISIONS = ("auto", "32", "16-mixed", "bf16-mixed")
MEMORY_FORMATS = ("auto", "contiguous", "channels-last")
GRADIENTS = ("paper", "exact")
RANGES = ("held", "positive", "free")


@dataclass(frozen=True)
class Rule:
    """Which values a key may have.

    Attributes
    ----------
    holds
        Whether a value is allowed.
    words
        The rule, as it follows "must be".
    """

    holds: Callable[[Any], bool]
    words: str


def _whole(v: object) -> bool:
    return isinstance(v, int) and not isinstance(v, bool)


def _number(v: Any) -> bool:
    return isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < float("inf")


def _one_of(*choices: str) -> Rule:
    return Rule(lambda v: v in choices, f"one of {', '.join(choices)}")


_DATA = Rule(
    lambda v: isinstance(v, str) and (v in datasets.SOURCES or OwnName.parse(v) is not None),
    f"one of {', '.join(datasets.SOURCES)}, or your own, FILE.py:FUNCTION",
)
_TEXT = Rule(lambda v: isinstance(v, str) and v != "", "a non-empty text")
_SWITCH = Rule(lambda v: isinstance(v, bool), "true or false")
_POSITIVE = Rule(lambda v: _whole(v) and v > 0, "a positive integer")
_SEVERAL = Rule(lambda v: _whole(v) and v > 1, "an integer above 1")
_COUNT = Rule(lambda v: _whole(v) and v >= 0, "a non-negative integer")
_RATE = Rule(lambda v: _number(v) and v > 0, "a positive number")
_WEIGHT = Rule(lambda v: _number(v) and v >= 0, "0 or a positive number")
_SHARE = Rule(lambda v: _number(v) and 0 <= v < 1, "a number from 0 to below 1")
_PART = Rule(lambda v: _number(v) and 0 <= v <= 1, "a number from 0 to 1")
_EPOCHS = Rule(
    lambda v: isinstance(v, list | tuple) and all(_whole(e) and e > 0 for e in v),
    "a list of epochs",
)

TABLES = ("network", "data", "training", "bayesian")
KEYS: dict[tuple[str, str], tuple[str, Rule]] = {
    ("network", "name"): ("network", _TEXT),
    ("data", "name"): ("dataset", _DATA),
    ("data", "transform"): ("transform", _one_of(*transforms.TRANSFORMS)),
    ("data", "root"): ("root", _TEXT),
    ("data", "held_out"): ("held_out", _COUNT),
    ("training", "epochs"): ("epochs", _POSITIVE),
    ("training", "batch"): ("batch", _SEVERAL),
    ("training", "lr"): ("lr", _RATE),
    ("training", "optimiser"): ("optimiser", _one_of(*OPTIMISERS)),
    ("training", "momentum"): ("momentum", _SHARE),
    ("training", "nesterov"): ("nesterov", _SWITCH),
    ("training", "weight_decay"): ("weight_decay", _WEIGHT),
    ("training", "schedule"): ("schedule", _one_of(*SCHEDULES)),
    ("training", "milestones"): ("milestones", _EPOCHS),
    ("training", "decay"): ("decay", _SHARE),
    ("training", "warm_up"): ("warm_up", _COUNT),
    ("training", "fine_tune_epochs"): ("fine_tune_epochs", _COUNT),
    ("training", "fine_tune_lr"): ("fine_tune_lr", _RATE),
    ("training", "test_every"): ("test_every", _POSITIVE),
    ("training", "precision"): ("precision", _one_of(*PRECISIONS)),
    ("training", "memory_format"): ("memory_format", _one_of(*MEMORY_FORMATS)),
    ("training", "seed"): ("seed", _COUNT),
    ("training", "augment"): ("augment", _one_of(*AUGMENTS)),
    ("training", "erase"): ("erase", _PART),
    ("training", "mixup"): ("mixup", _WEIGHT),
    ("training", "cutmix"): ("cutmix", _WEIGHT),
    ("training", "label_smoothing"): ("label_smoothing", _SHARE),
    ("training", "average"): ("average", _SHARE),
    ("training", "norm_epochs"): ("norm_epochs", _COUNT),
    ("training", "init"): ("init", _TEXT),
    ("training", "teacher"): ("teacher", _TEXT),
    ("training", "teacher_weight"): ("teacher_weight", _PART),
    ("training", "temperature"): ("temperature", _RATE),
    ("training", "kurtosis"): ("kurtosis", _WEIGHT),
    ("bayesian", "lambda"): ("lam", _WEIGHT),
    ("bayesian", "theta"): ("theta", _WEIGHT),
    ("bayesian", "nu"): ("nu", _RATE),
    ("bayesian", "start"): ("start", _RATE),
    ("bayesian", "modulation"): ("modulation", _one_of(*RANGES)),
    ("bayesian", "modulation_lr"): ("modulation_lr", _RATE),
    ("bayesian", "prior_lr"): ("prior_lr", _RATE),
    ("bayesian", "modulation_gradient"): ("modulation_gradient", _one_of(*GRADIENTS)),
}
"""TOML table and key -> field of `Experiment`, and its rule. [network] also has options."""
