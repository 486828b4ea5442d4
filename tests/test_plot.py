"""`dualdiff plot` on results written here: which pictures there are, what stands on them, and that they are not blank."""
import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from matplotlib.image import imread

from result_files import write_result

PROGRAM = Path(os.environ["DUALDIFF_BUILD"]) / "dualdiff"
ERR_USAGE, ERR_TOOL = 2, 10
KINDS = "generated_samples", "train_loss", "gating_weights_histogram"


def plot(*arguments, status=0, **environment):
    done = subprocess.run([PROGRAM, "plot", *map(str, arguments)], capture_output=True, text=True, timeout=300,
                          env=os.environ | environment)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def texts(path):
    """Everything written on an SVG, its <text> elements."""
    found = re.findall(r"<text[^>]*>(.*?)</text>", path.read_text(), re.DOTALL)
    return [re.sub(r"<[^>]*>", "", text).strip() for text in found]


def saturation(path):
    """Of each pixel, greatest minus least of red, green and blue."""
    pixels = imread(path)[..., :3]
    return pixels.max(axis=-1) - pixels.min(axis=-1)


def make(out, run, dataset, seed, kl, gated, more=0.0, points=3000):
    rng = np.random.default_rng(seed)
    x = rng.uniform([-2, -4], [2, 4], (points, 2))
    gate = 1 / (1 + np.exp(-3 * x[:, 0])) if gated else None
    mse = 0.8 + np.exp(-np.arange(600) / 20) + 0.02 * rng.normal(size=600)
    return write_result(out, run, dataset, seed, {"kl_divergence": kl}, gate, x, mse - more, mse)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Three runs, the first without a gate; dino with two seeds, "my data" with one run alone."""
    out = tmp_path_factory.mktemp("runs")
    for seed in 3, 4:
        make(out, "run_0", "dino", seed, 1.0 + 0.1 * seed, gated=False)
        make(out, "run_1", "dino", seed, 0.5 + 0.1 * seed, gated=True)
    make(out, "_a$b$ rather long name of a run that goes on", "dino", 3, -0.25, gated=True, more=0.3)
    make(out, "run_0", "my data", 0, 0.125, gated=False)
    plot(out, "--out", out / "pictures" / "here")
    return out / "pictures" / "here"


def test_files(pictures):
    stems = ["kl_divergence_comparison"] + [f"{dataset}_{kind}" for dataset in ("dino", "my data") for kind in KINDS]
    assert sorted(path.name for path in pictures.iterdir()) == sorted(
        f"{stem}.{ending}" for stem in stems for ending in ("png", "svg"))
    for path in pictures.glob("*.png"):
        pixels = imread(path)
        assert min(pixels.shape[:2]) > 300
        assert pixels[..., :3].std() > 0.02, f"{path.name} is blank"


def test_kl_comparison(pictures):
    shown = texts(pictures / "kl_divergence_comparison.svg")
    for value in "1.350", "0.850", "-0.250", "0.125":  # means over seeds
        assert value in shown
    for name in "dino", "my data", "run_0", "run_1":
        assert name in shown
    assert saturation(pictures / "kl_divergence_comparison.png").max() > 0.4


def test_generated_samples(pictures):
    shown = texts(pictures / "dino_generated_samples.svg")
    assert "dino: generated samples, seed 3" in shown
    for title in "run_0", "run_1", "KL 1.300 bit", "KL 0.800 bit", "KL -0.250 bit", "no gate":
        assert title in shown
    assert any(text.startswith("_a$b$ rather") and "…" in text for text in shown)
    assert "gating weight of expert 1 at t = 0" in shown
    assert np.mean(saturation(pictures / "dino_generated_samples.png") > 0.3) > 0.01


def test_samples_without_a_gate_are_neutral(pictures):
    assert "gating weight of expert 1 at t = 0" not in texts(pictures / "my data_generated_samples.svg")
    assert saturation(pictures / "my data_generated_samples.png").max() < 0.15


def test_train_loss(pictures):
    with_diversity, without = (texts(pictures / f"{dataset}_train_loss.svg") for dataset in ("dino", "my data"))
    assert "training step" in with_diversity and "run_1" in with_diversity
    assert "MSE alone" in with_diversity and "MSE alone" not in without


def test_gating_weights(pictures):
    shown = texts(pictures / "dino_gating_weights_histogram.svg")
    assert "run_0" in shown and "run_1" in shown and shown.count("no gate") == 1
    with h5py.File(pictures.parents[1] / "run_1" / "dino" / "seed_3.h5") as file:
        gate = file["samples/gate"][:]
    low, high = (round(100 * np.count_nonzero(part) / len(gate)) for part in (gate < 0.1, gate > 0.9))
    assert f"mean {gate.mean():.2f}; {low}% below .1, {high}% above .9" in shown
    assert texts(pictures / "my data_gating_weights_histogram.svg").count("no gate") == 1


def test_svg_stays_small(tmp_path):
    """Ten thousand points a panel are pixels in the SVG, not shapes."""
    make(tmp_path, "run_1", "line", 0, 0.1, gated=True, points=10_000)
    plot(tmp_path)
    svg = tmp_path / "plots" / "line_generated_samples.svg"
    assert svg.stat().st_size < 500_000
    assert svg.read_text().count("<use") < 200


def test_one_dataset(tmp_path):
    make(tmp_path, "run_0", "dino", 0, 1.0, gated=False)
    make(tmp_path, "run_0", "line", 0, 0.2, gated=False)
    assert "did you mean 'dino'" in plot(tmp_path, "--dataset", "dinos", status=ERR_USAGE)
    plot(tmp_path, "--dataset", "line", "--out", tmp_path / "line")
    assert {path.stem for path in (tmp_path / "line").iterdir()} == {
        "kl_divergence_comparison", *(f"line_{kind}" for kind in KINDS)}
    assert "0.200" in texts(tmp_path / "line" / "kl_divergence_comparison.svg")
    assert "dino" not in texts(tmp_path / "line" / "kl_divergence_comparison.svg")


def test_python_without_packages(tmp_path):
    make(tmp_path, "run_0", "dino", 0, 1.0, gated=False)
    bare = tmp_path / "python3"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    message = plot(tmp_path, status=ERR_TOOL, DUALDIFF_PYTHON=str(bare))
    assert "No module named" in message and "pip install -r" in message
    assert not (tmp_path / "plots").exists()


def test_histograms_share_a_scale(tmp_path, monkeypatch):
    """Bars of different runs can be compared by eye, and none is cut off."""
    monkeypatch.syspath_prepend(Path(os.environ["DUALDIFF_SOURCE"]) / "results")
    import drawing
    import plot as pictures
    import runs

    paths = [make(tmp_path, run, "dino", 0, 0.5, gated=True) for run in ("run_1", "run_2")]
    with h5py.File(paths[1], "a") as file:
        file["samples/gate"][:] = 0.99  # all in one bar
    study = drawing.Study([runs.Result(run, "dino", 0, str(path)) for run, path in zip(("run_1", "run_2"), paths)])
    axes = pictures.gating_histogram(study, "dino").axes[:2]
    assert axes[0].get_ylim() == axes[1].get_ylim() and axes[0].get_ylim()[1] >= 100


def test_descriptions(pictures):
    shown = texts(pictures / "dino_gating_weights_histogram.svg")
    assert "one network" in shown and shown.count("2 experts") == 2
