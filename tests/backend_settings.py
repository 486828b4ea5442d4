"""A backend against the NumPy reference under every setting of model, diffusion, training and sampling: what
backend_training.py does with the six runs, with small networks."""
import numpy as np
import pytest

from backend_training import MOONS, check_sampling, check_training, dump
from backend_dimensions import points_of
from test_reference import SETTINGS

SMALL = {"model.activation": "silu", "model.hidden_width": 32, "model.hidden_depth": 1, "model.embedding_width": 32,
         "model.expert_head": [16], "model.gate_layers": [24, 16], "diffusion.timesteps": 40, "training.batch": 48}
FEW = ("dino", 200, 8)  # with this seed the hard gates choose different experts in different places from the beginning

STEPS, SAMPLES = 16, 60

PRODUCTS = {"cublas": {"training.products": "cublas"}}
GATES: dict[str, dict] = {
    "two experts, the better": {"model.gate": "hard"},
    "four experts, the best": {"model.experts": 4, "model.gate": "hard"},
    "two experts, the better, diversity": {"model.gate": "hard", "training.diversity_weight": .1},
}


@pytest.mark.parametrize("name", [*SETTINGS, *GATES, *PRODUCTS])
def test_training_with_every_setting(tmp_path, name):
    """The same bounds as for the six runs: a setting changes only some factors, or which terms are added."""
    settings = {**SMALL, **(SETTINGS | GATES | PRODUCTS)[name]}
    settings["training.steps"] = STEPS + 5  # otherwise the schedules of a short training would already have ended
    for config, seed, got in dump(tmp_path, "run_3", settings, [FEW], STEPS, SAMPLES):
        check_training(config, seed, got, losses=1e-5, parameters=1e-5, moments=1e-4)
        check_sampling(config, seed, got, 1e-4)
        if name in GATES:
            for gate in (got["gate"], got["predicted_gate"], got["sample_gate"]):
                chosen = np.unique(gate[~np.isnan(gate).any(axis=-1)], axis=0)
                assert np.isin(chosen, [0, 1]).all() and len(chosen) > 1


WIDE: dict[str, dict] = {
    "the best of four, v, few steps": {"model.experts": 4, "model.gate": "hard", "diffusion.prediction": "v", "sampling.steps": 9},
    "fixed, x0, without signal at the end": {"model.experts": 3, "model.gate": "fixed", "diffusion.prediction": "x0",
                                             "diffusion.terminal_snr": "zero", "sampling.start": "data"},
    "min-SNR, Fourier features, gelu": {"training.min_snr_gamma": 5, "model.embedding": "fourier", "model.fourier_features": 20,
                                        "model.activation": "gelu", "sampling.eta": .5, "sampling.steps": 11},
}


@pytest.mark.parametrize("name", WIDE)
def test_settings_in_ten_dimensions(tmp_path, name):
    settings = {**SMALL, "training.diversity_weight": .1, **WIDE[name]}
    for config, seed, got in dump(tmp_path, "run_3", settings, [(points_of(tmp_path, 10), 110, 4)], STEPS, SAMPLES):
        check_training(config, seed, got, losses=1e-5, parameters=1e-5, moments=1e-4)
        check_sampling(config, seed, got, 1e-4)


def test_replicas_of_many_experts(tmp_path):
    """Weights of three experts for every replica, point and step; the replicas have a short batch at different steps."""
    settings = {**SMALL, "model.experts": 3, "training.diversity_distance": "rbf", "training.diversity_scale": .5}
    replicas = [(*FEW, 1e-3, .3, .2, 0.), ("moons", 170, 5, 3e-4, 0., 10., .2), ("line", 40, 0, 1e-4, .01, .5, .05)]
    for config, seed, got in dump(tmp_path, "run_1", settings, replicas, STEPS, SAMPLES):
        check_training(config, seed, got, losses=1e-5, parameters=1e-5, moments=1e-4)
        check_sampling(config, seed, got, 1e-4)


SAMPLING: dict[str, dict] = {
    "fewer steps": {"sampling.steps": 7},
    "one step": {"sampling.steps": 1},
    "without added noise": {"sampling.eta": 0},
    "with half of it, few steps": {"sampling.eta": .5, "sampling.steps": 11},
    "less of the predicted noise": {"sampling.noise_factor": .9},
    "more of it, v, few steps": {"sampling.noise_factor": 1.1, "diffusion.prediction": "v", "sampling.steps": 9},
    "from the data": {"sampling.start": "data"},
    "from the data, x0, few steps, no noise": {"sampling.start": "data", "diffusion.prediction": "x0", "sampling.steps": 5,
                                               "sampling.eta": 0},
    "without signal at the end": {"diffusion.terminal_snr": "zero", "diffusion.prediction": "v", "sampling.start": "data"},
    "without signal at the end, x0, no noise": {"diffusion.terminal_snr": "zero", "diffusion.prediction": "x0",
                                                "sampling.steps": 8, "sampling.eta": 0},
    "four experts, few steps": {"model.experts": 4, "sampling.steps": 6, "sampling.start": "data"},
    "one expert, few steps": {"model.experts": 1, "sampling.steps": 6, "sampling.eta": .2},
    "the best of four": {"model.experts": 4, "model.gate": "hard", "sampling.steps": 20},
}


@pytest.mark.parametrize("number, name", list(enumerate(SAMPLING)))
def test_sampling_with_every_setting(tmp_path, number, name):
    """The linear and the cosine schedule in turn. The cosine's first step divides by 30 if noise is predicted."""
    schedule, bound = (("linear", 1e-4), ("cosine", 1e-3))[number % 2]
    settings = {**SMALL, "diffusion.schedule": schedule, **SAMPLING[name]}
    for config, seed, got in dump(tmp_path, "run_3", settings, [FEW, (*MOONS[:2], 7)], 3, SAMPLES):
        check_sampling(config, seed, got, bound)
