# SPDX-License-Identifier: BSD-3-Clause
"""Random networks as strangers write them, with forms that are refused, and what undoes each.

A network is a `Plan`: layers with their options. Some options are an *odd* form, which a message
must refuse. `without` does to the plan what the message says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

# Odd forms, and what the message about each must say.
ODD = {
    "no input quantiser": r"the input .x. is not quantised before .*put a quantiser .*--input",
    "scale by channel": r"scale per channel; use one scale for all channels",
    "no quantiser": r"neither 1-bit nor multiples of one scale.*quantise",
    "thresholds off their grid": r"neither 1-bit nor multiples of one scale.*quantise",
    "float weights": r"weights of output channel \d+ are neither .*quantise them",
    "NaN in weights": r"its weights contain NaN or infinity",
    "infinite weight scale": r"the scale of a quantiser must be positive and finite",
    "other scale": r"different scales|has \d+ scales|neither 1-bit nor multiples .*quantise",
    "constant by pixel": r"constants per pixel are not supported",
    "norm behind flatten": r"constants per pixel are not supported",
    "pool before Abs": r"pool after the activation",
    "LRN": r"operator LRN is not supported here",
    "ConvTranspose": r"operator ConvTranspose is not supported here",
    "padded average": r"windows with fewer pixels at the border, .*use count_include_pad=1",
    "ends with a pad": r"ends with padding; end it with a layer",
    "NaN in the last scale": r"behind the last matrix layer is NaN or infinite",
}


@dataclass(frozen=True)
class Layer:
    """One layer: what it is, its options, and its odd form, if any."""

    kind: str
    options: dict[str, Any]
    odd: str = ""


@dataclass(frozen=True)
class Plan:
    """A network to be built. `grid` is what `--input` states, if the file has no quantiser."""

    seed: int
    shape: tuple[int, int, int]
    layers: tuple[Layer, ...]
    grid: str | None = None

    @property
    def odd(self) -> tuple[str, ...]:
        """The odd forms in it."""
        return tuple(layer.odd for layer in self.layers if layer.odd)

    def _with(self, option: str, value: float) -> Plan:
        """The plan with an option of every layer changed."""
        layers = (replace(one, options={**one.options, option: value}) for one in self.layers)
        return replace(self, layers=tuple(layers))

    def without(self, message: str) -> Plan | None:
        """The plan after what a message says was done; None if it says nothing that is true."""
        if message.endswith("pad less") and any(one.options["shape"] < 0.5 for one in self.layers):
            return self._with("shape", 1.0)
        falls = "because they rise and fall; use an activation that only rises" in message
        if falls and any(one.options["steps"] < STEPS for one in self.layers):
            return self._with("steps", 1.0)
        for place, layer in enumerate(self.layers):
            if layer.odd and re.search(ODD[layer.odd], message, re.DOTALL):
                layers = list(self.layers)
                layers[place] = replace(
                    layer, odd="", options={**layer.options, "was": layer.odd, "said": message}
                )
                grid = self.grid
                if layer.odd == "no input quantiser" and layer.options["state"]:
                    layers[place] = replace(layer, kind="none", odd="")
                    grid = "uint8/255"
                return replace(self, layers=tuple(layers), grid=grid)
        return None


def plan(seed: int) -> Plan:
    """Draw a network."""
    random = np.random.default_rng(seed)
    shape = tuple(int(n) for n in random.integers((1, 4, 4), (5, 9, 9)))
    odd = random.random() < 0.4  # of these networks, every layer may be odd

    def layer(kind: str, *forms: str) -> Layer:
        options = {name: float(random.random()) for name in OPTIONS}
        options |= {"state": bool(random.random() < 0.5), "seed": int(random.integers(1 << 30))}
        strange = odd and forms and random.random() < 0.3
        return Layer(kind, options, str(random.choice(forms)) if strange else "")

    layers = [layer("input", "no input quantiser")]
    for _ in range(int(random.integers(0, 4))):
        kind = str(random.choice(BLOCKS, p=WEIGHTS))
        layers.append(layer(kind, *FORMS.get(kind, ())))
    layers.append(layer("flatten", "norm behind flatten"))
    if random.random() < 0.5:
        layers.append(layer("dense", *FORMS["conv"][:5]))
    layers.append(layer("last", "float weights", "NaN in weights", "NaN in the last scale"))
    return Plan(seed, shape, tuple(layers))


STEPS = 0.4  # share of the activations with a step of their own, such as HardSwish
OPTIONS = ("weights", "bias", "norm", "steps", "quantiser", "scale", "pool", "shape", "form")
BLOCKS = (
    *("conv", "depthwise", "grouped", "residual", "concat", "upsample", "average", "shuffle"),
    *("transposed", "moved", "combined", "gated", "windows", "shared"),
)
WEIGHTS = (0.22, 0.1, 0.06, 0.08, 0.08, 0.04, 0.04, 0.04, 0.08, 0.06, 0.08, 0.04, 0.04, 0.04)
FORMS = {
    "conv": (
        *("scale by channel", "no quantiser", "float weights", "NaN in weights"),
        *("infinite weight scale", "constant by pixel", "pool before Abs", "LRN", "ConvTranspose"),
        "thresholds off their grid",
    ),
    "depthwise": ("scale by channel", "no quantiser"),
    "residual": ("other scale",),
    "concat": ("other scale",),
    "average": ("padded average",),
}
