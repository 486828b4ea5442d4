"""Locks: each run has one writer, on file systems with and without flock, also if lock files are deleted meanwhile; and files
that another program holds open are not reported as damaged."""
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest

from small_job import PROGRAM, SOURCE

CASES = Path(SOURCE) / "tests" / "cases"
NO_LOCKS = [37, 38, 95, 524]  # ENOLCK, ENOSYS, EOPNOTSUPP, ENOTSUPP
IO, CONFLICT = 5, 6
SANITIZERS = re.findall(r"(/\S*lib(?:a|ub)san\S*)", subprocess.run(["ldd", PROGRAM], capture_output=True, text=True).stdout)
ENDLESS = ["--set", "training.steps=1000000", "--set", "training.checkpoint_every=50"]


@pytest.fixture(scope="module")
def no_flock(tmp_path_factory):
    """A library that makes flock fail, to be preloaded, and others of tests/cases with it."""
    folder = tmp_path_factory.mktemp("library")

    def environment(number, *more):
        libraries = [folder / f"{name}.so" for name in ("noflock", *more)]
        for library in libraries:
            if not library.exists():
                subprocess.run(["cc", "-shared", "-fPIC", "-o", library, CASES / f"{library.stem}.c", "-ldl"], check=True)
        return {"LD_PRELOAD": " ".join([*SANITIZERS, *map(str, libraries)]), "FLOCK_ERRNO": str(number)}

    return environment


def program(*words, environment=None, **options):
    return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **(environment or {})}, **options)


def words_of_training(out, *more):
    return [PROGRAM, "train", str(CASES / "tiny.toml"), "--dataset", "dino", "--backend", "cpu", "--threads", "1", "--out",
            str(out), *more]


def start(out, *more, environment=None):
    """A training that does not end by itself; returns when its log is there."""
    process = subprocess.Popen(words_of_training(out, *ENDLESS, *more), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               text=True, env={**os.environ, **(environment or {})})
    end = time.monotonic() + 60
    while not list(Path(out).glob("tiny/dino/seed_*.h5")):
        assert process.poll() is None and time.monotonic() < end, process.stderr.read()
        time.sleep(.01)
    return process


def stop(process, number=signal.SIGTERM):
    process.send_signal(number)
    return process.communicate(timeout=60)[1]


