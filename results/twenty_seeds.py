"""Run 1 and the exact denoiser, seed by seed: both start from the same noise.

    .venv/bin/python3 results/twenty_seeds.py [RUNS]

Reads the result files that results/twenty_seeds.sh makes in RUNS into twenty_seeds.csv, then writes twenty_seeds.md from that;
without RUNS from the csv as it is.
"""
import csv
import os
import re
import sys

import h5py
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
STEM = os.path.join(HERE, "twenty_seeds")
DATASETS = ["circle", "dino", "line", "moons"]
COLUMNS = ["dataset", "seed", "run_1", "exact_denoiser"]


def values(folder):
    """{seed: KL divergence} of the result files of a folder."""
    found = {}
    for name in os.listdir(folder):
        if seed := re.fullmatch(r"seed_(\d+)\.h5", name):
            with h5py.File(os.path.join(folder, name)) as file:
                found[int(seed[1])] = float(file["/metrics/kl_divergence"][()])
    return found


def collect(runs):
    with open(STEM + ".csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for dataset in DATASETS:
            run, exact = (values(os.path.join(runs, name, dataset)) for name in ("run_1", "oracle_run_1"))
            writer.writerows([dataset, seed, f"{run[seed]:.4f}", f"{exact[seed]:.4f}"] for seed in sorted(run.keys() & exact.keys()))


def spread(values):
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"


def main():
    if len(sys.argv) > 1:
        collect(sys.argv[1])
    with open(STEM + ".csv") as file:
        rows = list(csv.DictReader(file))
    lines = ["# Run 1 and the exact denoiser from the same starts", "",
             "Made by `.venv/bin/python3 results/twenty_seeds.py` from [twenty_seeds.csv](twenty_seeds.csv), which",
             "`results/twenty_seeds.sh` makes. KL divergence in bits, mean ± standard deviation over seeds. The",
             "difference is run 1 minus the exact denoiser, seed by seed, ± its standard error.", "",
             "| | seeds | run 1 | exact denoiser | difference | correlation | run 1, seeds 0 to 2 | exact denoiser, seeds 0 to 2 |",
             "|---|---|---|---|---|---|---|---|"]
    for dataset in DATASETS:
        run, exact = (np.array([float(row[name]) for row in rows if row["dataset"] == dataset]) for name in COLUMNS[2:])
        first = np.array([int(row["seed"]) for row in rows if row["dataset"] == dataset]) < 3
        apart = run - exact
        lines.append(f"| {dataset} | {len(run)} | {spread(run)} | {spread(exact)} | "
                     f"{apart.mean():+.4f} ± {apart.std(ddof=1) / len(run) ** .5:.4f} | {np.corrcoef(run, exact)[0, 1]:.2f} | "
                     f"{run[first].mean():.3f} | {exact[first].mean():.3f} |")
    with open(STEM + ".md", "w") as file:
        file.write("\n".join(lines) + "\n")


main()
