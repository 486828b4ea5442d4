"""Thirty steps on the CPU and on the CUDA backend: every tensor by norm. Every run, every setting that changes what the
kernels compute, and points of other dimensions: on a device all of them, on the substitute runtime an even sample (both backends are also
compared with the NumPy reference there). The tolerances are those of tests/backend_training.py. `ctest -R device_parity -V`
prints a table.
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
from backend_dimensions import points_of  # noqa: E402
from thorough import sampled  # noqa: E402

COLUMNS = ["gradient", "losses", "grad_norm", "online", "ema", "moment1", "moment2", "gate", "evaluation", "samples"]
RUNS = [f"run_{i}" for i in range(6)]
# Largest differences allowed: losses, parameters, moments (none with ReLUs, whose flips a moment shows undamped).
BOUNDS = {"relu": (3e-3, 2e-2, None), "silu": (1e-5, 1e-5, 1e-4)}

# A network that is quick, with short batches, and an average that warms up, reaches its bound and is not a copy.
SMALL = {"model.activation": "silu", "model.hidden_width": 36, "model.hidden_depth": 2, "model.embedding_width": 20,
         "model.expert_head": [24], "model.gate_layers": [40, 17], "diffusion.timesteps": 30, "training.batch": 64,
         "training.steps": 35, "training.ema_start": 5, "training.ema_every": 5, "training.ema_decay": 0.84}
COURSE = {"training.diversity_weight": 0.1, "training.diversity_course": "cosine", "training.diversity_scale": 0.7}
CASES: dict[str, dict] = {
    "4 experts": {"model.experts": 4},
    "8 experts, hard": {"model.experts": 8, "model.gate": "hard"},
    "2 experts, hard": {"model.gate": "hard"},
    "3 experts, fixed": {"model.experts": 3, "model.gate": "fixed"},
    "1 expert": {"model.experts": 1},
    "x0": {"diffusion.prediction": "x0"},
    "v, zero terminal SNR": {"diffusion.prediction": "v", "diffusion.terminal_snr": "zero"},
    "x0, zero terminal SNR": {"diffusion.prediction": "x0", "diffusion.terminal_snr": "zero"},
    "min-SNR": {"training.min_snr_gamma": 5},
    "min-SNR, v": {"training.min_snr_gamma": 5, "diffusion.prediction": "v"},
    **{f"diversity {kind}": {**COURSE, "training.diversity_distance": kind}
       for kind in ("euclidean", "squared", "l1", "rbf", "log")},
    **{f"diversity inside, {kind}": {**COURSE, "training.diversity_distance": kind, "training.diversity_layer": "hidden"}
       for kind in ("euclidean", "squared", "rbf", "log")},
    "diversity inside, 3 experts of one layer": {**COURSE, "training.diversity_layer": "hidden", "model.experts": 3,
                                                 "model.hidden_depth": 0, "model.expert_head": []},
    "DDIM, 20 steps": {"sampling.steps": 20, "sampling.eta": 0},
    "20 steps, half the noise, from data": {"sampling.steps": 20, "sampling.eta": 0.5, "sampling.start": "data"},
    "noise factor": {"sampling.noise_factor": 1.02},
    "cublas": {"training.products": "cublas"},
    "cublas, diversity inside": {**COURSE, "training.products": "cublas", "training.diversity_layer": "hidden"},
}
# Coordinates of the points, and settings. On CUDA four coordinates are the most whose last layers are no product.
DIMENSIONS: dict[str, tuple[int, dict]] = {
    "64 coordinates, fourier": (64, {"model.embedding": "fourier", "model.fourier_features": 76}),
    **{f"{dimensions} coordinates": (dimensions, COURSE) for dimensions in (1, 3, 4, 5, 128)},
    "10 coordinates, 8 experts, hard": (10, {**COURSE, "model.experts": 8, "model.gate": "hard"}),
    "10 coordinates, 1 expert, linear": (10, {**COURSE, "model.experts": 1, "model.embedding": "linear"}),
    **{f"10 coordinates, diversity {kind}": (10, {**COURSE, "training.diversity_distance": kind})
       for kind in ("euclidean", "squared", "l1", "rbf", "log")},
    "10 coordinates, diversity inside": (10, {**COURSE, "training.diversity_layer": "hidden", "sampling.start": "data"}),
}


def distance(a, b):
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-30))  # the gradient of an expert that a hard gate never chooses is 0


def dump(backend, run, replica, settings, directory):
    out = os.path.join(directory, f"{backend}.h5")
    subprocess.run([f"{BUILD}/tests/dump_training", backend, f"{SOURCE}/configs/{run}.toml", out, "30", "40", replica,
                    *(f"{key}={value}" for key, value in settings.items())], check=True)
    with h5py.File(out) as file:
        return {name: item[()] for name, item in file["0"].items()}


def tensors(run, settings, dimensions, parameters):
    """(begin, end) of every tensor in the flat vector."""
    model = test_reference.load(run)["model"]
    model.update({key.split(".")[1]: value for key, value in settings.items() if key.startswith("model.")})
    split = reference.Model(model, dimensions).split(np.arange(parameters))
    return [(int(part.flat[0]), int(part.flat[-1]) + 1) for part in split.values()]


def compare(run, replica, settings, directory):
    """Largest distance of any tensor, for every kind of vector."""
    cpu, cuda = (dump(backend, run, replica, settings, directory) for backend in ("cpu", "cuda"))
    assert cpu.keys() == cuda.keys()
    far = {"losses": max(distance(cuda[n], cpu[n]) for n in ("loss", "mse", "diversity"))}
    far["grad_norm"] = distance(cuda["grad_norm"], cpu["grad_norm"])
    parts = tensors(run, settings, cpu["points"].shape[1], len(cpu["online"]))
    for name in ("gradient", "online", "ema", "moment1", "moment2"):
        far[name] = max(distance(cuda[name][a:b], cpu[name][a:b]) for a, b in parts)
    if "gate" in cpu:
        assert np.array_equal(np.isnan(cpu["gate"]), np.isnan(cuda["gate"]))
        far["gate"] = distance(np.nan_to_num(cuda["gate"]), np.nan_to_num(cpu["gate"]))
        assert np.array_equal(cpu["timestep"], cuda["timestep"])
    far["evaluation"] = max(distance(cuda[n], cpu[n]) for n in ("eval_loss", "heldout_loss"))
    outputs = ["x", "initial_noise", "predicted", "experts", *(n for n in ("sample_gate", "predicted_gate") if n in cpu)]
    far["samples"] = max(distance(cuda[n], cpu[n]) for n in outputs)
    return far


def check(name, far, losses, parameters, moments):
    print(f"| {name} | " + " | ".join(f"{far.get(n, 0):.1e}" for n in COLUMNS) + " |")
    assert far["gradient"] < 1e-5
    assert far["losses"] < losses and far["evaluation"] < losses
    assert far["grad_norm"] < parameters and far["online"] < parameters and far["ema"] < parameters
    if moments:
        assert far["moment1"] < moments and far["moment2"] < moments
        assert far["samples"] < 1e-4 and far.get("gate", 0) < parameters


@pytest.mark.parametrize("run, activation", sampled({(run, activation): None for activation in BOUNDS for run in RUNS}, 3))
def test_parity(tmp_path, run, activation):
    settings = {"model.activation": activation, "diffusion.timesteps": 20}
    check(f"{run}, {activation}", compare(run, "dino:1000:3", settings, tmp_path), *BOUNDS[activation])


@pytest.mark.parametrize("name", sampled(CASES, 8))
def test_setting(tmp_path, name):
    settings = {**SMALL, **CASES[name]}
    check(name, compare("run_3", "dino:150:3", settings, tmp_path), *BOUNDS["silu"])


@pytest.mark.parametrize("name", sampled(DIMENSIONS, 2))
def test_dimensions(tmp_path, name):
    dimensions, settings = DIMENSIONS[name]
    points = points_of(tmp_path, dimensions, 150)
    check(name, compare("run_3", f"{points}:150:4", {**SMALL, **settings}, tmp_path), *BOUNDS["silu"])


def test_3xtf32(tmp_path):
    """Three products of TF32 are as exact as one of float32."""
    check("tf32x3", compare("run_3", "dino:150:3", {**SMALL, "training.precision": "tf32x3"}, tmp_path), *BOUNDS["silu"])


@pytest.mark.parametrize("more", [{}, {**COURSE, "training.diversity_layer": "hidden"}], ids=["", "diversity inside"])
def test_tf32(tmp_path, more):
    """TF32 rounds factors to 10 bits: the result differs from the CPU's by about that rounding, not by less."""
    far = compare("run_3", "dino:150:3", {**SMALL, **more, "training.precision": "tf32"}, tmp_path)
    print("| tf32 | " + " | ".join(f"{far.get(n, 0):.1e}" for n in COLUMNS) + " |")
    assert 1e-5 < far["gradient"] < 1e-2 and far["online"] < 1e-2 and far["samples"] < 1e-2
