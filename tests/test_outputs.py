"""Outputs of every command: they appear complete, after they had a temporary name that no other file has; links and modes are
kept; and files of another kind are not replaced."""
import os
import shutil
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

from small_job import PROGRAM, SOURCE

CASES = Path(SOURCE) / "tests" / "cases"
IO, CONFLICT = 5, 6
SMALL = ["--set", "model.hidden_width=4", "--set", "training.steps=20", "--set", "evaluation.samples=50", "--set", "data.points=100"]


def program(*words, code=0, **options):
    done = subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == code, (words, done.returncode, done.stderr)
    return done


def refuses(*words, says, **options):
    """The command fails, and leaves the file named last in `says` as it was."""
    path = Path(says[-1])
    before = path.read_bytes() if path.is_file() else None
    done = program(*words, code=CONFLICT, **options)
    for fragment in map(str, says):
        assert fragment in done.stderr, (fragment, done.stderr)
    assert before is None or path.read_bytes() == before


def train(config, out, *more):
    program("train", config, *SMALL, "--dataset", "line", "--backend", "cpu", "--threads", "1", "--quiet", "--out", out, *more)


def hidden(folder):
    return [path.name for path in Path(folder).iterdir() if path.name.endswith((".tmp", ".next"))]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """OUT of a trained run `tiny`, with a log and a checkpoint of it next to it."""
    out = tmp_path_factory.mktemp("runs")
    train(CASES / "tiny.toml", out)
    return out


@pytest.fixture
def run(runs, tmp_path):
    """A run's file that the test may damage."""
    shutil.copytree(runs / "tiny", tmp_path / "runs" / "tiny")
    return tmp_path / "runs" / "tiny" / "line" / "seed_0.h5"


# ---- one way to write ----


def race(run, target, tries, points):
    """Two writers of one file, `tries` times: both succeed, and the file is one of the two, whole."""
    def start(seed):
        return subprocess.Popen([PROGRAM, "sample", run, "--n", str(points + seed), "--seed", str(seed), "--threads", "1",
                                 "--quiet", "--overwrite", "--out", target], stderr=subprocess.PIPE)

    def content(path):
        return path.read_bytes() if path.suffix != ".h5" else h5py.File(path)["samples/x"][()].tobytes()

    whole = []
    for seed in (0, 9):
        process = start(seed)
        assert process.wait(timeout=120) == 0, process.stderr.read()
        whole.append(content(target))
    for _ in range(tries):
        both = [start(seed) for seed in (0, 9)]
        for process in both:
            assert process.wait(timeout=120) == 0, process.stderr.read()
        assert content(target) in whole
    assert not hidden(target.parent)


@pytest.mark.parametrize("name", ["x.csv", "x.npy", "x.h5"])
def test_two_writers_of_one_file(run, tmp_path, name):
    """A few times; slow_outputs.py has more."""
    race(run, tmp_path / name, 5, points=3000)


def test_a_file_called_tmp_is_the_users(run, tmp_path):
    for name, words in (("t.md", ["compare", run.parents[2], "--output"]), ("x.csv", ["sample", run, "--out"]),
                        ("x.h5", ["sample", run, "--out"]), ("report.html", ["report", run.parents[2], "--out"])):
        (tmp_path / f"{name}.tmp").write_text("mine")
        program(*words, tmp_path / name)
        assert (tmp_path / f"{name}.tmp").read_text() == "mine"
        assert (tmp_path / name).stat().st_size
    (run.parent / "seed_0.h5.tmp").write_text("mine")
    train(CASES / "tiny.toml", run.parents[2], "--seeds", "1")
    program("analyze", run)
    assert (run.parent / "seed_0.h5.tmp").read_text() == "mine"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_links_and_modes_are_kept(run, tmp_path, mode):
    link, here = tmp_path / "link.h5", tmp_path / "here.h5"
    link.symlink_to("here.h5")
    here.symlink_to(os.path.relpath(run, tmp_path))  # of two links
    run.chmod(mode)
    program("analyze", link)
    assert link.is_symlink() and here.is_symlink() and not run.is_symlink()
    assert run.stat().st_mode & 0o777 == mode
    with h5py.File(run) as file:
        assert "analysis" in file
    for name, words in (("t.md", ["compare", run.parents[2], "--output"]), ("x.csv", ["sample", run, "--n", "3", "--out"]),
                        ("x.h5", ["sample", run, "--n", "3", "--out"])):
        target = tmp_path / f"kept_{name}"
        program(*words, target)
        if name == "x.csv":
            words = [*words[:-1], "--overwrite", "--out"]
        target.chmod(mode)
        (tmp_path / name).symlink_to(target.name)
        before = target.stat().st_ino
        program(*words, tmp_path / name)
        assert (tmp_path / name).is_symlink() and target.stat().st_mode & 0o777 == mode and target.stat().st_ino != before


