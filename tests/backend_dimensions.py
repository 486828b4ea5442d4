"""A backend against the NumPy reference with points of other dimensions than two, and with other embeddings than sines of each
coordinate: what backend_training.py does with the six runs, with small networks."""
import numpy as np
import pytest

import reference as ref
from backend_training import check_gradient, check_sampling, check_training, distance, dump

NARROW = {"model.activation": "silu", "model.hidden_width": 40, "model.embedding_width": 12, "model.expert_head": [24],
          "model.gate_layers": [24, 20], "diffusion.timesteps": 30, "training.batch": 48}


def points_of(tmp, dimensions, n=110):
    """Dependent coordinates, as bytes of float32."""
    chance, path = np.random.default_rng(dimensions), tmp / f"points_{dimensions}.f32"
    mixed = chance.normal(size=(n, dimensions)) @ chance.normal(size=(dimensions, dimensions)) / np.sqrt(dimensions)
    mixed.astype(np.float32).tofile(path)
    return path


@pytest.mark.parametrize("dimensions, start", [(1, "data"), (3, "normal"), (4, "data"), (10, "data"), (17, "normal"),
                                               (64, "data"), (128, "normal")])
def test_other_dimensions(tmp_path, dimensions, start):
    """On the CPU the experts' outputs are panels of 16; on CUDA they are products from five coordinates on. The last batch of
    an epoch has 14 points."""
    settings = {**NARROW, "training.steps": 20, "training.diversity_weight": .2, "sampling.start": start}
    for config, seed, got in dump(tmp_path, "run_3", settings, [(points_of(tmp_path, dimensions), 110, 4)], 10, 20):
        assert got["points"].shape == (110, dimensions)
        check_training(config, seed, got, losses=1e-5, parameters=1e-5, moments=1e-4)
        check_sampling(config, seed, got, 1e-4)


@pytest.mark.parametrize("dimensions, kind", [(1, "l1"), (1, "rbf"), (10, "squared"), (10, "l1"), (10, "rbf"), (10, "log"),
                                              (10, "hidden")])
def test_distances_in_other_dimensions(tmp_path, dimensions, kind):
    settings = {**NARROW, "model.experts": 4, "training.diversity_weight": .2, "training.diversity_scale": .7,
                "training.diversity_layer": "hidden" if kind == "hidden" else "output",
                "training.diversity_distance": "euclidean" if kind == "hidden" else kind}
    for config, seed, got in dump(tmp_path, "run_1", settings, [(points_of(tmp_path, dimensions), 110, 4)], 1, 20):
        trainer = ref.Trainer(config, got["points"], seed)
        check_gradient(trainer, got["gradient"], 0)
        assert distance(got["diversity"], [trainer.gradient(0)["diversity"]]) < 1e-5


@pytest.mark.parametrize("embedding", ["fourier", "linear"])
@pytest.mark.parametrize("dimensions", [2, 10, 64])
def test_other_embeddings(tmp_path, embedding, dimensions):
    """Two replicas, because each seed has its own Fourier features, of a number that is no multiple of 32."""
    settings = {**NARROW, "model.embedding": embedding, "model.fourier_features": 76, "training.steps": 20}
    points = points_of(tmp_path, dimensions)
    for config, seed, got in dump(tmp_path, "run_3", settings, [(points, 110, 5), (points, 110, 6)], 10, 20):
        check_training(config, seed, got, losses=1e-5, parameters=1e-5, moments=1e-4)
        check_sampling(config, seed, got, 1e-4)
