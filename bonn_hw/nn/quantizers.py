# SPDX-License-Identifier: BSD-3-Clause
"""What a number may be: 1-bit weights, 1-bit activations, the 8-bit input.

Every scale is a power of two and constant, so that each layer's matrix product is an integer times
a power of two, which float32 holds exactly: PyTorch's own evaluation is then an exact reference for
the hardware. The settings follow Brevitas' ``bnn_pynq`` examples, FINN's training front end.
"""

from brevitas.core.bit_width import BitWidthImplType
from brevitas.core.quant import QuantType
from brevitas.core.restrict_val import FloatToIntImplType, RestrictValueType
from brevitas.core.scaling import ScalingImplType
from brevitas.core.zero_point import ZeroZeroPoint
from brevitas.inject import ExtendedInjector
from brevitas.quant.solver import ActQuantSolver, WeightQuantSolver

INPUT_SCALE = 2.0**-7
"""Step of the input grid: an 8-bit pixel p becomes (p - 128) / 128, exactly (`data.normalise`)."""


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
    restrict_scaling_type = RestrictValueType.FP
    min_val = -1.0
    max_val = 1.0


class SignedByteInput(_ConstantScale, ActQuantSolver):
    """The 8-bit input: multiples of 1/128 in [-1, 127/128]."""

    quant_type = QuantType.INT
    bit_width = 8
    narrow_range = False
    # A power of two by construction, not by the luck of rounding 0.9921875 / 127.
    restrict_scaling_type = RestrictValueType.POWER_OF_TWO
    min_val = -1.0
    max_val = 1.0 - INPUT_SCALE