def test_a_new_file_has_the_usual_mode(run, tmp_path):
    for name in ("x.csv", "x.h5"):
        program("sample", run, "--n", "3", "--out", tmp_path / name, preexec_fn=lambda: os.umask(0o027))
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o640


def test_a_link_to_nowhere_is_followed(run, tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "x.csv").symlink_to("far/x.csv")
    program("sample", run, "--n", "3", "--out", tmp_path / "x.csv")
    assert (tmp_path / "x.csv").is_symlink() and (tmp_path / "far/x.csv").is_file()


def test_a_log_through_a_link(runs, tmp_path):
    """A run's file that lies on another disk stays there."""
    folder = tmp_path / "runs/tiny/line"
    folder.mkdir(parents=True)
    (tmp_path / "disk").mkdir()
    (folder / "seed_0.h5").symlink_to(tmp_path / "disk/run.h5")
    train(CASES / "tiny.toml", tmp_path / "runs")
    assert (folder / "seed_0.h5").is_symlink()
    with h5py.File(tmp_path / "disk/run.h5") as file:
        assert file.attrs["kind"] == "result"
    assert not hidden(folder) and not hidden(tmp_path / "disk")


def test_streams_and_pipes_are_written_in_place(run, tmp_path):
    """/proc/self/fd/1 is what /dev/stdout points to; a wrong program with an administrator's rights would replace that link."""
    with open(tmp_path / "log", "w") as log:
        log.write("before\n")
        log.flush()
        subprocess.run([PROGRAM, "compare", run.parents[2], "--output", "/proc/self/fd/1"], stdout=log, check=True, timeout=60)
    text = (tmp_path / "log").read_text()
    assert text.startswith("before\n") and "kl_divergence" in text
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE, text=True)
    program("compare", run.parents[2], "--output", tmp_path / "pipe")
    assert "kl_divergence" in reader.communicate(timeout=60)[0] and (tmp_path / "pipe").is_fifo()
    done = program("sample", run, "--n", "3", "--out", tmp_path, code=2)
    (tmp_path / "folder.csv").mkdir()
    done = program("sample", run, "--n", "3", "--out", tmp_path / "folder.csv", code=IO)
    assert "is a folder" in done.stderr


def can_not_sync_folders():
    """A library that makes fsync of folders fail with EIO."""
    return """#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/stat.h>
int fsync(int fd){ struct stat s; int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
if (!fstat(fd, &s) && S_ISDIR(s.st_mode)) { errno = EIO; return -1; } return next(fd); }
"""


def test_a_folder_that_cannot_be_flushed(run, tmp_path):
    """The new file is there, and the message says so."""
    if "asan" in subprocess.run(["ldd", PROGRAM], capture_output=True, text=True, check=True).stdout:
        pytest.skip("the sanitizers' library wants to be loaded first")
    (tmp_path / "nosync.c").write_text(can_not_sync_folders())
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "nosync.so", tmp_path / "nosync.c", "-ldl"], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(tmp_path / "nosync.so")}
    for words in (["sample", run, "--n", "3", "--out", tmp_path / "x.csv"], ["analyze", run]):
        done = program(*words, code=IO, env=environment)
        assert "the new file is in place, but its folder cannot be flushed" in done.stderr, done.stderr
        assert "kept" not in done.stderr
    assert (tmp_path / "x.csv").read_text().startswith("x1,x2")
    with h5py.File(run) as file:
        assert "analysis" in file


# ---- what is replaced ----


def test_what_a_command_wrote_is_replaced(run, tmp_path):
    """Twice the same command is no error; neither is an empty file."""
    for words in (["sample", run, "--n", "3", "--out", tmp_path / "x.h5"],
                  ["compare", run.parents[2], "--output", tmp_path / "t.md"],
                  ["compare", run.parents[2], "--output", tmp_path / "t.md", "--format", "markdown"],
                  ["compare", run.parents[2], "--output", tmp_path / "t.csv", "--format", "csv"],
                  ["compare", run.parents[2], "--reference", tmp_path / "reference"],
                  ["report", run.parents[2], "--out", tmp_path / "report.html"],
                  ["floor", CASES / "tiny.toml", *SMALL, "--dataset", "line", "--draws", "2", "--out", tmp_path / "draws"],
                  ["oracle", CASES / "tiny.toml", *SMALL, "--dataset", "line", "--draws", "2", "--out", tmp_path / "draws"]):
        program(*words)
        program(*words)
    (tmp_path / "empty.csv").touch()
    program("sample", run, "--n", "3", "--out", tmp_path / "empty.csv")


