"""Thirty steps of every run on the CPU and on the substituted CUDA backend: every tensor by norm. The
tolerances are those of tests/backend_training.py. `ctest -R cuda_parity -V` prints the lines of cuda/README.md's table.
"""
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

BUILD, SOURCE = os.environ["DUALDIFF_BUILD"], os.environ["DUALDIFF_SOURCE"]
sys.path.insert(0, os.path.join(SOURCE, "tests"))
import reference  # noqa: E402
import test_reference  # noqa: E402

COLUMNS = ["gradient", "losses", "grad_norm", "online", "ema", "moment1", "moment2", "gate"]
RUNS = [f"run_{i}" for i in range(6)]
# Largest differences allowed: losses, parameters, moments (none with ReLUs, whose flips a moment shows undamped).
BOUNDS = {"relu": (3e-3, 2e-2, None), "silu": (1e-5, 1e-5, 1e-4)}


def distance(a, b):
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def dump(backend, run, activation, directory):
    out = os.path.join(directory, f"{backend}.h5")
    subprocess.run([f"{BUILD}/tests/dump_training", backend, f"{SOURCE}/configs/{run}.toml", out, "30", "10", "dino:1000:3",
                    f"model.activation={activation}", "diffusion.timesteps=20"], check=True)
    with h5py.File(out) as file:
        return {name: item[()] for name, item in file["0"].items()}


def tensors(run, parameters):
    """(begin, end) of every tensor in the flat vector."""
    split = reference.Model(test_reference.load(run)["model"]).split(np.arange(parameters))
    return [(int(part.flat[0]), int(part.flat[-1]) + 1) for part in split.values()]


def compare(run, activation, directory):
    """Largest distance of any tensor, for every kind of vector."""
    cpu, cuda = (dump(backend, run, activation, directory) for backend in ("cpu", "cuda"))
    far = {"losses": max(distance(cuda[n], cpu[n]) for n in ("loss", "mse"))}
    far["grad_norm"] = distance(cuda["grad_norm"], cpu["grad_norm"])
    parts = tensors(run, len(cpu["online"]))
    for name in ("gradient", "online", "ema", "moment1", "moment2"):
        far[name] = max(distance(cuda[name][a:b], cpu[name][a:b]) for a, b in parts)
    if "gate" in cpu:
        far["gate"] = distance(np.nan_to_num(cuda["gate"]), np.nan_to_num(cpu["gate"]))
        assert np.array_equal(cpu["timestep"], cuda["timestep"])
    return far


@pytest.mark.parametrize("activation", BOUNDS)
@pytest.mark.parametrize("run", RUNS)
def test_parity(tmp_path, run, activation):
    far = compare(run, activation, tmp_path)
    print(f"| {run} | {activation} | " + " | ".join(f"{far.get(n, 0):.1e}" for n in COLUMNS) + " |")
    losses, parameters, moments = BOUNDS[activation]
    assert far["gradient"] < 1e-5
    assert far["losses"] < losses
    assert far["grad_norm"] < parameters and far["online"] < parameters and far["ema"] < parameters
    if moments:
        assert far["moment1"] < moments and far["moment2"] < moments
