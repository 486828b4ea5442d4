"""Files that come from elsewhere are not trusted: names in them that would become paths or reach the terminal."""
import os
import re
import resource
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


# ---- sizes that a file claims ----

HUGE = 2**60


def claim(path, name, shape):
    """The dataset is there, of any size, and the file does not grow by it."""
    with h5py.File(path, "r+") as file:
        kind = file[name].dtype
        del file[name]
        file.create_dataset(name, shape, kind, chunks=tuple(max(1, min(n, 8)) for n in shape), fillvalue=0)


@pytest.mark.parametrize("name, shape", [
    ("/gate/train/timestep", (20, HUGE)), ("/gate/train/timestep", (HUGE + 20, 8)), ("/gate/train/timestep", (19, 8)),
    ("/gate/train/step", (HUGE,)), ("/gate/train/weight", (20, HUGE)),
    ("/gate/sample/weight", (HUGE // 4, 20)), ("/gate/sample/weight", (4, HUGE)), ("/samples/x", (2**33, 2)),
    ("/samples/x", (20, HUGE)), ("/samples/initial_noise", (HUGE, 2)), ("/samples/x", (2**31, 2)),
])
def test_analyze_of_a_size_that_is_not_the_configurations(run, name, shape):
    claim(run, name, shape)
    before = run.read_bytes()
    refused(program("analyze", run), IO, run, name)
    assert run.read_bytes() == before


@pytest.mark.parametrize("command, option, name, shape", [
    ("plot", "--out", "/samples/x", (2**31, 2)), ("report", "--out", "/train/loss", (2**34,)),
    ("compare", "--reference", "/samples/gate", (HUGE,)),
])
def test_pictures_of_a_size_that_the_file_cannot_hold(tmp_path, run, command, option, name, shape):
    claim(run, name, shape)
    done = program(command, run.parents[2], option, tmp_path / "out")
    assert f"{run}: damaged: {name}".encode() in done.stderr, done.stderr


# The sanitizers reserve more memory than any limit allows.
bounded = pytest.mark.skipif(small_job.sanitized(), reason="the sanitizers reserve terabytes of addresses")


@bounded
@pytest.mark.parametrize("keys", [{"hidden_width": 8192, "hidden_depth": 16, "experts": 8}, {"embedding_width": 4096}])
def test_a_network_that_the_file_does_not_hold(run, keys):
    """Memory is allocated for what the file contains, not for what its configuration claims."""
    with h5py.File(run, "r+") as file:
        text = file["config"][()].decode()
        for key, value in keys.items():
            text = re.sub(rf"^{key} = \d+", f"{key} = {value}", text, flags=re.M)
        del file["config"]
        file["config"] = text
    limit = lambda: resource.setrlimit(resource.RLIMIT_DATA, (2**31, 2**31))
    for command in ("sample", "evaluate", "analyze"):
        done = program(command, run, "--threads", 1, preexec_fn=limit)
        assert done.returncode in (IO, 8) and str(run).encode() in done.stderr, done.stderr


def test_a_log_of_more_rows_than_steps(run):
    """The number of rows is compared before it becomes an int."""
    with_attribute(run, "kind", "log")
    claim(run, "/train/step", (2**32 + 5,))
    refused(program("info", run), IO, run, "more steps")


def test_a_heap_whose_end_wraps_around(run):
    """Its place plus its size is less than the file's size, in 64 bits. A fuzzer found it."""
    content = bytearray(run.read_bytes())
    at = content.index(b"GCOL")
    content[at + 8:at + 16] = (2**64 - 8).to_bytes(8, "little")
    run.write_bytes(content)
    message = program("info", run).stderr.decode()
    assert "seed_0.h5" in message and "fault of the program" not in message and "Sanitizer" not in message, message


@bounded
def test_a_text_that_the_file_does_not_hold(run):
    with h5py.File(run, "r+") as file:
        del file["config"]
        file.create_dataset("config", (1,), "S2000000000", chunks=(1,))
    refused(program("info", run, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))), IO, run, "/config")


# ---- a configuration that nests without end ----


@pytest.mark.parametrize("text, say", [("a." * 50000 + "a = 1\n", "line 1: too many keys"), ("a = " + "[" * 9999, "line 1: too many brackets")])
def test_a_configuration_that_nests_without_end(tmp_path, run, text, say):
    config = tmp_path / "deep.toml"
    config.write_text(text)
    refused(program("info", config), CONFIGURATION, f"{config}: {say}")
    with h5py.File(run, "r+") as file:
        del file["config"]
        file["config"] = text
    for command in ("info", "evaluate", "analyze", "sample"):
        refused(program(command, run), IO, f"{run}:/config: {say}")