@pytest.fixture
def others(run, tmp_path):
    """Files of many kinds, each of which some command could replace."""
    (tmp_path / "notes.md").write_text("# My notes\n")
    (tmp_path / "data.csv").write_text("x,y\n1,2\n3,4\n")
    np.save(tmp_path / "data.npy", np.zeros((4, 3)))
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["temperature"] = np.arange(10.)
    (tmp_path / "page.html").write_text("<!doctype html>\n<title>My page</title>\n")
    (tmp_path / "damaged.h5").write_bytes(run.read_bytes()[:-500])
    return tmp_path


def test_sample_keeps_points_of_the_user(run, tmp_path):
    """Those that look like its own, under the names of its columns and in its type."""
    rows = np.random.default_rng(1).normal(size=(50, 2)).astype(np.float32)
    np.save(tmp_path / "mine.npy", rows)
    np.savetxt(tmp_path / "mine.csv", rows, delimiter=",", header="x1,x2", comments="")
    (tmp_path / "short.csv").write_text("x1,x2\n" + "".join(f"{x},{y}\n" for x, y in rows))
    (tmp_path / "integers.csv").write_text("x1,x2\n1,2\n3,4\n")
    (tmp_path / "zeros.csv").write_bytes(b"x1,x2\n" + bytes(100))
    for path in sorted(tmp_path.glob("*.*")):
        before = path.read_bytes()
        refuses("sample", run, "--n", "3", "--out", path, says=["--overwrite", path])
        assert path.read_bytes() == before
        program("sample", run, "--n", "3", "--out", path, "--overwrite")
        if path.suffix == ".npy":
            program("sample", run, "--n", "4000", "--out", path)
            program("sample", run, "--n", "3", "--out", path)
        else:  # its own CSV cannot be told from those
            refuses("sample", run, "--n", "3", "--out", path, says=["--overwrite", path])


@pytest.mark.parametrize("name, inner", [("mine.csv", ""), ("mine.npy", ""), ("mine.h5", ":samples/x"), ("a:b.csv", "")])
def test_sample_never_replaces_the_data(run, tmp_path, name, inner):
    """Under any name, and with --overwrite."""
    data = tmp_path / name
    points = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    if name.endswith("npy"):
        np.save(data, points)
    elif name.endswith("csv"):
        np.savetxt(data, points, delimiter=",", header="x1,x2", comments="")
    else:
        program("sample", run, "--n", "100", "--out", data)
    program("train", CASES / "tiny.toml", *SMALL, "--dataset", f"{data}{inner}", "--threads", "1", "--quiet", "--out", tmp_path / "r")
    trained, = (tmp_path / "r").rglob("seed_0.h5")
    (tmp_path / f"link.{data.suffix}").symlink_to(data)
    for target in (data, tmp_path / f"link.{data.suffix}"):
        refuses("sample", trained, "--n", "3", "--out", target, "--overwrite", says=["was trained on", "choose another name", target])
    moved = data.rename(tmp_path / f"moved{data.suffix}")
    refuses("sample", trained, "--n", "3", "--dataset", f"{moved}{inner}", "--out", moved, "--overwrite", says=["was trained on", moved])


@pytest.mark.parametrize("ending", ["csv", "npy", "h5"])
def test_sample_replaces_points_only(run, others, ending):
    for path in sorted(others.glob("*.*")) + [run, *run.parent.glob("seed_0.*")]:
        target = path
        if path.suffix != f".{ending}":
            target = others / f"as_{path.stem}.{ending}"
            shutil.copy(path, target)
        refuses("sample", run, "--n", "3", "--out", target, says=[target])
        if target != run:
            copy = target.with_name(f"over_{target.name}")
            shutil.copy(target, copy)
            program("sample", run, "--n", "3", "--out", copy, "--overwrite")
    refuses("sample", run, "--n", "3", "--out", run, "--overwrite", says=["the run itself", run])


