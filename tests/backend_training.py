"""A backend against the NumPy reference in float64: gradients, 30 steps of training, evaluation, sampling.

Differences are norms of whole tensors, |a - b| / |b|. The backend computes in float32, whose rounding is 6e-8 an
operation; sums over hundreds of terms of mixed sign bring a gradient to about 1e-6.
"""
import os
import subprocess

import h5py
import numpy as np
import pytest

import reference as ref
from test_reference import RUNS, load

BACKEND = os.environ["DUALDIFF_BACKEND"]
BUILD, SOURCE = os.environ["DUALDIFF_BUILD"], os.environ["DUALDIFF_SOURCE"]
STEPS, SAMPLES = 30, 200
REPLICAS = [("dino", 1000, 3), ("moons", 700, 5)]  # their short batches, of 232 and 188 points, come at other steps


def dump(tmp, run, settings, replicas=REPLICAS, steps=STEPS):
    """The configuration as dictionaries, and the program's arrays by replica."""
    config = load(run)
    words = []
    for key, value in settings.items():
        section, name = key.split(".")
        config[section][name] = value
        words.append(f"{key}={value}")
    path = tmp / "dump.h5"
    names = ",".join(f"{name}:{points}:{seed}" for name, points, seed in replicas)
    subprocess.run([os.path.join(BUILD, "tests", "dump_training"), BACKEND, os.path.join(SOURCE, "configs", f"{run}.toml"),
                    path, str(steps), str(SAMPLES), names, *words], check=True, timeout=600)
    with h5py.File(path) as file:
        return config, [{name: item[()] for name, item in file[str(r)].items()} for r in range(len(replicas))]


def distance(a, b):
    return np.linalg.norm(np.asarray(a, dtype=float) - b) / max(np.linalg.norm(b), 1e-30)


def worst(model, flat, tensors):
    """Largest distance over the tensors, and whose it is."""
    return max((distance(value, tensors[name]), name) for name, value in model.split(flat).items())


def compare_gradient(trainer, flat, step):
    """Distance of the backend's gradient from the reference's, with ReLUs near zero set as the backend has them.

    A pre-activation within float32's rounding of zero may have the other sign in the backend, and then one
    unit's term is missing. There are a handful of candidates in a batch; one is taken for changed if that brings the whole
    gradient nearer, and counted."""
    result = trainer.gradient(step)
    saved, model = result["saved"], trainer.model
    x, t, noise = trainer.batch(step)
    theirs = model.split(flat)

    def total(gradient):
        return sum(np.linalg.norm(theirs[name] - value) ** 2 for name, value in gradient.items())

    prediction, _ = model.forward(trainer.parameters, x, t)
    n = len(x)
    difference = prediction[:, None, :] - prediction[None, :, :]
    length = np.sqrt((difference ** 2).sum(axis=2, keepdims=True))
    unit = np.divide(difference, length, out=np.zeros_like(difference), where=length > 0).sum(axis=1)
    d_prediction = (prediction - noise) / n - trainer.diversity_weight * 2 / n ** 2 * unit
    gradient, changed, candidates = result["gradient"], 0, 0
    if model.activation == "relu":
        for tower in saved["hidden"]:
            for hidden in tower[:-1]:
                for place in zip(*np.nonzero(np.abs(hidden) < 2e-6)):
                    candidates += 1
                    hidden[place] *= -1
                    other = model.backward(trainer.parameters, saved, d_prediction)
                    if total(other) < total(gradient):
                        gradient, changed = other, changed + 1
                    else:
                        hidden[place] *= -1
    far = max((distance(theirs[name], value), name) for name, value in gradient.items())
    print(f"gradient: {far[0]:.1e} at {far[1]}; {candidates} pre-activations within 2e-6 of 0, {changed} changed sign")
    return far[0], changed, candidates


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_gradients_and_thirty_steps(tmp_path, run, activation):
    replicas = REPLICAS[:1] if activation == "silu" else REPLICAS
    config, dumped = dump(tmp_path, run, {"model.activation": activation}, replicas)
    bounds = {"losses": 1e-5, "parameters": 1e-5, "moments": 1e-4} if activation == "silu" else \
        {"losses": 3e-3, "parameters": 2e-2}
    for (_, _, seed), got in zip(replicas, dumped):
        trainer = ref.Trainer(config, got["points"], seed)
        model = trainer.model
        # Initial parameters are the same float32 numbers.
        initial = np.concatenate([value.reshape(-1) for value in trainer.parameters.values()])
        assert np.array_equal(got["initial"], initial.astype(np.float32))
        far, changed, candidates = compare_gradient(trainer, got["gradient"], 0)
        assert far < 1e-5 and changed <= candidates

        steps = [trainer.step(s) for s in range(STEPS)]
        far = {name: distance(got[name], [s[name] for s in steps]) for name in ("loss", "mse", "diversity", "grad_norm")}
        print({name: f"{value:.1e}" for name, value in far.items()})
        assert far["grad_norm"] < bounds["parameters"]
        assert max(far["loss"], far["mse"], far["diversity"]) < bounds["losses"]
        if model.experts > 1:
            for s, (gate, timestep) in enumerate(zip(got["gate"], got["timestep"])):
                rows = len(steps[s]["timestep"])
                assert np.array_equal(timestep[:rows], steps[s]["timestep"])
                assert np.isnan(gate[rows:]).all() and (timestep[rows:] == -1).all()
                assert distance(gate[:rows], steps[s]["gate"][:, 0]) < bounds["parameters"]
        for part, tensors in (("online", trainer.parameters), ("ema", trainer.ema)):
            far = worst(model, got[part], tensors)
            print(f"{part}: {far[0]:.1e} at {far[1]}")
            assert far[0] < bounds["parameters"], far
        if "moments" in bounds:
            for part, tensors in (("moment1", trainer.m), ("moment2", trainer.v)):
                far = worst(model, got[part], tensors)
                print(f"{part}: {far[0]:.1e} at {far[1]}")
                assert far[0] < bounds["moments"], far

        # From the backend's own state: everything that does not train.
        trainer.parameters, averaged = model.split(got["online"]), model.split(got["ema"])
        far, changed, candidates = compare_gradient(trainer, got["last_gradient"], STEPS)
        assert far < 1e-5 and changed <= candidates
        assert abs(got["eval_loss"][0] / trainer.evaluate() - 1) < 1e-5
        prediction, saved = model.forward(averaged, got["initial_noise"], np.full(SAMPLES, 50))
        assert distance(got["predicted"], prediction) < 1e-5
        assert distance(got["experts"], np.concatenate(saved["experts"], axis=1)) < 1e-5
        if model.experts > 1:
            assert distance(got["predicted_gate"], saved["gate"][:, 0]) < 1e-5


