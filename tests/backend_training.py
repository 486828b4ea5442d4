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
from test_reference import RUNS, changed, load
from thorough import THOROUGH

BACKEND = os.environ["DUALDIFF_BACKEND"]
BUILD, SOURCE = os.environ["DUALDIFF_BUILD"], os.environ["DUALDIFF_SOURCE"]
STEPS, SAMPLES = 30, 40
OWN = ["learning_rate", "weight_decay", "clip_norm", "diversity_weight"]  # what may differ between replicas
# Name, points, seed. Their short batches, of 232, 188 and 120 points, come at different steps.
DINO, MOONS, LINE = ("dino", 1000, 3), ("moons", 700, 5), ("line", 120, 0)


def dump(tmp, run, settings, replicas, steps=STEPS, samples=SAMPLES):
    """For every replica its configuration, as dictionaries, its seed and the program's arrays."""
    config = changed(load(run), settings)
    words = [f"{key}={value}" for key, value in settings.items()]
    path = tmp / "dump.h5"
    subprocess.run([os.path.join(BUILD, "tests", "dump_training"), BACKEND, os.path.join(SOURCE, "configs", f"{run}.toml"),
                    path, str(steps), str(samples), ",".join(":".join(map(str, replica)) for replica in replicas), *words],
                   check=True, timeout=600, stderr=subprocess.PIPE)
    with h5py.File(path) as file:
        for number, (_, _, seed, *own) in enumerate(replicas):
            mine = {**config, "training": {**config["training"], **dict(zip(OWN, own))}}
            yield mine, seed, {name: item[()] for name, item in file[str(number)].items()}


def distance(a, b):
    return np.linalg.norm(np.asarray(a, dtype=float) - b) / max(np.linalg.norm(b), 1e-30)


def worst(got, tensors):
    """Largest distance over the tensors, and whose it is."""
    return max((distance(got[name], value), name) for name, value in tensors.items())


def check(got, tensors, bound, what):
    far = worst(got, tensors)
    print(f"{what}: {far[0]:.1e} at {far[1]}")
    assert far[0] < bound, (what, far)


def check_gradient(trainer, flat, step, bound=1e-5):
    """The backend's gradient against the reference's, with the ReLUs near zero set as the backend has them.

    A pre-activation within float32's rounding of zero may have the other sign in the backend, and then one unit's term
    is missing or too many. Sums of 384 products below 1 round by some 1e-7, so those within 2e-6 are all that can
    change; there are a handful in a batch. One counts as changed if setting it so brings the whole gradient nearer."""
    result = trainer.gradient(step)
    model, gradient = trainer.model, result["gradient"]
    theirs = model.split(flat)

    def total(tensors):
        return sum(np.linalg.norm(theirs[name] - value) ** 2 for name, value in tensors.items())

    before, changed, candidates = worst(theirs, gradient)[0], 0, 0
    for tower in result["saved"]["hidden"] if model.activation == "relu" else []:
        for hidden in tower[:-1]:
            for place in zip(*np.nonzero(np.abs(hidden) < 2e-6)):
                candidates += 1
                hidden[place] *= -1
                other = model.backward(trainer.parameters, result["saved"], result["d_prediction"])
                if total(other) < total(gradient):
                    gradient, changed = other, changed + 1
                else:
                    hidden[place] *= -1
    far = worst(theirs, gradient)
    print(f"gradient of step {step}: {far[0]:.1e} at {far[1]}; of {candidates} pre-activations within 2e-6 of 0 {changed} "
          f"changed sign ({before:.1e} before that)")
    assert far[0] < bound, far


def check_training(config, seed, got, losses, parameters, moments):
    """The state at step 0, all steps, and everything that is computed from the state they lead to."""
    trainer = ref.Trainer(config, got["points"], seed)
    model, rows = trainer.model, len(got["loss"])
    initial = np.concatenate([value.reshape(-1) for value in trainer.parameters.values()])
    assert np.array_equal(got["initial"], initial.astype(np.float32))
    check_gradient(trainer, got["gradient"], 0)

    steps = [trainer.step(s) for s in range(rows)]
    far = {name: distance(got[name], [s[name] for s in steps]) for name in ("loss", "mse", "diversity", "grad_norm")}
    print({name: f"{value:.1e}" for name, value in far.items()})
    assert far.pop("grad_norm") < parameters
    assert max(far.values()) < losses
    assert ("gate" in got) == (model.gates > 0)
    if model.gates:
        for step, gate, timestep in zip(steps, got["gate"], got["timestep"]):
            n = len(step["timestep"])
            assert np.array_equal(timestep[:n], step["timestep"])
            assert np.isnan(gate[n:]).all() and (timestep[n:] == -1).all()
            assert distance(gate[:n], step["gate"]) < parameters
    check(model.split(got["online"]), trainer.parameters, parameters, "online")
    check(model.split(got["ema"]), trainer.ema, parameters, "ema")
    if moments:
        check(model.split(got["moment1"]), trainer.m, moments, "moment1")
        check(model.split(got["moment2"]), trainer.v, moments, "moment2")

    # From the backend's own state: everything that does not train.
    trainer.parameters, trainer.ema = model.split(got["online"]), model.split(got["ema"])
    check_gradient(trainer, got["last_gradient"], rows)
    assert distance(got["eval_loss"], trainer.evaluate(trainer.parameters, ref.EVALUATE, got["points"])) < 1e-5
    assert distance(got["heldout_loss"], trainer.evaluate(trainer.ema, ref.HELDOUT, got["points"])) < 1e-5
    squares = np.concatenate(list(trainer.squared_errors(trainer.ema, ref.HELDOUT, got["points"])))
    assert distance(got["heldout_squares"], squares) < 1e-5
    t = trainer.schedule.T // 2
    prediction, saved = model.forward(trainer.ema, got["initial_noise"], np.full(len(got["initial_noise"]), t))
    assert distance(got["predicted"], prediction) < 1e-5
    assert distance(got["experts"], np.concatenate(saved["experts"], axis=1)) < 1e-5
    if model.gates:
        assert distance(got["predicted_gate"], saved["gate"]) < 1e-5


