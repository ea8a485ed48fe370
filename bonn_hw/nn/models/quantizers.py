# SPDX-License-Identifier: BSD-3-Clause
"""Brevitas quantisers: 1-bit weights, 1-bit activations, few-bit integers.

In networks for hardware every scale is a power of two. Each matrix product is then an integer times
a power of two, which float32 represents exactly: PyTorch's own evaluation is an exact reference for
the hardware. The settings follow Brevitas' ``bnn_pynq`` examples.
"""

from __future__ import annotations

import math

from brevitas.core.bit_width import BitWidthImplType
from brevitas.core.quant import QuantType
from brevitas.core.restrict_val import FloatToIntImplType, RestrictValueType
from brevitas.core.scaling import ScalingImplType
from brevitas.core.stats import StatsOp
from brevitas.core.zero_point import ZeroZeroPoint
from brevitas.inject import ExtendedInjector, value
from brevitas.quant.fixed_point import Int8WeightPerTensorFixedPoint
from brevitas.quant.none import NoneWeightQuant
from brevitas.quant.solver import ActQuantSolver, WeightQuantSolver
from torch import Tensor

from bonn_hw.nn.models.activations import GridQuant, SignQuant
from bonn_hw.nn.models.adaptive import DeviationQuant
from bonn_hw.nn.models.modulation import ModulatedBinaryQuant
from bonn_hw.nn.models.resilient import ResilientQuant

INPUT_SCALE = 2.0**-7
"""Scale of the input grid: a pixel p of 0 to 255 is (p - 128) / 128 (`transforms.normalise`)."""
STREAM_SCALE = 2.0**-3
"""Scale of the residual stream's 8-bit grid, whose range is -16 to 15.875. Blocks add up: with
half of that range, one value in eight is clipped in the middle of WRN-22."""
FINE_SCALE = 2.0**-6
"""Scale of the 14-bit grid, whose range is +-128, at the input of a norm whose output is
quantised again: without it, hardware would have to follow the norm's float rounding for millions of
sums."""
FEATURE_SCALE = 2.0**-5
"""Scale of the 8-bit features before the classifier. They are averages: +-4 is enough."""


class _ConstantScale(ExtendedInjector):
    """Signed, no zero point, one constant scale for the whole tensor."""

    bit_width_impl_type = BitWidthImplType.CONST
    scaling_impl_type = ScalingImplType.CONST
    zero_point_impl = ZeroZeroPoint
    float_to_int_impl_type = FloatToIntImplType.ROUND
    scaling_per_output_channel = False
    signed = True


class BipolarWeight(_ConstantScale, WeightQuantSolver):
    """Weights -1 and +1: the sign of a latent float weight, sign(0) = +1.

    The gradient passes straight through; `clip_latent_weights` keeps the latent weights in [-1, 1].
    """

    quant_type = QuantType.BINARY
    bit_width = 1
    narrow_range = True
    restrict_scaling_type = RestrictValueType.FP
    scaling_const = 1.0


class BipolarActivation(_ConstantScale, ActQuantSolver):
    """Activations -1 and +1: sign(x), sign(0) = +1; the gradient passes where |x| <= 1."""

    quant_type = QuantType.BINARY
    bit_width = 1
    narrow_range = True
    tensor_quant = SignQuant
    sign_gradient = "window"


class SignedByteInput(_ConstantScale, ActQuantSolver):
    """The 8-bit input: multiples of 1/128 in [-1, 127/128]."""

    quant_type = QuantType.INT
    bit_width = 8
    narrow_range = False
    # A power of two by construction, not because 0.9921875 / 127 happens to round to one.
    restrict_scaling_type = RestrictValueType.POWER_OF_TWO
    min_val = -1.0
    max_val = 1.0 - INPUT_SCALE


class StreamActivation(_ConstantScale, ActQuantSolver):
    """The residual stream: 8-bit multiples of `STREAM_SCALE`, for all branches of a sum."""

    quant_type = QuantType.INT
    bit_width = 8
    narrow_range = False
    tensor_quant = GridQuant
    grid_scale = STREAM_SCALE


class FineActivation(StreamActivation):
    """Sums of a few-bit convolution before their norm: 14-bit multiples of `FINE_SCALE`."""

    bit_width = 14
    grid_scale = FINE_SCALE


class FeatureActivation(StreamActivation):
    """The classifier's input: 8-bit multiples of `FEATURE_SCALE`."""

    grid_scale = FEATURE_SCALE


class ByteWeight(Int8WeightPerTensorFixedPoint):
    """8-bit weights of the layers that are not binarised: one power-of-two scale per layer."""


def _unit_scale(weight: Tensor) -> float:
    """1 / sqrt(inputs of a neuron): sums of +-1 inputs and weights then have variance 1."""
    return 1 / math.sqrt(weight[0].numel())


