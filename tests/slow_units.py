"""The configuration `table` brings back the means, the standard deviations and the correlations of a table of skewed, correlated columns in
its own units. The networks are a quarter as wide as by default, for time; at full width the deviations are the same."""
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
import small_job

TABLE = str(Path(small_job.SOURCE) / "configs/table.toml")
NARROW = {"model.hidden_width": 64, "model.embedding_width": 64, "evaluation.samples": 5000, "training.gate_every": 100}
SHORT = {"training.steps": 3000, "evaluation.samples": 2000}


def rows(n):
    """Two columns of lognormal values, one far from 0 in large units, one normal."""
    mixing = np.array([[1, 0, 0, 0], [.6, .8, 0, 0], [-.3, .5, .81, 0], [0, 0, .7, .71]])
    z = np.random.default_rng(0).normal(size=(n, 4)) @ mixing.T
    return np.stack([1e-3 * np.exp(.4 * z[:, 0]), 2e6 + 3e5 * z[:, 1], 50 + 8 * np.exp(.3 * z[:, 2]), z[:, 3]], axis=1)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "table.csv"
    np.savetxt(path, rows(5000), delimiter=",", header="a,b,c,d", comments="", fmt="%.17g")
    return path


def samples(table, out, settings):
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    subprocess.run([small_job.PROGRAM, "train", TABLE, "--dataset", table, "--backend", "cpu", "--threads", "2", "--out", out, "--quiet", *words], check=True,
                   timeout=1200)
    with h5py.File(out / "table/table/seed_0.h5") as file:
        return file["samples/x"][:]


def test_moments(table, tmp_path):
    """Means within .05 standard deviations, standard deviations within 5 %, correlations within .05. 5,000 samples and 5,000 rows alone differ by
    .02 in each."""
    x, data = samples(table, tmp_path, NARROW), rows(5000)
    deviation = data.std(axis=0)
    assert np.abs((x.mean(axis=0) - data.mean(axis=0)) / deviation).max() < .05
    assert np.abs(x.std(axis=0) / deviation - 1).max() < .05
    assert np.abs(np.corrcoef(x.T) - np.corrcoef(data.T)).max() < .05


def test_why_it_predicts_v(table, tmp_path):
    """With predicted noise some samples are farther from the data than any row; with v none is twice as far."""
    data = rows(5000)
    middle, deviation = data.mean(axis=0), data.std(axis=0)
    farthest = np.abs((data - middle) / deviation).max()
    for prediction in "noise", "v":
        x = samples(table, tmp_path / prediction, NARROW | SHORT | {"diffusion.prediction": prediction})
        far = np.abs((x - middle) / deviation).max()
        assert far > 10 * farthest if prediction == "noise" else far < 2 * farthest
