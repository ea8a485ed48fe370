# SPDX-License-Identifier: BSD-3-Clause
"""Networks, data, training and export: the only package that imports torch and Brevitas.

Nothing of them is imported here, so that ``from bonn_hw.nn import data`` works without torch.
"""

import warnings

# Brevitas says at every import that an optional package, of no use to 1-bit networks, is missing.
warnings.filterwarnings("ignore", message="fast_hadamard_transform")