class BayesianWeight(_ConstantScale, WeightQuantSolver):
    """BONN's 1-bit weights mean(w) * sign(X) with the learnt modulation w, see `modulation`.

    Layers accept ``weight_modulation_range="positive"``, ``weight_modulation_gradient="exact"`` and
    ``weight_modulation_init=...``.
    """

    quant_type = QuantType.BINARY
    bit_width = 1
    narrow_range = True
    restrict_scaling_type = RestrictValueType.FP
    tensor_quant = ModulatedBinaryQuant
    modulation_range = "held"
    modulation_gradient = "paper"
    power_of_two = False

    @value
    def modulation_shape(tracked_parameter_list: list[Tensor]) -> tuple[int, ...]:
        """The kernel's shape with one filter and one channel."""
        return (1, 1, *tracked_parameter_list[0].shape[2:])

    @value
    def modulation_init(tracked_parameter_list: list[Tensor]) -> float:
        """The initial value of w."""
        return _unit_scale(tracked_parameter_list[0])


class BayesianWeightPowerOfTwo(BayesianWeight):
    """As `BayesianWeight`, the scale rounded to a power of two."""

    power_of_two = True


class LearntScaleWeight(BayesianWeight):
    """As `BayesianWeight`, the scale learnt: for networks without a norm after the product."""

    modulation_range = "positive"


class LearntScaleWeightPowerOfTwo(LearntScaleWeight):
    """As `LearntScaleWeight`, the scale rounded to a power of two."""

    power_of_two = True


class XnorWeight(_ConstantScale, WeightQuantSolver):
    """XNOR-Net's 1-bit weights: sign(X) times the mean |X| of the filter.

    Rastegari et al., ECCV 2016, without the scales of the activations, as is common today.
    """

    quant_type = QuantType.BINARY
    bit_width = 1
    narrow_range = True
    scaling_impl_type = ScalingImplType.STATS
    scaling_stats_op = StatsOp.AVE
    scaling_per_output_channel = True
    restrict_scaling_type = RestrictValueType.FP


class XnorWeightPowerOfTwo(XnorWeight):
    """As `XnorWeight`, each filter's scale rounded to a power of two."""

    restrict_scaling_type = RestrictValueType.POWER_OF_TWO


class ResilientWeight(_ConstantScale, WeightQuantSolver):
    """ReBNN's 1-bit weights: sign(X) times a learnt scale of each filter, see `resilient`."""

    quant_type = QuantType.BINARY
    bit_width = 1
    narrow_range = True
    scaling_per_output_channel = True
    restrict_scaling_type = RestrictValueType.FP
    tensor_quant = ResilientQuant
    power_of_two = False

    @value
    def kernel_shape(tracked_parameter_list: list[Tensor]) -> tuple[int, ...]:
        """The shape of X."""
        return tuple(tracked_parameter_list[0].shape)

    @value
    def alpha_init(tracked_parameter_list: list[Tensor]) -> float:
        """The initial value of the scales."""
        return _unit_scale(tracked_parameter_list[0])


class ResilientWeightPowerOfTwo(ResilientWeight):
    """As `ResilientWeight`, each filter's scale rounded to a power of two."""

    power_of_two = True


class DeviationWeight(_ConstantScale, WeightQuantSolver):
    """AdaBin's 1-bit weights: sign(X) times the deviation of the filter, see `adaptive`."""

    quant_type = QuantType.BINARY
    bit_width = 1
    narrow_range = True
    scaling_per_output_channel = True
    restrict_scaling_type = RestrictValueType.FP
    tensor_quant = DeviationQuant
    power_of_two = False


class DeviationWeightPowerOfTwo(DeviationWeight):
    """As `DeviationWeight`, each filter's scale rounded to a power of two."""

    power_of_two = True


class FloatWeight(NoneWeightQuant):
    """Weights that are not quantised, for the first of two stages of a training."""


class ScaledBipolarWeight(BipolarWeight):
    """Signs times 1 / sqrt(inputs of a neuron), for networks without a norm after the product.

    Without the constant, sums of hundreds of +-1 would dominate the residual stream.
    """

    @value
    def scaling_const(tracked_parameter_list: list[Tensor]) -> float:
        """The constant scale."""
        return _unit_scale(tracked_parameter_list[0])


class ScaledBipolarWeightPowerOfTwo(BipolarWeight):
    """As `ScaledBipolarWeight`, the scale rounded to a power of two."""

    @value
    def scaling_const(tracked_parameter_list: list[Tensor]) -> float:
        """The constant scale."""
        return 2.0 ** round(math.log2(_unit_scale(tracked_parameter_list[0])))


class ApproximateSignActivation(BipolarActivation):
    """Activations -1 and +1 with Bi-Real Net's gradient."""

    sign_gradient = "triangle"
