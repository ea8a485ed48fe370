#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Make an environment with FINN (finn-plus 1.6.1) beside the project's own:
#
#   flows/scripts/finn/environment.sh [FOLDER]
#
# Nothing of it goes into the project's environment, which FINN's pins would break. torch comes from
# the CPU build, as `make setup` takes it; 1.4 GB, about two minutes.
set -euo pipefail

folder=${1:-.venv-finn}
here=$(dirname "$0")
torch=${TORCH:-torch==2.13.0}
source=${TORCH_SOURCE-"--extra-index-url https://download.pytorch.org/whl/cpu --retries 0"}
install() { "$here/../python/install.sh" "$folder" "$@"; }

rm -rf "$folder"
# shellcheck disable=SC2086 # the source is several words
install $source "$torch"
install --requirement "$here/requirements.txt"
install --no-deps finn-plus==1.6.1
# Our operators for FINN's flow, of this bonn_hw: by a path, not by pip, which `make setup` may be
# running on the same sources. In a checkout, this script is three folders below the root; installed,
# three folders below the package itself, whose neighbours are not FINN's business.
root=$(realpath "$here/../../..")
packages=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
if [ -f "$root/pyproject.toml" ]; then
  echo "$root" >"$packages/bonn_hw.pth"
elif [ -f "$root/__init__.py" ]; then
  ln -s "$root" "$packages/bonn_hw"
fi
if compgen -G "$packages/nvidia*" >/dev/null; then
  echo "environment.sh: a CUDA build of torch came in: set TORCH to a build for CPU" >&2
  exit 2
fi
"$folder/bin/python" -c "import finn, qonnx, brevitas, torch"
touch "$folder/ready"
echo "$folder/bin"
