# SPDX-License-Identifier: BSD-3-Clause
"""Files and folders that are complete or absent; locks; the files of the package.

A new file or folder is written under a random name next to its target, and then renamed. Its writer
holds a lock on it: without a lock, it was left by a killed process, and the next process removes
it. Contents are synced to the disk before the rename: a power cut leaves the old or the new.

Links are not followed. A new file replaces a link, and the file that the link points to is not
changed; a folder that is a link is refused. Locks are advisory (``flock``) and end with their
process, even if it is killed. On file systems without locks, none are used.
"""

from bonn_hw.files.locks import lock as lock
from bonn_hw.files.partial import PARTIAL as PARTIAL
from bonn_hw.files.partial import clear as clear
from bonn_hw.files.partial import partial_file as partial_file
from bonn_hw.files.partial import partial_folder as partial_folder
from bonn_hw.files.partial import remove as remove
from bonn_hw.files.partial import scratch as scratch
from bonn_hw.files.shipped import shipped as shipped
from bonn_hw.files.targets import MARK as MARK
from bonn_hw.files.targets import UNWRITABLE as UNWRITABLE
from bonn_hw.files.targets import file_aside as file_aside
from bonn_hw.files.targets import folder_aside as folder_aside
from bonn_hw.files.targets import fresh_file as fresh_file
from bonn_hw.files.targets import fresh_folder as fresh_folder
from bonn_hw.files.targets import reading as reading
from bonn_hw.files.targets import writing as writing
