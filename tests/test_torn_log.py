"""A log that a power cut has damaged: the checkpoint alone determines training, so the run resumes to the same bits, and what of the log is lost is told."""
import shutil
import signal

import h5py
import numpy as np
import pytest

import damage
import small_job

LONG = {"training.steps": small_job.LONG}


def log(out):
    return out / "run_3/dino/seed_0.h5"


def checkpoint(out):
    return out / "run_3/dino/seed_0.checkpoint"


def step_of(out):
    with h5py.File(checkpoint(out)) as file:
        return int(file.attrs["step"])


def words_of(out):
    return small_job.command(out, "--dataset", "dino", settings=LONG)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    small_job.run(words_of(out))
    return log(out)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run that was stopped twice: its log, its checkpoint, and the checkpoint of the first stop."""
    out = tmp_path_factory.mktemp("stopped")
    for first in (True, False):
        code, errors = small_job.interrupt(words_of(out), small_job.appears(log(out)), signal.SIGINT)
        assert code == 130, errors
        if first:
            shutil.copyfile(checkpoint(out), out / "older")
    return out


@pytest.fixture
def torn(stopped, tmp_path):
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    return tmp_path


def flip(path, name, row):
    """A bit of the chunk that holds the row."""
    with h5py.File(path) as file:
        data = file[name]
        chunks = [data.id.get_chunk_info(i) for i in range(data.id.get_num_chunks())]
        rows = data.chunks[0]
    place = next(chunk.byte_offset for chunk in chunks if chunk.chunk_offset[0] <= row < chunk.chunk_offset[0] + rows)
    damage.flipped(path, 8 * place + 3)
    return row - row % rows, rows


def same_but(path, whole, lost):
    """Equal results, except for the lost rows: {name: (first, count)}."""
    one, other = small_job.contents(path), small_job.contents(whole)
    assert one.keys() == other.keys()
    for name, (first, count) in lost.items():
        rows = slice(first, first + count)
        missing = one[name][rows]
        assert (np.isnan(missing) if missing.dtype.kind == "f" else missing == -1).all() and not np.array_equal(missing, other[name][rows])
        one[name][rows] = other[name][rows]
    for name, value in one.items():
        assert np.array_equal(value, other[name], equal_nan=np.asarray(value).dtype.kind == "f"), name


@pytest.mark.parametrize("name", ["train/mse", "gate/train/weight", "gate/train/timestep"])
def test_rows_before_the_checkpoint(torn, whole, name):
    first, count = flip(log(torn), name, 20)
    damaged, step = log(torn).read_bytes(), step_of(torn)
    errors = small_job.run(words_of(torn))
    assert f"of the log before step {step}, {count} rows of 1 columns (first of /{name}) cannot be read" in errors
    assert f"resuming from step {step}" in errors
    same_but(log(torn), whole, {name: (first, count)})
    assert (log(torn).with_name("seed_0.h5.damaged")).read_bytes() == damaged


@pytest.mark.parametrize("name", ["train/step", "train/learning_rate", "gate/train/step"])
def test_rows_that_are_known_anyway(torn, whole, name):
    flip(log(torn), name, 20)
    assert "damaged" not in small_job.run(words_of(torn))
    small_job.assert_equal_results(log(torn), whole)


def test_rows_behind_the_checkpoint(torn, whole):
    """They are written again."""
    (torn / "older").rename(checkpoint(torn))
    with h5py.File(log(torn)) as file:
        last = file["train/mse"].shape[0] - 1
    assert last >= step_of(torn)
    flip(log(torn), "train/mse", last)
    assert "damaged" not in small_job.run(words_of(torn))
    small_job.assert_equal_results(log(torn), whole)


def test_a_column_that_does_not_open(torn, whole):
    with h5py.File(log(torn)) as file:
        place = h5py.h5o.get_info(file["train/mse"].id).addr
    damage.flipped(log(torn), 8 * (place + 30) + 1)
    step = step_of(torn)
    errors = small_job.run(words_of(torn))
    assert f"{step} rows of 1 columns (first of /train/mse)" in errors
    same_but(log(torn), whole, {"train/mse": (0, step)})
