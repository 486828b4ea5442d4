"""People's data in their own units: rows that are held out, columns that are scaled, and everything that leaves the program in the user's units."""
import subprocess
import sys
import tomllib
from pathlib import Path

import h5py
import numpy as np
import pytest
import small_job
from datasets import points
from reference import philox

SOURCE = Path(small_job.SOURCE)
sys.path.insert(0, str(SOURCE / "python"))
from runs import flat, settings_of  # noqa: E402

SPLIT = 11  # purpose of the draw, host/base/philox.h


def program(*words, status=0):
    done = subprocess.run([small_job.PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stderr
    return done.stdout if not status else done.stderr


# ---- rows that are held out ----


def fnv1a(data):
    value = 0xcbf29ce484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001b3 & 0xFFFFFFFFFFFFFFFF
    return value


def trained_on(x, seed, share):
    """The rows that are not held out, by the definition in host/data/points_split.h."""
    words = philox(seed, SPLIT, 0, [fnv1a((row + 0.).tobytes()) for row in x])
    key = words[:, 0].astype(np.uint64) << np.uint64(32) | words[:, 1]
    return x[key >= np.sort(key)[int(share * len(x))]]


def train_rows(path, share, seed=42):
    return points(path, 0, seed, settings=[f"data.heldout_share={share}"])


@pytest.mark.parametrize("share", [.1, .25, .5])
@pytest.mark.parametrize("width", [1, 3])
def test_which_rows_are_held_out(tmp_path, share, width):
    x = np.random.default_rng(0).normal(size=(203, width)).astype(np.float32).astype(float)
    x[3] = -0.
    np.save(tmp_path / "x.npy", x)
    for seed in 42, 2**40 + 7:
        assert np.array_equal(train_rows(tmp_path / "x.npy", share, seed), trained_on(x, seed, share))
    assert len(trained_on(x, 42, share)) == 203 - int(share * 203)
    assert np.array_equal(train_rows(tmp_path / "x.npy", 0), x)


def test_shuffled_rows(tmp_path):
    x = np.random.default_rng(1).normal(size=(400, 2)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "shuffled.npy", np.random.default_rng(2).permutation(x))
    one, other = train_rows(tmp_path / "x.npy", .3), train_rows(tmp_path / "shuffled.npy", .3)
    assert not np.array_equal(one, other) and set(map(tuple, one)) == set(map(tuple, other))


def test_equal_rows_stay_together(tmp_path):
    x = np.repeat(np.random.default_rng(3).normal(size=(9, 2)).astype(np.float32), 7, axis=0)
    np.save(tmp_path / "x.npy", x)
    for share in .1, .2, .5:
        kept = train_rows(tmp_path / "x.npy", share)
        assert len(kept) % 7 == 0 and len(kept) >= len(x) * (1 - share)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_two_rows_are_left(tmp_path, n):
    x = np.arange(2. * n).reshape(n, 2)
    np.save(tmp_path / "x.npy", x)
    assert len(train_rows(tmp_path / "x.npy", .5)) == 2


def settings(more=()):
    return {"training.steps": 60, "evaluation.samples": 40, **dict(more)}


def train(out, *words, more=(), expect=0):
    return small_job.run(small_job.command(out, *map(str, words), settings=settings(more)), expect=expect)


def test_held_out_loss(tmp_path):
    """It is measured on rows that were not trained on; `evaluate` repeats it; a run without held-out rows has none."""
    x = np.random.default_rng(4).normal(size=(300, 2)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    assert "270 rows to train, 30 held out; 2 columns (x1, x2)" in train(tmp_path, "--dataset", tmp_path / "x.npy")
    run = tmp_path / "run_3/x/seed_0.h5"
    with h5py.File(run) as file:
        assert file.attrs["points"] == 270 and np.isfinite(file["metrics/heldout_loss"][()])
        assert b"heldout_share = 0.1 " in file["config"][()]
    for words in [], ["--dataset", tmp_path / "x.npy"]:
        lines = [line.split() for line in program("evaluate", run, "--threads", 1, *words).splitlines()]
        assert [line[4] for line in lines if line[:1] == ["heldout_loss"]] == ["0"]
    np.save(tmp_path / "other.npy", x[:100] + 1)  # another file is used whole
    assert "heldout_loss" not in program("evaluate", run, "--dataset", tmp_path / "other.npy")
    train(tmp_path / "all", "--dataset", tmp_path / "x.npy", more={"data.heldout_share": 0})
    with h5py.File(tmp_path / "all/run_3/x/seed_0.h5") as file:
        assert file.attrs["points"] == 300 and "metrics/heldout_loss" not in file


def test_python_and_program_agree_on_older_runs():
    """What a run did whose program did not know a key."""
    for old in "run.h5", "flowers.h5":
        with h5py.File(SOURCE / "tests/cases" / old) as file:
            stored = file["config"][()].decode()
        printed = program("info", SOURCE / "tests/cases" / old).partition("\nconfiguration\n")[2]
        assert flat(tomllib.loads(printed)) == settings_of(stored)
        assert "heldout_share" not in stored
