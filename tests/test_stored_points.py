"""The training points that every result keeps, so that pictures show the data without its file."""
import subprocess

import h5py
import numpy as np
import pytest
import xarray

from small_job import CONFIG, PROGRAM, command, run

QUICK = {"training.steps": 20, "training.checkpoint_every": 20, "data.heldout_share": 0, "data.scale": "none"}


def points_of(path):
    """Stored training points, and their numbers in the training set."""
    with xarray.open_dataset(path, group="data", engine="h5netcdf") as data:
        assert data.x.dims == ("point", "coordinate") and "training points" in data.x.attrs["long_name"]
        return data.x.values, data.point.values


def trained_on(tmp_path, points):
    file = tmp_path / "mine.npy"
    np.save(file, points.astype(np.float32))
    run(command(tmp_path, "--dataset", str(file), settings=QUICK))
    return points_of(tmp_path / "run_3" / "mine" / "seed_0.h5")


def test_all_of_a_small_set(tmp_path):
    points = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    x, number = trained_on(tmp_path, points)
    assert np.array_equal(x, points) and np.array_equal(number, np.arange(300))


def test_evenly_chosen_from_a_large_set(tmp_path):
    """10,000 points, from all parts of the file; where two kinds of points take turns, as many of each."""
    points = np.random.default_rng(0).normal(size=(40_000, 2)).astype(np.float32)
    points[1::2] += 20
    x, number = trained_on(tmp_path, points)
    assert len(x) == 10_000 and np.array_equal(x, points[number])
    assert (np.diff(number) > 0).all() and np.diff(number).max() < 8
    assert np.mean(x[:, 0] > 10) == pytest.approx(.5, abs=.01)


@pytest.mark.parametrize("make", ["floor", "oracle"])
def test_without_a_network(tmp_path, make):
    subprocess.run([PROGRAM, make, CONFIG, "--dataset", "dino", "--draws", "1", "--out", tmp_path, "--threads", "1", "--set", "data.points=500",
                    "evaluation.samples=100", "diffusion.timesteps=5"], check=True, capture_output=True)
    found = list(tmp_path.rglob("seed_0.h5"))
    x, _ = points_of(found[0])
    with h5py.File(found[0]) as file:
        assert len(found) == 1 and len(x) == 500 and file["samples/x"].shape == (100, 2)
