# SPDX-License-Identifier: BSD-3-Clause
"""Running programs: find them, read their output line by line, and end them with this process.

Every program has a process group of its own. The whole group is ended when this process is
interrupted, by Ctrl-C or, within `ended_by_signals`, by SIGTERM or a closed terminal. Threads that
run programs come from `threads`: an interrupt ends their programs too, and no new ones start.
"""

from bonn_hw.tools.processes import Process as Process
from bonn_hw.tools.processes import end as end
from bonn_hw.tools.programs import LAST as LAST
from bonn_hw.tools.programs import Ended as Ended
from bonn_hw.tools.programs import cores as cores
from bonn_hw.tools.programs import find as find
from bonn_hw.tools.programs import run as run
from bonn_hw.tools.programs import started as started
from bonn_hw.tools.programs import threads as threads
from bonn_hw.tools.signals import Terminated as Terminated
from bonn_hw.tools.signals import ended_by_signals as ended_by_signals
