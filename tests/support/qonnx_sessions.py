# SPDX-License-Identifier: BSD-3-Clause
"""qonnx's own execution, with one session of ONNX Runtime for each node.

qonnx makes a session for every node of every image, each with threads of its own: nine tenths of
the time of most tests that compare with it. A session has no state, so one for each node answers
the same.
"""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace

import onnxruntime
from qonnx.core import onnx_exec
from qonnx.core.onnx_exec import execute_onnx

__all__ = ["execute_onnx"]


@lru_cache(maxsize=256)
def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options)


onnx_exec.rt = SimpleNamespace(InferenceSession=_session)
