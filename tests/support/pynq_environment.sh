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
install() { "$(dirname "$0")/../../flows/scripts/python/install.sh" "$folder" "$@"; }

# The versions that work together on Python 3.11. pynq 3 needs a NumPy before 2, and pkg_resources.
install 'setuptools>=77,<81'
mkdir "$folder/boards"
install --target "$folder/lib" \
  'numpy<2' 'setuptools<81' pynqmetadata==0.2.0 pynqutils==0.1.3 &
for version in 3.0.1 3.1.2 4.0.0; do
  # No wheels: those of pynq 3 are of no use, and the sources have the designs.
  "$folder/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps \
    --no-binary :all: --no-build-isolation --dest "$folder" "pynq==$version"
  archive="$folder/pynq-$version.tar.gz"
  mkdir "$folder/$version"
  tar -xzf "$archive" -C "$folder/$version" --strip-components 1 "pynq-$version/pynq"
  if [ "$version" != 4.0.0 ]; then  # which has no designs
    mkdir "$folder/boards/$version"
    tar -xzf "$archive" -C "$folder/boards/$version" --strip-components 2 --wildcards \
      "pynq-$version/boards/*/base/base.hwh" "pynq-$version/boards/*/base/base.bit"
  fi
  rm "$archive"
done
wait $!
touch "$folder/ready"