def runs_of(first):
    """On the substitute runtime, which takes minutes, every second run: the two tests of them share them out."""
    return RUNS if BACKEND == "cpu" or THOROUGH else RUNS[first::2]


@pytest.mark.parametrize("run", runs_of(0))
def test_thirty_steps(tmp_path, run):
    """As configured, with ReLUs: rounding flips a few, and AdamW makes a small gradient's step as long as a large one's."""
    for config, seed, got in dump(tmp_path, run, {}, [DINO]):
        check_training(config, seed, got, losses=3e-3, parameters=2e-2, moments=None)


@pytest.mark.parametrize("run", runs_of(1))
def test_thirty_smooth_steps(tmp_path, run):
    """Without the flipped ReLUs only rounding remains. In a run this short the learning rate falls to 0 and the average is
    copied, warms up (from step 15) and reaches its bound (from step 20)."""
    settings = {"model.activation": "silu", "training.steps": STEPS + 5, "training.ema_start": 5, "training.ema_every": 5,
                "training.ema_decay": .84}
    for config, seed, got in dump(tmp_path, run, settings, [DINO]):
        check_training(config, seed, got, losses=1e-5, parameters=1e-5, moments=1e-4)


def test_replicas_of_all_kinds(tmp_path):
    """One ensemble; datasets, seeds and hyperparameters differ, and one set is smaller than a batch."""
    replicas = [(*DINO, 1e-3, .3, .2, 0.), (*MOONS, 3e-4, 0., 10., .2), (*LINE, 1e-4, .01, .5, .05)]
    settings = {"model.activation": "silu", "model.hidden_width": 48, "model.gate_layers": [40, 24]}
    for config, seed, got in dump(tmp_path, "run_3", settings, replicas):
        check_training(config, seed, got, losses=1e-5, parameters=1e-5, moments=1e-4)


@pytest.mark.parametrize("activation", ["gelu", "tanh"])
def test_other_activations(tmp_path, activation):
    for config, seed, got in dump(tmp_path, "run_4", {"model.activation": activation, "model.hidden_width": 48}, [DINO], 10):
        check_training(config, seed, got, losses=1e-5, parameters=1e-5, moments=1e-4)


def test_points_far_out(tmp_path):
    """Coordinates in the thousands make angles of 1e5, whose sines must still be good: an angle rounded to float32 would
    be wrong by 4e-3."""
    points = tmp_path / "far.csv"
    np.savetxt(points, np.random.default_rng(0).normal(size=(300, 2)) * 4000, delimiter=",")
    for config, seed, got in dump(tmp_path, "run_1", {"model.activation": "silu", "model.hidden_width": 32},
                                  [(points, 1, 3)], 2):
        check_gradient(ref.Trainer(config, got["points"], seed), got["gradient"], 0)


def check_sampling(config, seed, got, bound):
    model, schedule, samples = ref.Model(config["model"], got["points"].shape[1], seed), ref.Schedule.of(config), len(got["initial_noise"])
    start = None
    if config["sampling"]["start"] == "data":
        start = ref.start_from_data(schedule, got["points"], seed, samples)
    x, start, gates = ref.sample(model, schedule, model.split(got["ema"]), seed, samples, start)
    assert np.array_equal(got["sample_timestep"], schedule.timestep)
    assert distance(got["initial_noise"], start) < 1e-6
    kept = np.ones(samples, dtype=bool)
    if gates is not None and config["model"]["gate"] == "hard":
        # Between two experts' regions rounding may choose the other one, and such a sample goes its own way.
        kept = (got["sample_gate"] == gates).all(axis=(0, 2))
        assert kept.mean() > .98
    far = distance(got["x"][kept], x[kept])
    print(f"samples: {far:.1e}, {np.count_nonzero(~kept)} left out")
    assert far < bound
    if gates is not None:
        assert distance(got["sample_gate"][:, kept], gates[:, kept]) < bound


@pytest.mark.parametrize("run", ["run_0", "run_3"])
def test_sampling(tmp_path, run):
    """A step multiplies an error by at most keep + remove * |d eps / d x|, a little above 1 for a network that has
    barely trained; a hundred steps turn 1e-6 into less than 1e-4."""
    for config, seed, got in dump(tmp_path, run, {}, [DINO, MOONS], 5):
        check_sampling(config, seed, got, 1e-4)


@pytest.mark.parametrize("schedule", ["linear", "quadratic", "cosine", "scaled_linear", "geometric"])
def test_sampling_under_every_schedule(tmp_path, schedule):
    """Few steps, small networks. The cosine schedule's last beta is .999: one step divides by its root, 30."""
    settings = {"diffusion.schedule": schedule, "diffusion.timesteps": 250 if schedule == "scaled_linear" else 20,
                "model.hidden_width": 32, "training.batch": 64}
    for config, seed, got in dump(tmp_path, "run_1", settings, [DINO], 3):
        check_sampling(config, seed, got, 1e-3 if schedule == "cosine" else 1e-4)