def fails(done, code, *fragments):
    assert done.returncode == code, (done.returncode, done.stderr)
    for fragment in fragments:
        assert fragment in done.stderr, done.stderr


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    out = tmp_path_factory.mktemp("good")
    done = subprocess.run(words_of_training(out, "--quiet"), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return out / "tiny" / "dino" / "seed_0.h5"


# ---- files that do not open ----


@pytest.fixture
def held(good, tmp_path):
    """A result that another program has open for writing, with its process number."""
    path = tmp_path / "seed_0.h5"
    shutil.copy(good, path)
    holder = subprocess.Popen([sys.executable, "-c", "import h5py, sys\nf = h5py.File(sys.argv[1], 'a')\n"
                               "print('open', flush=True)\nsys.stdin.read()", path],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "open\n"
    yield path, holder.pid
    holder.communicate("")


def test_a_file_that_a_notebook_holds_open(held, tmp_path):
    """No command calls the file damaged, and no command replaces it."""
    path, pid = held
    runs = tmp_path / "runs/tiny/dino"
    runs.mkdir(parents=True)
    (runs / "seed_0.h5").symlink_to(path)
    for words in (["info", path], ["sample", path], ["evaluate", path], ["analyze", path], ["compare", tmp_path / "runs"],
                  ["plot", tmp_path / "runs"], ["train", CASES / "tiny.toml", "--dataset", "dino", "--out", tmp_path / "runs"],
                  ["train", CASES / "tiny.toml", "--dataset", f"{path}:/samples/x", "--out", tmp_path / "other"]):
        done = program(*words)
        assert done.returncode == CONFLICT or words[0] in ("compare", "plot"), (words, done.stderr)
        for fragment in ("seed_0.h5", "another program has it open for writing", str(pid), "close it there"):
            assert fragment in done.stderr, (words, done.stderr)
        for word in ("damaged", "truncated", "remove", "delete"):
            assert word not in done.stderr, (words, done.stderr)


def test_a_file_that_is_marked_as_open(good, tmp_path):
    """A program that is killed while it writes leaves such a mark in a file of the newer format."""
    path = tmp_path / "marked.h5"
    subprocess.run([sys.executable, "-c", "import h5py, os, sys\nf = h5py.File(sys.argv[1], 'w', libver='latest')\n"
                    "f['x'] = 1\nf.close()\nf = h5py.File(sys.argv[1], 'a', libver='latest')\nf['y'] = 1\nf.flush()\n"
                    "os.kill(os.getpid(), 9)", path], check=False)
    fails(program("info", path), CONFLICT, "marked.h5", "marked as open for writing", "h5clear -s")


def test_damaged_files_are_called_so(good, tmp_path):
    whole = good.read_bytes()
    for name, content, words in (("cut.h5", whole[:-1000], [f"{len(whole) - 1000} of {len(whole)} bytes"]),
                                 ("hole.h5", whole[:48] + bytes(2000) + whole[2048:], ["damaged"]),
                                 ("empty.h5", b"", ["not an HDF5 file"])):
        (tmp_path / name).write_bytes(content)
        done = program("info", tmp_path / name)
        fails(done, IO, name, *words)
        assert "remove" not in done.stderr and "delete" not in done.stderr


# ---- no flock ----


@pytest.mark.parametrize("number", NO_LOCKS)
def test_reading_without_flock(good, no_flock, number):
    for words in (["info", good], ["compare", good.parents[2]], ["sample", good, "--n", "3"]):
        done = program(*words, environment=no_flock(number))
        assert done.returncode == 0, (words, done.stderr)
    wanted = program("info", good, environment={**no_flock(number), "HDF5_USE_FILE_LOCKING": "TRUE"})
    if number != 38:
        fails(wanted, IO, str(good), "no locks", "HDF5_USE_FILE_LOCKING", "unset it")


@pytest.mark.skipif(bool(SANITIZERS), reason="Python would be run under them")
def test_plot_without_flock(good, no_flock, tmp_path):
    done = program("plot", good.parents[2], "--out", tmp_path / "plots", environment=no_flock(37))
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "plots").glob("*.png"))


@pytest.mark.parametrize("number", NO_LOCKS)
def test_training_without_flock(good, no_flock, number, tmp_path):
    done = program(*words_of_training(tmp_path, "--quiet")[1:], environment=no_flock(number))
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.rglob(".*.claim")), "claims are removed at the end"
    with h5py.File(good) as one, h5py.File(tmp_path / "tiny/dino/seed_0.h5") as other:
        assert one["samples/x"][()].tobytes() == other["samples/x"][()].tobytes()


@pytest.fixture(params=["flock", "claim", "setting"])
def kind(request, no_flock):
    """The environment of each kind of lock."""
    return {"flock": {}, "claim": no_flock(37), "setting": {"HDF5_USE_FILE_LOCKING": "FALSE"}}[request.param]


def test_one_writer(kind, tmp_path):
    first = start(tmp_path, environment=kind)
    try:
        second = program(*words_of_training(tmp_path, *ENDLESS)[1:], environment=kind)
        fails(second, CONFLICT, "seed_0.h5", "another dualdiff is writing it", str(first.pid))
        other = program(*words_of_training(tmp_path, "--seeds", "1")[1:], environment=kind)
        assert other.returncode == 0, other.stderr  # another seed is no conflict
        with h5py.File(tmp_path / "tiny/dino/seed_0.h5", "r", swmr=True, locking=False) as log:
            assert log["train/loss"].shape[0] >= 0  # and the log can be watched
    finally:
        errors = stop(first)
    assert first.returncode == 130, errors


