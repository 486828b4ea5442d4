"""A run that version 0.2.0 trained on a file of points: this version still measures, samples and analyses it."""
import io
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from bits import call
from small_job import PROGRAM, SOURCE

POINTS = Path(SOURCE) / "tests/cases/flowers.csv"  # 60 points in two clouds, whose columns have other means and widths
RUN = Path(SOURCE) / "tests/cases/flowers.h5"
WITHIN = 1e-4  # instruction sets differ by 1e-7; a wrong unit would change the first digit


@pytest.fixture
def run(tmp_path):
    return shutil.copy(RUN, tmp_path)


def printed(name, *words):
    return call([PROGRAM, name, *words, "--backend", "cpu", "--threads", 1]).stdout.decode()


def stored_metrics():
    with h5py.File(RUN) as file:
        found = {name: float(item[()]) for name, item in file["metrics"].items() if not name.endswith("_time")}
    return {name: value for name, value in found.items() if np.isfinite(value)}


def test_evaluate_computes_what_is_stored(run):
    text = printed("evaluate", run, "--dataset", POINTS)
    assert "not the points it was trained on" not in text
    columns = [line.split() for line in text.splitlines()]
    computed = {line[0]: float(line[2]) for line in columns if len(line) == 5 and line[0] in stored_metrics()}
    assert {"kl_divergence", "eval_loss", "sliced_wasserstein"} <= computed.keys()
    assert computed == pytest.approx(stored_metrics(), rel=WITHIN)


def test_sample_generates_the_stored_points(run):
    rows = np.loadtxt(io.StringIO(printed("sample", run, "--n", 60)), delimiter=",", skiprows=1)
    with h5py.File(RUN) as file:
        assert rows[:, :2] == pytest.approx(file["samples/x"][:], abs=WITHIN)
        assert rows[:, 2] == pytest.approx(file["samples/gate"][:], abs=WITHIN)


def test_analyze_follows_the_stored_points(run):
    printed("analyze", run, "--dataset", POINTS)
    with h5py.File(run) as file:
        assert file["analysis/trajectory/difference"][()] < WITHIN
        assert file["analysis/trajectory/x"][-1] == pytest.approx(file["samples/x"][:], abs=WITHIN)
