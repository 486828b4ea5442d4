"""Points of other dimensions than two, from the file to the samples, the metrics and the pictures."""
import csv
import io
import signal
import subprocess

import h5py
import numpy as np
import pytest

import reference
import small_job

NAMES = ["mass", "height [m]", "charge"]
SMALL = {"training.steps": 200}


def program(*words, status=0):
    done = subprocess.run([small_job.PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stderr
    return done.stdout if not status else done.stderr


def result(out, dataset):
    return out / "run_3" / dataset / "seed_0.h5"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Rows of three correlated columns."""
    path = tmp_path_factory.mktemp("data") / "table.csv"
    x = np.random.default_rng(0).normal(size=(400, 3))
    x[:, 1] += x[:, 0]
    np.savetxt(path, x, delimiter=",", header=",".join(NAMES), comments="")
    return path


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory):
    """Runs on one, three and eight columns and on two, trained by one command."""
    out = tmp_path_factory.mktemp("runs")
    one = table.with_name("one.csv")
    np.savetxt(one, np.random.default_rng(1).normal(size=300))
    small_job.run(small_job.command(out, *(word for name in (table, one, "gaussians", "dino") for word in ("--dataset", str(name))), settings=SMALL))
    return out


@pytest.mark.parametrize("dataset, dimensions", [("table", 3), ("one", 1), ("gaussians_d8", 8), ("dino", 2)])
def test_what_is_stored(trained, dataset, dimensions):
    with h5py.File(result(trained, dataset)) as file:
        assert file.attrs["dimensions"] == dimensions and file["samples/x"].shape == (100, dimensions)
        assert file["data/x"].shape[1] == dimensions and np.isfinite(file["samples/x"]).all()
        assert list(file["data/coordinate"].attrs["names"]) == (NAMES if dimensions == 3 else [f"x{i + 1}" for i in range(dimensions)])
        assert file["parameters/ema/expert1.0.weight"].shape == (24, (dimensions + 1) * 12)
        assert np.isfinite(file["metrics/kl_divergence"][()]) and "model" not in file


def test_directions_of_fourier_features_are_stored(table, tmp_path):
    """Those of the run's seed. Other embeddings have no such group."""
    settings = {"training.steps": 10, "model.embedding": "fourier", "model.fourier_features": 20}
    small_job.run(small_job.command(tmp_path, "--dataset", str(table), "--seeds", "7", settings=settings))
    expected = reference.features({"fourier_features": 20, "input_scale": 25}, 7, 3)
    with h5py.File(tmp_path / "run_3/table/seed_7.h5") as file:
        stored = file["model/features"]
        assert stored.dtype == np.float64 and [axis[0].name for axis in stored.dims] == ["/model/feature", "/model/coordinate"]
        assert np.abs(stored[:] - expected).max() < 1e-6 * np.abs(expected).max()


def test_sets_of_other_dimensions_train_apart(trained, table, tmp_path):
    small_job.run(small_job.command(tmp_path, "--dataset", str(table), settings=SMALL))
    small_job.assert_equal_results(result(trained, "table"), result(tmp_path, "table"))


def test_samples(trained):
    rows = list(csv.reader(io.StringIO(program("sample", result(trained, "table"), "--n", 4))))
    assert rows[0] == [*NAMES, "gate"] and len(rows) == 5 and all(len(row) == 4 for row in rows)
    with h5py.File(result(trained, "table")) as file:
        assert np.allclose(np.array(rows[1:], dtype=float)[:, :3], file["samples/x"][:4], atol=1e-6)


@pytest.mark.parametrize("dataset", ["table", "one", "gaussians_d8"])
def test_evaluation_repeats(trained, dataset):
    """The points are read or generated again, and every figure but the time is the stored one."""
    lines = [line.split() for line in program("evaluate", result(trained, dataset), "--threads", 1).splitlines()[3:]]
    assert len(lines) > 6 and all(line[4] == "0" for line in lines if line[0] != "inference_time"), lines


def test_stopped_and_resumed(table, tmp_path):
    long = {"training.steps": small_job.LONG}
    words = small_job.command(tmp_path / "stopped", "--dataset", str(table), settings=long)
    code, errors = small_job.interrupt(words, small_job.appears(result(tmp_path / "stopped", "table")), signal.SIGINT)
    assert code == 130, errors
    assert "resuming from step" in small_job.run(words)
    small_job.run(small_job.command(tmp_path / "whole", "--dataset", str(table), settings=long))
    small_job.assert_equal_results(result(tmp_path / "stopped", "table"), result(tmp_path / "whole", "table"))


def test_other_columns_are_another_run(trained, table, tmp_path):
    words = small_job.command(trained, "--dataset", str(table), "--columns", "1,3", settings=SMALL)
    assert "was trained on points of 3 dimensions, with the columns mass, height [m], charge; these have 2: mass, charge." in small_job.run(words, expect=6)


def test_pictures(trained, tmp_path):
    program("plot", trained, "--out", tmp_path)
    for dataset in "table", "one", "gaussians_d8", "dino":
        assert (tmp_path / f"{dataset}_generated_samples.png").stat().st_size > 10000
    words = (tmp_path / "table_generated_samples.svg").read_text(), (tmp_path / "one_generated_samples.svg").read_text()
    assert not (tmp_path / "dino_run_3_corner.png").exists()
    corner = (tmp_path / "table_run_3_corner.svg").read_text()
    assert all(corner.count(f">{name}<") == 2 for name in NAMES) and (tmp_path / "gaussians_d8_run_3_corner.png").stat().st_size > 10000
    assert "principal component 1" in words[0] and "random height" in words[1]
    program("report", trained, "--out", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert all(f"Pictures: {dataset}</h2>" in page for dataset in ("table", "one", "gaussians_d8", "dino")) and "not drawn" not in page
    assert page.count("<h3>Pairs of coordinates</h3>") == 2 and page.count("<h3>Values of the coordinate</h3>") == 1


def test_too_few_rows(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(3, 40)))
    words = small_job.command(tmp_path / "out", "--dataset", str(tmp_path / "x.npy"), settings=SMALL)
    assert "3 points of 40 coordinates; at least 40 are needed; if rows and columns are exchanged" in small_job.run(words, expect=4)
