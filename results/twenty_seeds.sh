#!/bin/sh
# Do two experts help on dino? Twenty seeds of each configuration that bears on it, trained together; then the table of
# results/twenty_seeds.md. A few minutes on a GPU, many hours on two cores.
#
#     results/twenty_seeds.sh [BUILD]
set -eu
cd "$(dirname "$0")/.."
program="${1:-build}/dualdiff"
for config in run_0 fixed_gate run_1 run_3 single_690k single_790k; do
    "$program" train "configs/$config.toml" --dataset dino --seeds 0-19 --out runs/twenty_seeds --quiet
done
"$program" compare runs/twenty_seeds --format markdown --output results/twenty_seeds.md