def check_sampling(config, got, seed, bound):
    d = config["diffusion"]
    model = ref.Model(config["model"])
    schedule = ref.Schedule(d["timesteps"], d["schedule"], d["beta_start"], d["beta_end"])
    x, start, gates = ref.sample(model, schedule, model.split(got["ema"]), seed, SAMPLES)
    assert distance(got["initial_noise"], start) < 1e-6
    far = distance(got["x"], x)
    print(f"samples: {far:.1e}")
    assert far < bound
    if gates is not None:
        assert distance(got["sample_gate"], gates) < bound


@pytest.mark.parametrize("run", ["run_0", "run_3"])
def test_sampling(tmp_path, run):
    """A step multiplies an error by at most keep + remove * |d eps / d x|, a little above 1 for a network that has
    barely trained; a hundred steps turn 1e-6 into less than 1e-4."""
    config, dumped = dump(tmp_path, run, {})
    for (_, _, seed), got in zip(REPLICAS, dumped):
        check_sampling(config, got, seed, 1e-4)


@pytest.mark.parametrize("schedule", ["linear", "quadratic", "cosine", "scaled_linear"])
def test_sampling_under_every_schedule(tmp_path, schedule):
    """Few steps, small networks. The cosine schedule's last beta is .999: one step divides by its root, 30."""
    settings = {"diffusion.schedule": schedule, "diffusion.timesteps": 250 if schedule == "scaled_linear" else 20,
                "model.hidden_width": 32, "training.batch": 64}
    config, dumped = dump(tmp_path, "run_1", settings, REPLICAS[:1], 3)
    check_sampling(config, dumped[0], REPLICAS[0][2], 1e-3 if schedule == "cosine" else 1e-4)


@pytest.mark.parametrize("activation", ["gelu", "tanh"])
def test_other_activations(tmp_path, activation):
    config, dumped = dump(tmp_path, "run_4", {"model.activation": activation, "model.hidden_width": 48}, REPLICAS[:1], 10)
    trainer = ref.Trainer(config, dumped[0]["points"], REPLICAS[0][2])
    assert compare_gradient(trainer, dumped[0]["gradient"], 0)[0] < 1e-5
    losses = [trainer.step(s)["loss"] for s in range(10)]
    assert distance(dumped[0]["loss"], losses) < 1e-5
    assert worst(trainer.model, dumped[0]["online"], trainer.parameters)[0] < 1e-5
