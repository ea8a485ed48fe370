# SPDX-License-Identifier: BSD-3-Clause
"""The networks by name: ``build("wrn22", form="hardware")`` returns a `Network`.

Inputs are images ``(N, C, H, W)`` after `transforms.normalise`, outputs are logits
``(N, classes)``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

from bonn_hw.errors import UserError, near
from bonn_hw.nn.models import chains, residual, shared_options
from bonn_hw.nn.models.methods import METHODS
from bonn_hw.nn.models.network import Network
from bonn_hw.nn.models.variants import FORMS

NETWORKS: dict[str, Callable[..., Network]] = {
    "tfc": chains.tfc,
    "sfc": chains.sfc,
    "lfc": chains.lfc,
    "cnv": chains.cnv,
    "cnv_padded": chains.cnv_padded,
    "digits": chains.digits,
    "chain": chains.chain,
    "wrn": residual.wrn,
    "wrn22": residual.wrn22,
    "wrn40": residual.wrn40,
    "resnet18": residual.resnet18,
}
_CHOICES = {
    "method": tuple(METHODS),
    "input": tuple(chains.INPUTS),
    "form": tuple(FORMS),
    "slopes": ("fixed", "learnt"),
    **shared_options.CHOICES,
}


def check(name: str, options: Mapping[str, object]) -> None:
    """Refuse a network, an option or an option's value that is not known; raises UserError."""
    known = _options(name)
    for option, value in options.items():
        if option not in known:
            raise UserError(
                f"network {name}: option {option!r} is not known{near(option, known)}; choose from "
                f"{', '.join(known)}"
            )
        _check_option(name, option, value, known[option].default)


def _options(name: str) -> dict[str, inspect.Parameter]:
    """The options of a network, the shared ones included."""
    if name not in NETWORKS:
        raise UserError(
            f"network {name!r} is not known{near(name, NETWORKS)}; choose one of "
            f"{', '.join(NETWORKS)}"
        )
    own = inspect.signature(NETWORKS[name]).parameters
    _, *shared = inspect.signature(shared_options.apply).parameters.values()
    return {**own, **{parameter.name: parameter for parameter in shared}}


def build(name: str, **options: object) -> Network:
    """Create the network `name`; its first weights come from torch's global random generator.

    Raises
    ------
    UserError
        If the name, an option or an option's value is not known.
    """
    check(name, options)
    own = inspect.signature(NETWORKS[name]).parameters
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    network = NETWORKS[name](**{k: v for k, v in values.items() if k in own})
    shared_options.apply(network, **{k: str(v) for k, v in values.items() if k not in own})
    return network


def _check_option(network: str, option: str, value: object, default: object) -> None:
    if isinstance(default, str):
        choices = _CHOICES[option]
        holds, rule = value in choices, f"one of {', '.join(choices)}"
    elif isinstance(default, bool):
        holds, rule = isinstance(value, bool), "true or false"
    elif isinstance(default, float):
        holds, rule = _share(value), "a number from 0 to below 1"
    elif isinstance(default, tuple):
        holds = isinstance(value, list | tuple) and all(map(_positive, value))
        rule = "a list of positive integers"
    else:
        holds, rule = _positive(value), "a positive integer"
    if not holds:
        raise UserError(f"network {network}: option {option} must be {rule}, not {value!r}")


def _positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1
