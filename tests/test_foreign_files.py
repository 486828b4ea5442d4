"""Files that come from elsewhere are not trusted: names in them that would become paths or reach the terminal."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import h5py
import pytest

import small_job
from small_job import PROGRAM, SOURCE

USAGE, CONFIGURATION, DATA, IO, CONFLICT = 2, 3, 4, 5, 6
RUN = Path(SOURCE) / "tests/cases/run.h5"  # a tiny result: 8 points a batch, 20 samples in 4 steps
TINY = {"training.steps": 2, "data.points": 40, "evaluation.samples": 20, "evaluation.heldout": 8}


def program(*words, **options):
    return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, timeout=60, **options)


def refused(done, status, *say):
    message = done.stderr.decode()
    assert done.returncode == status, message
    for part in say:
        assert str(part) in message, message
    return message


def files(folder):
    return {path.relative_to(folder) for path in folder.rglob("*")}


@pytest.fixture
def run(tmp_path):
    """A copy of the tiny result where `train` would have written it."""
    path = tmp_path / "runs/run_1/line/seed_0.h5"
    path.parent.mkdir(parents=True)
    shutil.copy(RUN, path)
    return path


def with_attribute(path, name, value):
    with h5py.File(path, "r+") as file:
        file.attrs[name] = value


# ---- names that become paths ----


@pytest.mark.parametrize("name", ["../../../x", "/tmp/x", "..", ".", "", ".hidden", "a/b", "-rf"])
@pytest.mark.parametrize("attribute", ["dataset", "config_name"])
def test_a_name_that_leaves_the_folder(tmp_path, run, attribute, name):
    with_attribute(run, attribute, name)
    out = tmp_path / "a/b/c"
    before = files(tmp_path)
    for words in [("evaluate", run, "--out", out), ("plot", run.parents[2], "--out", out),
                  ("compare", run.parents[2], "--reference", out), ("report", run.parents[2], "--out", out / "r.html"),
                  ("info", run)]:
        message = program(*words).stderr.decode()
        assert f"{run}: {attribute} '{name}' cannot be part of a path" in message, (words, message)
    assert {path for path in files(tmp_path) - before if path.is_file()} == set()


@pytest.mark.parametrize("name", ["...toml", "..toml", ".toml", "-x.toml", "a\nb.toml", "a\x1bb.toml"])
def test_a_configuration_whose_name_is_no_folder(tmp_path, name):
    config = tmp_path / "c" / name
    config.parent.mkdir()
    shutil.copy(small_job.CONFIG, config)
    before = files(tmp_path)
    done = program(*small_job.command(tmp_path / "o/runs", "--dataset", "line", settings=TINY, config=str(config))[1:])
    refused(done, USAGE, "cannot be part of a path", "rename the configuration file")
    done = program("floor", config, "--dataset", "line", "--out", tmp_path / "o/runs")
    refused(done, USAGE, "cannot be part of a path", "rename the configuration file")
    done = program("evaluate", RUN, "--config", config, "--out", tmp_path / "o/runs")
    assert done.returncode
    assert files(tmp_path) == before


@pytest.mark.parametrize("name", ["...csv", "..npy", ".csv", "a\tb.csv"])
def test_points_whose_name_is_no_folder(tmp_path, name):
    points = tmp_path / name
    points.write_text("1,2\n3,4\n5,7\n1,1\n" * 10)
    if name.endswith("npy"):
        import numpy as np
        np.save(points, np.random.default_rng(0).normal(size=(40, 2)))
    before = files(tmp_path)
    done = program(*small_job.command(tmp_path / "o/runs", "--dataset", str(points), settings=TINY)[1:])
    refused(done, USAGE, "cannot be part of a path", "rename the file")
    assert files(tmp_path) - before <= {Path("o"), Path("o/runs")}


# ---- what reaches the terminal ----

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def test_escape_codes_of_a_file(tmp_path, run):
    evil = "\x1b]0;owned\a\x1b[2J\x9b31m"
    for attribute in ("device", "backend", "program_version", "git_commit", "dataset", "config_name"):
        with_attribute(run, attribute, f"x{evil}")
    with h5py.File(run, "r+") as file:
        file[f"a{evil}"] = 1
    for words in [("info", run), ("compare", run.parents[2]), ("evaluate", run), ("sample", run),
                  ("evaluate", run, "--out", tmp_path / "out")]:
        done = program(*words)
        assert not CONTROL.search(done.stdout.decode() + done.stderr.decode()), (words, done)
    assert not any(CONTROL.search(str(path)) for path in files(tmp_path))


def test_escape_codes_of_folders_and_words(tmp_path, run):
    folder = tmp_path / "x\x1b[31m"
    os.rename(run.parents[2], folder)
    for words in [("compare", folder), ("compare", folder, "--format", "csv"), ("compare", folder, "--format", "markdown"),
                  ("info", folder / "no.h5"), ("train", folder / "no.toml"), ("x\x1b[31m",), ("train", "--\x1b[31m"),
                  ("train", small_job.CONFIG, "--dataset", "\x1b[31m"), ("train", small_job.CONFIG, "--set", "a.\x1b=2")]:
        done = program(*words)
        assert not CONTROL.search(done.stdout.decode() + done.stderr.decode()), (words, done)
    os.rename(folder / "run_1", folder / "run\x1b[31m")
    done = program("compare", folder)
    assert done.returncode == 0 and b"run?[31m" in done.stdout, done
