#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Make a folder with the real pynq, for tests of the driver and of Vivado's scripts:
#
#   tests/support/pynq_environment.sh [FOLDER]
#
#   FOLDER/VERSION/pynq    the package of each version, from its source distribution on PyPI
#   FOLDER/boards          what Vivado wrote for PYNQ's own designs (.hwh, .bit), of two versions
#   FOLDER/lib             the packages that pynq needs
#
# pynq itself cannot be installed away from its boards. 140 MB are fetched; nothing of it goes into
# the project.
set -euo pipefail

folder=${1:-.venv-pynq}

rm -rf "$folder"
mkdir -p "$folder/boards"
# The versions that work together on Python 3.11; pynq 3 needs a NumPy before 2.
"${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --no-compile \
  --no-warn-conflicts --target "$folder/lib" 'numpy<2' pynqmetadata==0.2.0 pynqutils==0.1.3 &
for version in 3.0.1 3.1.2 4.0.0; do
  "${PYTHON:-python3}" -m pip download --quiet --disable-pip-version-check --no-deps \
    --no-binary :all: --no-build-isolation --dest "$folder" "pynq==$version"
  mkdir "$folder/$version"
  tar -xzf "$folder/pynq-$version.tar.gz" -C "$folder/$version" --strip-components 1 \
    --wildcards '*/pynq/*' '*/boards/*/base/base.hwh' '*/boards/*/base/base.bit' 2>/dev/null ||
    tar -xzf "$folder/pynq-$version.tar.gz" -C "$folder/$version" --strip-components 1 \
      --wildcards '*/pynq/*'
  if [ -d "$folder/$version/boards" ]; then
    mv "$folder/$version/boards" "$folder/boards/$version"
  fi
  rm "$folder/pynq-$version.tar.gz"
done
wait $!
touch "$folder/ready"
