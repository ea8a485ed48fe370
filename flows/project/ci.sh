#!/bin/sh
# Is model.onnx still right, small and fast enough? Trains nothing: compiles it, simulates the RTL
# cycle by cycle, compares every frame with the model, and checks the limits below.
# Exit code: 0 if all is well, 1 if a frame differs or a limit is not met, 2 if an input is wrong.
# results/ gets the report, JUnit files (one test case for each verdict), and build/report.html, a
# page to look at.
set -eu

MODEL=${MODEL:-model.onnx}
BOARD=${BOARD:-pynq-z2}
FPS=${FPS:-50000}                   # the design is folded for this rate
MAX_LUT=${MAX_LUT:-40%}             # a number, or a share of the board's
MIN_ACCURACY=${MIN_ACCURACY:-95%}   # of the RTL, on frames.npy and labels.npy
RANDOM_FRAMES=${RANDOM_FRAMES:-20}  # simulated where there is no frames.npy
RESULTS=${RESULTS:-results}

mkdir -p "$RESULTS"
bonn-hw doctor --json "$RESULTS/doctor.json"
bonn-hw check "$MODEL" --board "$BOARD" --min-fps "$FPS" --junit "$RESULTS/check.xml"
bonn-hw compile "$MODEL" --board "$BOARD" --fps "$FPS" --max-lut "$MAX_LUT" \
  --out "$RESULTS/build" --junit "$RESULTS/compile.xml"
if [ -f frames.npy ]; then
  set -- --inputs frames.npy --labels labels.npy --min-accuracy "$MIN_ACCURACY"
else
  set -- --random "$RANDOM_FRAMES"
fi
bonn-hw simulate "$RESULTS/build" "$@" --min-fps "$FPS" \
  --json "$RESULTS/report.json" --junit "$RESULTS/simulate.xml"
