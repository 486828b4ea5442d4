#!/bin/sh
# All six runs on all four datasets at full length, and what results/ shows of them. About 25 minutes on two
# cores; stopped and started again it continues. Arguments go to every train command, for instance --seeds 0-4.
set -eu
cd "$(dirname "$0")/.."
for run in 0 1 2 3 4 5; do
    build/dualdiff train "configs/run_$run.toml" --out runs "$@"
done
build/dualdiff compare runs --format markdown --output results/table.md
build/dualdiff compare runs --format csv --output results/table.csv
python3 results/comparison_with_known.py runs >results/comparison_with_known.md
build/dualdiff plot runs --out results/plots
rm results/plots/*.svg # the PNGs are what is shown here