def test_a_claim_with_a_flock(no_flock, tmp_path):
    """One machine has flock, the other does not: the one with flock also looks for a claim."""
    first = start(tmp_path, environment=no_flock(95))
    try:
        fails(program(*words_of_training(tmp_path, *ENDLESS)[1:]), CONFLICT, "another dualdiff is writing it", str(first.pid))
    finally:
        stop(first)


def claim_of(out):
    return out / "tiny/dino/.seed_0.h5.claim"


def test_a_stale_claim_is_taken_over(no_flock, tmp_path):
    first = start(tmp_path, environment=no_flock(37))
    stop(first, signal.SIGKILL)
    left = claim_of(tmp_path).read_text()
    assert f"host {socket.gethostname()}\n" in left and f"process {first.pid} " in left, left
    takes_over(tmp_path, no_flock(37))
    assert not list(tmp_path.rglob(".*.claim*"))


@pytest.fixture
def left_claim(no_flock, tmp_path):
    """A folder with a log and the claim of a writer that was killed: the writer's number, and how to change the claim."""
    first = start(tmp_path, environment=no_flock(37))
    text = claim_of(tmp_path).read_text()
    stop(first, signal.SIGKILL)
    return first.pid, lambda old, new: claim_of(tmp_path).write_text(text.replace(old, new))


def takes_over(out, environment):
    again = start(out, environment=environment)
    end = time.monotonic() + 60
    while not claim_of(out).exists() or f"process {again.pid} " not in claim_of(out).read_text():
        assert again.poll() is None and time.monotonic() < end
        time.sleep(.01)
    errors = stop(again)
    assert again.returncode == 130, errors


def test_a_claim_of_this_host_before_it_was_started_again(no_flock, left_claim, tmp_path):
    left_claim[1]("boot ", "boot 0")
    takes_over(tmp_path, no_flock(37))


def test_a_claim_of_another_host_of_the_same_name(no_flock, left_claim, tmp_path):
    """It was started at another time, and no equal machine says that it is this one."""
    number, change = left_claim
    text = claim_of(tmp_path).read_text()
    for other in re.sub("machine .*", "machine 0123456789abcdef", text), re.sub("machine .*\n", "", text):
        claim_of(tmp_path).write_text(other.replace("boot ", "boot 0"))
        fails(program(*words_of_training(tmp_path)[1:], environment=no_flock(37)), CONFLICT, f"process {number} on host", "only that one")
        assert claim_of(tmp_path).exists()


def test_a_claim_whose_process_is_hidden(no_flock, tmp_path):
    """Another user's, under hidepid: it is not in /proc, but it lives."""
    hiding = no_flock(37, "hidepid")
    first = start(tmp_path, environment=no_flock(37))
    try:
        fails(program(*words_of_training(tmp_path)[1:], environment=hiding), CONFLICT, "another dualdiff is writing it", str(first.pid))
        # The same without the lock on the folder.
        (tmp_path / "other/tiny/dino").mkdir(parents=True)
        shutil.copy(claim_of(tmp_path), tmp_path / "other/tiny/dino")
        fails(program(*words_of_training(tmp_path / "other")[1:], environment=hiding), CONFLICT, f"process {first.pid} ")
        assert claim_of(tmp_path / "other").exists()
    finally:
        stop(first, signal.SIGKILL)
    takes_over(tmp_path, hiding)


def test_a_claim_of_another_host(no_flock, left_claim, tmp_path):
    """This machine cannot check the process: the message says who has the run since when, and what exactly to do."""
    number, change = left_claim
    change("host ", "host other-")
    done = program(*words_of_training(tmp_path)[1:], environment=no_flock(37))
    fails(done, CONFLICT, "seed_0.h5", f"process {number} on host other-", "since 20", str(claim_of(tmp_path)), "only that one")
    assert claim_of(tmp_path).exists()


def test_a_process_number_that_was_given_again(no_flock, left_claim, tmp_path):
    """The claim names a process that lives, but began at another time."""
    number, change = left_claim
    change(f"process {number} ", f"process {os.getpid()} ")
    takes_over(tmp_path, no_flock(37))


