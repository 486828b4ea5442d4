#!/bin/sh
# Twenty seeds of run 1 on the four datasets, and the exact denoiser from the same starts (twenty_seeds.md); and twenty seeds
# of each configuration that shows whether experts help on dino (twenty_seeds_dino.md). Six minutes on a GPU with 16 cores;
# about four hours on two cores.
#
#     results/twenty_seeds.sh [BUILD]     # build; after ./setup.sh gpu: build-gpu
set -eu
cd "$(dirname "$0")/.."
program="${1:-build}/dualdiff"
python=.venv/bin/python3
[ -x $python ] || python=python3
"$program" train configs/run_1.toml --seeds 0-19 --out runs/twenty_seeds --quiet
for dataset in circle dino line moons; do
    "$program" oracle configs/run_1.toml --dataset $dataset --draws 20 --out runs/twenty_seeds >/dev/null
done
$python results/twenty_seeds.py runs/twenty_seeds
for config in run_0 fixed_gate run_1 run_3 single_690k single_790k; do
    "$program" train "configs/$config.toml" --dataset dino --seeds 0-19 --out runs/twenty_seeds_dino --quiet
done
{
    echo "# Twenty seeds on dino"
    echo
    echo "Made by \`results/twenty_seeds.sh\`; the twenty networks of a configuration were trained together."
    echo "The program said: $("$program" --version | tail -n 1)."
    echo
    "$program" compare runs/twenty_seeds_dino --format markdown
} >results/twenty_seeds_dino.md