def test_tables_and_pages_replace_their_own_kind_only(run, others):
    for path in [*sorted(others.glob("*.*")), run]:
        refuses("compare", run.parents[2], "--output", path, says=["--overwrite", path])
        refuses("report", run.parents[2], "--out", path, says=["--overwrite", path])
    program("compare", run.parents[2], "--output", others / "notes.md", "--overwrite")
    assert "kl_divergence" in (others / "notes.md").read_text()
    program("report", run.parents[2], "--out", others / "page.html", "--overwrite")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_cannot_be_read_is_kept(run, others):
    (others / "notes.md").chmod(0)
    program("compare", run.parents[2], "--output", others / "notes.md", code=CONFLICT)


@pytest.mark.parametrize("command, name", [("floor", "floor"), ("oracle", "oracle_X")])
def test_draws_never_replace_a_run(tmp_path, command, name):
    """A configuration called `floor` or `oracle_X` was trained there."""
    for config in ("X", name):
        shutil.copy(CASES / "tiny.toml", tmp_path / f"{config}.toml")
    train(tmp_path / f"{name}.toml", tmp_path / "runs")
    path = tmp_path / "runs" / name / "line" / "seed_0.h5"
    words = [command, tmp_path / "X.toml", *SMALL, "--dataset", "line", "--draws", "1", "--out", tmp_path / "runs"]
    refuses(*words, says=["never replaced", "another --out", path])
    refuses(*words, "--overwrite", says=["never replaced", path])
    whole = path.read_bytes()
    path.write_bytes(whole[:-500])
    refuses(*words, says=["cannot be read now", path])
    with h5py.File(path, "w") as file:
        file["temperature"] = 1.
    refuses(*words, says=["cannot be read now", path])


@pytest.mark.parametrize("command, name", [("floor", "floor"), ("oracle", "oracle_X")])
def test_a_run_is_not_taken_for_finished_where_draws_are(tmp_path, command, name):
    for config in ("X", name):
        shutil.copy(CASES / "tiny.toml", tmp_path / f"{config}.toml")
    program(command, tmp_path / "X.toml", *SMALL, "--dataset", "line", "--draws", "1", "--out", tmp_path / "runs")
    path = tmp_path / "runs" / name / "line" / "seed_0.h5"
    refuses("train", tmp_path / f"{name}.toml", *SMALL, "--dataset", "line", "--out", tmp_path / "runs",
            says=["not a trained run", "another --out", path])


def test_draws_of_another_kind_or_configuration(run, tmp_path):
    words = ["floor", CASES / "tiny.toml", *SMALL, "--dataset", "line", "--draws", "1", "--out", tmp_path / "draws"]
    path = tmp_path / "draws/floor/line/seed_0.h5"
    program(*words)
    refuses(*words, "--set", "evaluation.samples=60", says=["another configuration", "--overwrite", path])
    program(*words, "--set", "evaluation.samples=60", "--overwrite")
    with h5py.File(path) as file:
        assert file["samples/x"].shape == (60, 2)
    evaluate = ["evaluate", run, "--out", tmp_path / "again"]
    path = tmp_path / "again/tiny/line/seed_0.h5"
    program(*evaluate)
    refuses(*evaluate, says=["--overwrite", path])
    program(*evaluate, "--overwrite")
    refuses("evaluate", run, "--out", run.parents[2], "--overwrite", says=["never replaced", run])


def test_the_experiments_own_final_info_is_kept(runs, tmp_path):
    folder = tmp_path / "runs/tiny"
    folder.mkdir(parents=True)
    theirs = folder / "final_info.json"
    text = '{"line": {"means": {"eval_loss": 0.8}, "stderrs": {"eval_loss": 0.0}, "final_info_dict": {"eval_loss": [0.8]}}}'
    theirs.write_text(text)
    done = subprocess.run([PROGRAM, "train", CASES / "tiny.toml", *SMALL, "--dataset", "line", "--out", tmp_path / "runs"],
                          capture_output=True, text=True, timeout=120)
    assert theirs.read_text() == text and str(theirs) in done.stderr and done.returncode == CONFLICT
    assert (folder / "line/seed_0.h5").is_file(), "the result is stored"
    refuses("compare", runs, "--reference", tmp_path / "runs", says=["--overwrite", theirs])
    theirs.unlink()
    (folder / "all_results.pkl").write_bytes(b"mine")
    refuses("compare", runs, "--reference", tmp_path / "runs", says=["--overwrite", folder / "all_results.pkl"])