def test_an_empty_claim_is_respected(no_flock, tmp_path):
    (tmp_path / "tiny/dino").mkdir(parents=True)
    claim_of(tmp_path).write_text("")
    fails(program(*words_of_training(tmp_path)[1:], environment=no_flock(37)), CONFLICT, str(claim_of(tmp_path)), "only that one")


def test_many_at_a_stale_claim(no_flock, tmp_path):
    """If several processes find it at the same time, only one trains."""
    first = start(tmp_path, environment=no_flock(37))
    stop(first, signal.SIGKILL)
    several = [subprocess.Popen(words_of_training(tmp_path, *ENDLESS), stderr=subprocess.PIPE, text=True,
                                env={**os.environ, **no_flock(37)}) for _ in range(4)]
    end = time.monotonic() + 60
    while sum(process.poll() is None for process in several) > 1:
        assert time.monotonic() < end
        time.sleep(.02)
    left = [process for process in several if process.poll() is None]
    for process in several:
        if process not in left:
            assert process.returncode == CONFLICT, process.stderr.read()
    assert len(left) == 1
    stop(left[0])


# ---- deleted lock files ----


def test_a_deleted_lock_file_admits_no_second_writer(kind, tmp_path):
    first = start(tmp_path, environment=kind)
    try:
        files = [path for path in (tmp_path / "tiny/dino").iterdir() if path.suffix in (".lock", ".claim")]
        assert files
        for path in files:
            path.unlink()
        fails(program(*words_of_training(tmp_path, *ENDLESS)[1:], environment=kind), CONFLICT, "another dualdiff is writing it")
        other = program(*words_of_training(tmp_path, "--seeds", "1")[1:], environment=kind)
        assert other.returncode == 0, other.stderr
    finally:
        errors = stop(first)
    assert first.returncode == 130, errors


def test_a_deleted_lock_file_is_made_again(kind, tmp_path):
    """At the next checkpoint; so machines that do not see each other's locks on folders have one again."""
    first = start(tmp_path, environment=kind)
    try:
        path = next(path for path in (tmp_path / "tiny/dino").iterdir() if path.suffix in (".lock", ".claim"))
        path.unlink()
        end = time.monotonic() + 60
        while not path.exists():
            assert first.poll() is None and time.monotonic() < end
            time.sleep(.01)
    finally:
        errors = stop(first)
    assert first.returncode == 130, errors


def test_a_pipe_is_not_waited_for(tmp_path):
    folder = tmp_path / "tiny/dino"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "seed_0.h5")
    fails(program("info", folder / "seed_0.h5"), IO, "a pipe", str(folder))
    fails(subprocess.run(words_of_training(tmp_path), capture_output=True, text=True, timeout=60), IO, "a pipe")


def test_a_lock_that_is_lost_while_measuring(tmp_path):
    """Files that another process has written meanwhile are not replaced."""
    process = subprocess.Popen(words_of_training(tmp_path, "--set", "evaluation.samples=20000"), stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "evaluating" in line:
            break
    lock = tmp_path / "tiny/dino/.seed_0.h5.lock"
    lock.unlink()
    with open(lock, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        message = process.stderr.read()
        assert process.wait(60) == CONFLICT, message
    assert "another dualdiff holds it now" in message
    with h5py.File(tmp_path / "tiny/dino/seed_0.h5", swmr=True) as file:
        assert file.attrs["kind"] == "log"
    assert (tmp_path / "tiny/dino/seed_0.checkpoint").exists()


def test_a_lost_claim_stops_the_writer(no_flock, tmp_path):
    """As if another machine had deleted the claim and taken it."""
    first = start(tmp_path, environment=no_flock(37))
    path = claim_of(tmp_path)
    text = path.read_text()
    path.unlink()
    path.with_suffix(".new").write_text(text.replace("host ", "host other-"))
    path.with_suffix(".new").rename(path)
    try:
        _, errors = first.communicate(timeout=60)
    finally:
        first.kill()
    assert first.returncode == CONFLICT and "another dualdiff holds it now" in errors, errors
    assert "host other-" in path.read_text(), "and its claim is not changed"
