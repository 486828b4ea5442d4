"""How much the KL estimate depends on the draw of points: fresh true points, and one run's samples against several training sets.

    .venv/bin/python3 results/floor.py build runs/run_1/moons/seed_0.h5 > results/floor.md

Needs a build with tests (for dump_dataset) and SciPy.
"""
import os
import subprocess
import sys

import h5py
import numpy as np
from scipy.spatial import cKDTree

REAL, GENERATED, K = 100000, 10000, 5


def points(build, name, n, seed):
    program = os.path.join(build, "tests", "dump_dataset")
    out = subprocess.run([program, name, str(n), str(seed), "0"], check=True, capture_output=True).stdout
    return np.frombuffer(out, dtype=np.float32).reshape(-1, 2)


def divergence(real, generated):
    rho = cKDTree(real).query(real, K + 1, p=np.inf)[0][:, -1]
    nu = cKDTree(generated).query(real, K, p=np.inf)[0][:, -1]
    n, m = len(real), len(generated)
    return (np.log(m) - np.log(n - 1) + 2 * np.mean(np.log(nu) - np.log(rho))) / np.log(2)


def row(label, values):
    return f"| {label} | " + " | ".join(f"{value:.3f}" for value in values) + " |"


def main():
    build, run = sys.argv[1:]
    print("KL in bits of 10,000 fresh true points (seeds 1 to 4) against the training set (seed 42)\n")
    print("| dataset | 1 | 2 | 3 | 4 |\n|---|---|---|---|---|")
    for name in ("circle", "dino", "line", "moons"):
        real = points(build, name, REAL, 42)
        print(row(name, [divergence(real, points(build, name, GENERATED, seed)) for seed in (1, 2, 3, 4)]))
    with h5py.File(run) as file:
        name, samples = file.attrs["dataset"], file["samples/x"][()]
    print(f"\nKL in bits of one run's samples ({'/'.join(run.split('/')[-3:])}) against training sets of seeds 42 to 45\n")
    print("| dataset | 42 | 43 | 44 | 45 |\n|---|---|---|---|---|")
    print(row(name, [divergence(points(build, name, REAL, seed), samples) for seed in (42, 43, 44, 45)]))


main()
