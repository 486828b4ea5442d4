"""`plot`, `report` and `compare --reference` over folders in which files are damaged: every such file is named with what is wrong, the others'
pictures are made, and the exit status says that something is missing."""
import os
import pickle
import re
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

import damage
from small_job import PROGRAM

GOOD = Path(__file__).parent / "cases" / "run.h5"
ERR_IO = 5
NEEDED = "config", "samples/x", "samples/gate", "train/loss", "train/mse", "metrics/kl_divergence"


def dualdiff(*words, status=0, timeout=600):
    done = subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=timeout, errors="replace")
    assert done.returncode == status, done.stderr[-3000:]
    for word in "Traceback", "RuntimeWarning", "fault of the program":
        assert word not in done.stderr, done.stderr
    return done.stderr


def left_out(said):
    """{path: why}, from the lines; and all of them are in the last line, which lists them."""
    found = {}
    for line in said.splitlines():
        if line.startswith("dualdiff: left out: "):
            path, _, why = line.removeprefix("dualdiff: left out: ").partition(": ")
            found[path] = why
    return found


def check_folder(out, paths, must, said):
    """Each file of `must` is named with a reason; what is not named is drawn."""
    named = left_out(said)
    assert not {name for name in must if str(paths[name]) not in named}
    assert all(why.strip() for why in named.values()), named
    last = said.splitlines()[-1]
    assert re.match(rf"dualdiff: {len(named)} files? could not be read and (was|were) left out: ", last), last
    assert len(named) > 5 or all(path in last for path in named)
    return named


def test_one_of_many(tmp_path):
    """The one that is damaged is named by all three commands, also in the last line; the others' pictures are there."""
    paths = damage.planted(tmp_path / "runs", GOOD, {f"run_{i}": lambda path: None for i in range(6)})
    damage.removed(paths["run_3"], "samples")
    for command in "plot", "report", "compare":
        more = ["--reference", tmp_path / "reference"] if command == "compare" else []
        said = dualdiff(command, tmp_path / "runs", *more, status=ERR_IO)
        assert list(left_out(said)) == [str(paths["run_3"])] and str(paths["run_3"]) in said.splitlines()[-1]
        assert "/samples/x is missing" in said
    assert (tmp_path / "runs" / "plots" / "line_generated_samples.png").stat().st_size > 1000
    page = (tmp_path / "runs" / "report.html").read_text()
    assert "run_2" in page and "run_3" not in re.sub(r"<table.*?</table>", "", page, flags=re.DOTALL)
    written = {path.parent.name for path in (tmp_path / "reference").glob("*/all_results.pkl")}
    assert written == {"run_0", "run_1", "run_2", "run_4", "run_5"}


def test_nothing_is_whole(tmp_path):
    paths = damage.planted(tmp_path, GOOD, {"run_0": lambda path: damage.truncated(path, 700), "run_1": lambda path: damage.removed(path, "samples")})
    for command in "plot", "report":
        said = dualdiff(command, tmp_path, status=ERR_IO)
        assert all(str(path) in said.splitlines()[-1] for path in paths.values())
    assert not (tmp_path / "plots").exists() and not (tmp_path / "report.html").exists()


def test_kinds_of_damage(tmp_path):
    """A sample of everything, in one folder; slow_damaged_pictures.py has the rest."""
    bad, odd = damage.changes(GOOD, NEEDED)
    bad |= damage.truncations(GOOD, 5)
    many = bad | odd | damage.flips(GOOD, 40)
    paths = damage.planted(tmp_path / "runs", GOOD, {"good": lambda path: None} | many)
    said = dualdiff("compare", tmp_path / "runs", "--reference", tmp_path / "reference", status=ERR_IO)
    named = check_folder(tmp_path, paths, bad, said)
    assert str(paths["good"]) not in named
    for name, path in paths.items():
        assert (str(path) in named) != (tmp_path / "reference" / name / "all_results.pkl").exists()
    content = pickle.loads((tmp_path / "reference" / "good" / "all_results.pkl").read_bytes())
    with h5py.File(GOOD) as file:
        assert np.array_equal(content["line"]["images"], file["samples/x"])


@pytest.mark.parametrize("key, value", [("dataset", "../../../x"), ("dataset", "a\x1b[31mb"), ("dataset", "a\nb"), ("dataset", 64 * "a"), ("device", b"\xff\xfe")])
def test_attributes(tmp_path, key, value):
    """What an attribute says is part of no path, and reaches no terminal as it is."""
    paths = damage.planted(tmp_path / "runs", GOOD, {"run_0": lambda path: None, "run_1": lambda path: damage.attribute(path, "/", key, value)})
    said = dualdiff("plot", tmp_path / "runs", "--out", tmp_path / "a" / "b" / "c", status=ERR_IO)
    assert str(paths["run_1"]) in said.splitlines()[-1] and "\x1b" not in said
    assert not list(tmp_path.glob("x*")) and not list((tmp_path / "a").glob("x*"))
    assert os.listdir(tmp_path / "a" / "b" / "c")
