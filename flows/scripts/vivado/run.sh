#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Run the plan of this folder, on a machine that has Vivado and nothing else of this project, and
# pack the results in results.tar.gz, beside the folders `rtl` and `vivado`:
#
#   sh vivado/scripts/run.sh
#
# `bonn-hw bitstream BUILD --take results.tar.gz` checks and takes them. The exit code is Vivado's:
# 0 done, 1 an error, 4 timing missed; results and logs are packed in each case.
cd "$(dirname "$0")/.." || exit 1
set --
while IFS= read -r word; do
  set -- "$@" "$word"
done <command.txt
"$@"
code=$?
set -- plan.json
for name in *.bit *.hwh *.rpt routed.dcp vivado.log; do
  [ -f "$name" ] && set -- "$@" "$name"
done
tar -czf ../results.tar.gz "$@" && echo "bonn-hw: results are in $(cd .. && pwd)/results.tar.gz"
exit $code
