"""The program as a user meets it: help, mistakes and their exit codes, and that mistakes leave files as they were."""
import fcntl
import json
import os
import pty
import re
import resource
import shutil
import signal
import struct
import subprocess
import termios
import time

import h5py
import numpy as np
import pytest

import small_job
from small_job import CONFIG, PROGRAM, SOURCE, command, run

INTERNAL, USAGE, CONFIGURATION, DATA, IO, CONFLICT, NUMERIC, MEMORY, BACKEND = range(1, 10)
COMMANDS = ["train", "sample", "evaluate", "compare", "plot", "info", "analyze", "report", "cost", "oracle", "floor", "datasets"]
SHORT = {"training.steps": 120}


def program(*words, **options):
    return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=60, **options)


def fails(done, code, *fragments):
    """It ended with `code` and one message that has all the fragments."""
    assert done.returncode == code, done.stderr
    message = done.stderr[re.search(r"^dualdiff: ", done.stderr, re.M).start():]
    for fragment in fragments:
        assert fragment in message, message


def train(out, *more, **options):
    return program(*command(out, *more, settings=options.pop("settings", SHORT), config=options.pop("config", CONFIG))[1:],
                   **options)


def bytes_of(folder):
    """Contents of all files but locks, which are empty."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("finished")
    run(command(out, "--dataset", "dino", "--seeds", "0-1", settings=SHORT))
    return out / "run_3" / "dino" / "seed_0.h5"


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory):
    """A folder with a log and a checkpoint of a run that was stopped."""
    out = tmp_path_factory.mktemp("unfinished")
    code, errors = small_job.interrupt(command(out, "--dataset", "dino", settings={"training.steps": 100000}),
                                       small_job.appears(out / "run_3/dino/seed_0.h5"), signal.SIGINT)
    assert code == 130, errors
    return out


# ---- help ----


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(name):
    done = program(name, "--help")
    assert done.returncode == 0 and not done.stderr
    heads = re.findall(r"^[A-Z][A-Z ]+$", done.stdout, re.M)
    assert heads == ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES"]
    synopsis = done.stdout[done.stdout.index("SYNOPSIS"):done.stdout.index("DESCRIPTION")]
    options = re.findall(r"^    --(\w+)", done.stdout, re.M)
    assert options[-1] == "help"
    assert set(re.findall(r"--(\w+)", synopsis)) == set(options) - {"help"}
    assert all(len(line) <= 100 for line in done.stdout.splitlines())
    assert program(name, "-h").stdout == done.stdout


def test_help_and_version():
    done = program("--help")
    assert done.returncode == 0 and not done.stderr
    assert all(re.search(rf"^    {name} ", done.stdout, re.M) for name in COMMANDS)
    for code in [*range(11), 130]:
        assert re.search(rf"^    {code} +\w", done.stdout, re.M), code
    done = program("--version")
    assert done.returncode == 0 and re.match(r"dualdiff \d+\.\d+\.\d+ \(commit .+\)\n", done.stdout)
    assert re.search(r"^backend cpu: .+, \d+ threads?$", done.stdout, re.M)
    assert re.search(r"^backend cuda: ", done.stdout, re.M) and done.stdout.count("backend cuda") == 1


# ---- datasets ----


def test_datasets():
    """One table: the command, the list in docs/datasets.md, and what `info` knows by name."""
    done = program("datasets")
    assert done.returncode == 0 and not done.stderr
    with open(f"{SOURCE}/docs/datasets.md") as file:
        assert f"```\n{done.stdout}```\n" in file.read(), "copy what `dualdiff datasets` prints into docs/datasets.md"
    rows = {line.split()[0]: line.split(maxsplit=4)[1:] for line in done.stdout.split("\n\n")[0].splitlines()[1:]}
    assert len(rows) >= 26
    assert rows["dino"] == ["experiment", "2", "142", "the Datasaurus: a dinosaur"]
    assert rows["moons"][:3] == ["experiment", "2", "-"] and rows["eight_gaussians"][:3] == ["literature", "2", "8"]
    assert rows["gaussians"][:3] == ["space", "8*", "16"]
    for name, (kind, dimensions, modes, what) in rows.items():
        info = program("info", name.replace("NAME", "dino")).stdout
        count = {"-": "none", "NAME's": "142"}.get(modes, modes)
        assert kind in info and what in info and re.search(rf"^modes +{count}\b", info, re.M), info
        assert len(re.findall(r"^x\d+ +from", info, re.M)) == int(dimensions.rstrip("*")), info


# ---- mistakes on the command line and in a configuration ----


@pytest.mark.parametrize("words, fragments", [
    ([], ["command is missing"]),
    (["trian"], ["'trian'", "did you mean 'train'?"]),
    (["xyzzy"], ["'xyzzy'", "--help"]),
    (["train"], ["CONFIG is missing", "usage: dualdiff train"]),
    (["train", "a.toml", "b.toml"], ["'b.toml'", "unexpected word"]),
    (["train", CONFIG, "--sedes", "1"], ["--sedes", "did you mean --seeds?"]),
    (["sample", "a.h5", "--sede=1"], ["--sede", "did you mean --seed?"]),
    (["train", CONFIG, "--zzzzzz"], ["--zzzzzz", "dualdiff train --help"]),
    (["train", CONFIG, "-q"], ["-q", "two dashes"]),
    (["train", CONFIG, "--quiet=1"], ["--quiet takes no value"]),
    (["train", CONFIG, "--out"], ["--out needs a value (DIR)"]),
    (["train", CONFIG, "--out", "--quiet"], ["--out needs a value (DIR)"]),
    (["train", CONFIG, "--out="], ["--out needs a value (DIR)"]),
    (["train", CONFIG, "--seeds", ""], ["--seeds needs a value (LIST)"]),
    (["train", "--set", "training.steps=3", CONFIG], ["CONFIG is missing", "--set", "put it before them"]),
    (["train", CONFIG, "--set", "training.steps"], ["--set training.steps", "section.key=value"]),
    (["train", CONFIG, "--threads", "two"], ["--threads two", "whole number from 0"]),
    (["train", CONFIG, "--threads", "-1"], ["--threads -1", "whole number from 0"]),
    (["sample", "a.h5", "--n", "0"], ["--n 0", "from 1 to"]),
    (["sample", "a.h5", "--n", "10k"], ["--n 10k"]),
    (["sample", "a.h5", "--out", "x.txt"], ["x.txt", ".csv"]),
    (["sample", "a.h5", "--out", "points"], ["points", ".csv"]),
] + [(["train", CONFIG, "--seeds", seeds], [f"--seeds {seeds}", "0-4"])
     for seeds in ("a", "3-1", "1,,2", "1,", "-1", "0-", "1-2-3", "0x10", "99999999999999999999", "0-1000000")])
def test_wrong_command_line(words, fragments):
    fails(program(*words), USAGE, *fragments)


def test_unknown_dataset_and_backend(tmp_path):
    fails(train(tmp_path / "out", "--dataset", "dion"), IO, "'dion'", "did you mean 'dino'?")
    fails(train(tmp_path / "out", "--dataset", "dino", "--backend", "gpu0"), USAGE, "'gpu0'", "cuda")
    fails(train(tmp_path / "out", "--dataset", "dino", "--backend", "cqu"), USAGE, "'cqu'", "did you mean")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text, fragments", [
    ("[training]\nlearning_rat = 1e-3\n", ["c.toml", "line 2", "learning_rat", "learning_rate"]),
    ("[model]\n\n[trainig]\n", ["c.toml", "line 3", "trainig", "training"]),
    ("[training]\nsteps = \"many\"\n", ["c.toml", "line 2", "steps"]),
    ("[training]\nsteps = 2.5\n", ["c.toml", "line 2", "steps"]),
    ("[training]\nsteps = 0\n", ["c.toml", "line 2", "steps"]),
    ("[training]\n\nlearning_rate = -1.0\n", ["c.toml", "line 3", "learning_rate"]),
    ("[training]\nlearning_rate = nan\n", ["c.toml", "line 2", "learning_rate"]),
    ("[diffusion]\nschedule = \"linaer\"\n", ["c.toml", "line 2", "linaer", "linear"]),
    ("[training\n", ["c.toml", "line 1"]),
])
def test_wrong_configuration(tmp_path, text, fragments):
    (tmp_path / "c.toml").write_text(text)
    fails(program("train", tmp_path / "c.toml", "--out", tmp_path / "out"), CONFIGURATION, *fragments)
    fails(program("info", tmp_path / "c.toml"), CONFIGURATION, *fragments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("assignment, fragments", [
    ("training.stepz=3", ["training.stepz", "steps"]),
    ("trianing.steps=3", ["trianing", "training"]),
    ("training.steps=-3", ["steps"]),
    ("model.activation=rleu", ["rleu", "relu"]),
    ("training.learning_rate=fast", ["learning_rate"]),
])
def test_wrong_override(tmp_path, assignment, fragments):
    fails(program("train", CONFIG, "--set", assignment, "--out", tmp_path / "out"), CONFIGURATION, "--set", *fragments)
    assert not (tmp_path / "out").exists()


def test_schedules_without_a_signal(tmp_path):
    """Refused before training; the advice in the message works."""
    done = program("train", CONFIG, "--set", "diffusion.beta_end=1", "--out", tmp_path / "out")
    fails(done, CONFIGURATION, "beta[99]", "lower beta_end")
    assert "timesteps" not in done.stderr
    for command_name in "train", "oracle":
        fails(program(command_name, CONFIG, "--set", "diffusion.timesteps=2000", "diffusion.beta_end=0.9", "sampling.steps=20", "--dataset", "dino", "--out",
                      tmp_path / "out"), CONFIGURATION, "timestep", "signal", "lower beta_end or timesteps")
    assert not (tmp_path / "out").exists()


def test_override_that_is_no_toml(tmp_path):
    """The message quotes what the user wrote, not generated text."""
    done = program("train", CONFIG, "--set", "diffusion.beta_end=.9", "--out", tmp_path / "out")
    fails(done, CONFIGURATION, "--set diffusion.beta_end=.9")
    assert "line" not in done.stderr


def test_missing_configuration(tmp_path):
    fails(program("train", tmp_path / "none.toml"), IO, "none.toml", "No such file")
    fails(program("train", tmp_path), IO, str(tmp_path))
    fails(program("info", tmp_path / "none.toml"), IO, "none.toml", "No such file")


# ---- a user's points ----


def broken_points():
    good = np.random.default_rng(0).normal(size=(40, 2))
    nan, infinite = good.copy(), good.copy()
    nan[16, 1], infinite[4, 0] = np.nan, np.inf
    text = [f"{x:.6f},{y:.6f}" for x, y in good]
    return [
        ("nan.csv", "\n".join(text[:9] + ["1,nan"] + text[9:]), ["nan.csv", "row 10"]),
        ("inf.csv", "\n".join(["x,y"] + text[:9] + ["inf,1"] + text[9:]), ["inf.csv", "row 11"]),
        ("wide.csv", "\n".join(text[:2] + ["1,2,3"] + text[2:]), ["wide.csv", "row 3", "3 columns"]),
        ("narrow.csv", "\n".join(text + ["1"]), ["narrow.csv", "row 41", "1 column"]),
        ("word.csv", "\n".join(text + ["1,two"]), ["word.csv", "row 41", "two"]),
        ("empty.csv", "", ["empty.csv"]),
        ("few.csv", "\n".join(text[:5]), ["few.csv", "5 points", "evaluation.k"]),
        ("nan.npy", nan.astype("float32"), ["nan.npy", "row 17"]),
        ("inf.npy", infinite, ["inf.npy", "row 5"]),
        ("wide.npy", np.ones((300, 200)), ["wide.npy", "200 columns", "at most 128"]),
        ("noise.npy", "no array at all", ["noise.npy"]),
        ("nan.h5", nan, ["nan.h5", "row 17"]),
    ]


@pytest.mark.parametrize("name, contents, fragments", broken_points(), ids=[b[0] for b in broken_points()])
def test_wrong_points(tmp_path, name, contents, fragments):
    path = tmp_path / name
    source = path
    if name.endswith(".h5"):
        with h5py.File(path, "w") as file:
            file["a/b"] = contents
        source = f"{path}:/a/b"
    elif isinstance(contents, str):
        path.write_text(contents)
    else:
        np.save(path, contents)
    before = bytes_of(tmp_path)
    # the wrong set is named last: no training begins before all datasets are checked
    fails(train(tmp_path / "out", "--dataset", "line", source), DATA, *fragments)
    assert bytes_of(tmp_path) == before


def test_missing_points(tmp_path):
    with h5py.File(tmp_path / "points.h5", "w") as file:
        file["points"] = np.zeros((10, 2))
    (tmp_path / "noise.h5").write_bytes(b"noise" * 100)
    for source, code, fragments in ((tmp_path / "none.csv", (DATA, IO), ["none.csv"]),
                                    (f"{tmp_path}/none.h5:/points", (DATA, IO), ["none.h5"]),
                                    (f"{tmp_path}/noise.h5:/points", (DATA, IO), ["noise.h5"]),
                                    (f"{tmp_path}/points.h5:/point", (DATA, IO), ["points.h5", "/point"])):
        done = train(tmp_path / "out", "--dataset", source)
        assert done.returncode in code
        fails(done, done.returncode, *fragments)
    assert not (tmp_path / "out").exists()


def test_two_sets_of_one_name(tmp_path):
    np.savetxt(tmp_path / "dino.csv", np.arange(20).reshape(10, 2), delimiter=",")
    fails(train(tmp_path / "out", "--dataset", "dino", tmp_path / "dino.csv"), USAGE, "dino.csv", "rename one")


# ---- files that are not what they should be ----


def damage(good, kind):
    if kind == "empty":
        return b""
    if kind == "text":
        return b"not HDF5 at all\n" * 64
    if kind == "cut":
        return good[:len(good) // 2]
    # Places whose damage HDF5 1.10 reports without leaking its own memory (bytes 100 to 1000 make it leak).
    first, behind = {"no root": (48, 100), "no attributes": (1000, 4000)}[kind]
    return good[:first] + bytes(behind - first) + good[behind:]


@pytest.mark.parametrize("kind", ["empty", "text", "cut", "no root", "no attributes", "missing"])
@pytest.mark.parametrize("name", ["sample", "evaluate", "info"])
def test_damaged_result(tmp_path, finished, name, kind):
    path = tmp_path / "run.h5"
    if kind != "missing":
        path.write_bytes(damage(finished.read_bytes(), kind))
    before = bytes_of(tmp_path)
    fails(program(name, path), IO, "run.h5")
    assert bytes_of(tmp_path) == before


@pytest.mark.parametrize("name", ["sample", "evaluate", "info"])
def test_foreign_result(tmp_path, name):
    with h5py.File(tmp_path / "run.h5", "w") as file:
        file["temperature"] = np.arange(10.)
    fails(program(name, tmp_path / "run.h5"), IO, "run.h5")


def test_parameters_that_make_no_points(finished, tmp_path):
    """Damaged files: the program gives no NaN as a result, and it never hangs."""
    path = tmp_path / "seed_0.h5"
    path.write_bytes(finished.read_bytes())
    with h5py.File(path, "a") as file:
        for name, tensor in file["parameters/ema"].items():
            if name.startswith("expert1"):
                tensor[...] = tensor[()] * np.float32(1e20)
    fails(program("sample", path, "--out", tmp_path / "points.csv"), NUMERIC, str(path), "NaN or infinite")
    fails(program("evaluate", path), NUMERIC, str(path), "NaN or infinite")
    assert not (tmp_path / "points.csv").exists()


@pytest.mark.parametrize("name", ["sample", "evaluate", "analyze", "info"])
def test_a_folder_where_a_file_is_wanted(finished, tmp_path, name):
    for folder in (finished.parent, finished.parents[1], finished.parents[2]):
        fails(program(name, folder), IO, f"{folder}: is a folder, but a file is expected; for instance {finished}\n")
    assert program(name, tmp_path).stderr == f"dualdiff: {tmp_path}: is a folder, but a file is expected\n"


@pytest.mark.parametrize("name", ["sample", "evaluate", "analyze"])
def test_a_name_where_a_file_is_wanted(finished, tmp_path, name):
    fails(program(name, "run_3", cwd=tmp_path), IO, "run_3: No such file", "for instance runs/run_1/dino/seed_0.h5 of `dualdiff train run_1`")
    shutil.copytree(finished.parents[1], tmp_path / "runs/run_3")
    fails(program(name, "run_3", cwd=tmp_path), IO, "run_3: No such file", "for instance runs/run_3/dino/seed_0.h5\n")


def test_info_of_points(tmp_path):
    (tmp_path / "points.csv").write_text("x,y\n1,2\n")
    fails(program("info", "points.csv", cwd=tmp_path), CONFIGURATION, "points.csv: neither an HDF5 file nor a configuration", "--dataset")


def test_more_threads_than_cores(finished):
    cores = len(os.sched_getaffinity(0))
    done = program("sample", finished, "--n", "1", "--threads", cores + 1)
    assert done.returncode == 0 and len(done.stderr.splitlines()) == 1, done.stderr
    assert f"dualdiff: warning: --threads {cores + 1}, but this process may use {cores} core" in done.stderr
    assert not program("sample", finished, "--n", "1", "--threads", cores).stderr


@pytest.mark.parametrize("name", ["sample", "evaluate"])
def test_not_a_result(finished, unfinished, name):
    fails(program(name, unfinished / "run_3/dino/seed_0.checkpoint"), IO, "seed_0.checkpoint", "checkpoint")
    fails(program(name, unfinished / "run_3/dino/seed_0.h5"), IO, "seed_0.h5", "not finished", "train")


@pytest.mark.parametrize("kind", ["empty", "text", "cut", "no root", "no attributes", "foreign"])
@pytest.mark.parametrize("name", ["seed_0.h5", "seed_0.checkpoint"])
def test_training_over_a_damaged_file(tmp_path, unfinished, name, kind):
    """The message names it; the program changes neither it nor any other file of the folder."""
    out = tmp_path / "out"
    shutil.copytree(unfinished, out)
    path = out / "run_3" / "dino" / name
    if kind == "foreign":
        path.unlink()
        with h5py.File(path, "w") as file:
            file["temperature"] = np.arange(10.)
    else:
        path.write_bytes(damage(path.read_bytes(), kind))
    before = bytes_of(out)
    done = train(out, "--dataset", "line", "dino", settings={"training.steps": 100000})
    fails(done, IO, name, "to another folder")
    assert bytes_of(out) == before


def test_log_of_a_checkpoint_is_missing(tmp_path, unfinished):
    out = tmp_path / "out"
    shutil.copytree(unfinished, out)
    (out / "run_3/dino/seed_0.h5").unlink()
    before = bytes_of(out)
    fails(train(out, "--dataset", "dino", settings={"training.steps": 100000}), IO, "seed_0.h5", "log")
    assert bytes_of(out) == before


# ---- another configuration, another writer ----


@pytest.mark.parametrize("settings, fragments", [
    ({"training.learning_rate": "1e-3"}, ["training.learning_rate", "0.001", "0.0003"]),
    ({"model.hidden_width": 32}, ["model.hidden_width", "32", "24"]),
    ({"diffusion.schedule": "cosine"}, ["diffusion.schedule", "cosine", "linear"]),
    ({"data.seed": 43}, ["other points", "data.seed", "43"]),
    ({"data.points": 501}, ["501", "500"]),
])
def test_resuming_with_another_configuration(finished, unfinished, settings, fragments):
    for out, steps in ((finished.parents[2], 120), (unfinished, 100000)):
        before = bytes_of(out)
        done = train(out, "--dataset", "dino", settings={"training.steps": steps, **settings})
        fails(done, CONFLICT, "seed_0", "--out", *fragments)
        assert "delete" not in done.stderr
        assert bytes_of(out) == before


def test_other_points_under_the_same_name(tmp_path):
    chance = np.random.default_rng(1)
    points = tmp_path / "mine.npy"
    np.save(points, chance.normal(size=(50, 2)))
    run(command(tmp_path / "out", "--dataset", str(points), settings=SHORT))
    np.save(points, chance.normal(size=(50, 2)))
    before = bytes_of(tmp_path / "out")
    fails(train(tmp_path / "out", "--dataset", points), CONFLICT, "mine/seed_0.h5", "other points")
    assert bytes_of(tmp_path / "out") == before


def test_threads_and_evaluation_may_change(tmp_path, unfinished):
    out = tmp_path / "out"
    shutil.copytree(unfinished, out)
    words = command(out, "--dataset", "dino", "--threads", "2",
                    settings={"training.steps": 100000, "evaluation.samples": 77})
    code, errors = small_job.interrupt(words, small_job.appears(out / "run_3/dino/seed_0.h5"), signal.SIGTERM)
    assert code == 130 and "resuming from step" in errors, errors


def test_two_writers(tmp_path):
    words = command(tmp_path, "--dataset", "dino", settings={"training.steps": 1000000})
    first = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        while not (tmp_path / "run_3/dino/seed_0.h5").exists():
            assert first.poll() is None
            time.sleep(.005)
        fails(subprocess.run(words, capture_output=True, text=True, timeout=60), CONFLICT, "seed_0.h5", "another dualdiff")
        assert first.poll() is None
        run(command(tmp_path, "--dataset", "dino", "--seeds", "1", settings=SHORT))  # another seed is no conflict
    finally:
        first.send_signal(signal.SIGINT)
        _, errors = first.communicate(timeout=60)
    assert first.returncode == 130, errors


# ---- places that cannot be written ----


def test_output_in_the_way(tmp_path):
    (tmp_path / "file").write_text("mine")
    fails(train(tmp_path / "file", "--dataset", "dino"), IO, f"{tmp_path}/file", "--out")
    assert (tmp_path / "file").read_text() == "mine"
    fails(train("/proc/dualdiff", "--dataset", "dino"), IO, "/proc/dualdiff", "--out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_read_only_output(tmp_path):
    for out in (tmp_path / "top", tmp_path / "inner" / "run_3" / "dino"):
        out.mkdir(parents=True)
        out.chmod(0o555)
        fails(train(tmp_path / out.relative_to(tmp_path).parts[0], "--dataset", "dino"), IO, str(out), "--out")
        assert not list(out.iterdir())
        out.chmod(0o755)


def limit(size):
    """No file may grow beyond `size` bytes: for the program the same as a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_no_space_left(tmp_path, unfinished):
    """An existing checkpoint stays, and training resumes from it when there is space again."""
    fails(train(tmp_path / "new", "--dataset", "dino", preexec_fn=limit(20000)), IO, "cannot be written")
    out = tmp_path / "out"
    shutil.copytree(unfinished, out)
    checkpoint = out / "run_3/dino/seed_0.checkpoint"
    log = out / "run_3/dino/seed_0.h5"
    good = checkpoint.read_bytes()
    size = max(log.stat().st_size, len(good)) + 200000
    done = train(out, "--dataset", "dino", settings={"training.steps": 100000}, preexec_fn=limit(size))
    fails(done, IO, "seed_0", "cannot be written")
    with h5py.File(checkpoint) as file:
        step = int(file.attrs["step"])
    assert step > 0
    code, errors = small_job.interrupt(command(out, "--dataset", "dino", settings={"training.steps": 100000}),
                                       small_job.appears(log), signal.SIGINT)
    assert code == 130 and f"resuming from step {step}" in errors, errors


def test_samples_to_a_full_device(finished, tmp_path):
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAM, "sample", finished], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    fails(done, IO, "standard output")
    done = program("sample", finished, "--out", tmp_path / "x.npy", "--n", "10000", preexec_fn=limit(1000))
    fails(done, IO, "x.npy")
    assert "was there before" not in done.stderr  # there was no earlier file
    assert not list(tmp_path.iterdir())


def test_folders_of_an_output_are_made_before_the_work(finished, tmp_path):
    (tmp_path / "file").touch()
    for words in (["sample", finished, "--n", 10, "--out", "A/x.csv"], ["compare", finished.parents[2], "--output", "A/t.md"],
                  ["evaluate", finished, "--out", "A"], ["report", finished.parents[2], "--out", "A/r.html"]):
        start = time.monotonic()
        fails(program(*[str(word).replace("A", str(tmp_path / "file/deeper")) if str(word)[0] == "A" else word for word in words]),
              IO, str(tmp_path / "file"), "cannot be created", "choose another folder with --out")
        assert time.monotonic() - start < 10
    for words in (["sample", finished, "--n", 10, "--out", tmp_path / "a/b/x.csv"],
                  ["compare", finished.parents[2], "--output", tmp_path / "c/d/t.md"]):
        assert program(*words).returncode == 0 and words[-1].stat().st_size


def test_a_backend_by_another_name(tmp_path):
    fails(program("train", CONFIG, "--dataset", "line", "--backend", "gpu", "--out", tmp_path), USAGE, "did you mean 'cuda'?")


@pytest.mark.parametrize("backend, fragments", [
    ("cpu:0", ["backend cpu has no devices to choose from", "--backend cpu"]), ("auto:1", ["auto takes no device", "cuda:1"]),
    ("gpu:1", ["unknown backend 'gpu'", "did you mean 'cuda'?"]), (":1", ["unknown backend ''"]),
    *((f"cuda:{number}", [f"backend cuda:{number}: the number of a device", "cuda:0"]) for number in ("", "x", "-1", "1x", " 1", "0x1", "99999999999"))])
def test_the_number_of_a_device(tmp_path, backend, fragments):
    fails(program("train", CONFIG, "--dataset", "line", "--backend", backend, "--out", tmp_path / "out"), USAGE, *fragments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["train", "sample", "evaluate", "analyze"])
def test_help_names_the_backends(command):
    listed = re.findall(r"^backend (\w+): ", program("--version").stdout, re.M)
    assert re.findall(r"--backend ([\w|]+)", program(command, "--help").stdout)[0].split("|") == ["auto", *listed]


def test_samples_do_not_replace_a_run(finished):
    before = finished.read_bytes()
    fails(program("sample", finished, "--n", "10", "--out", finished), CONFLICT, str(finished), "choose another name")
    assert finished.read_bytes() == before


def test_a_signal_ends_what_cannot_resume(finished):
    process = subprocess.Popen([PROGRAM, "sample", finished, "--n", "100000000"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == -signal.SIGTERM


def test_a_finished_run_says_that_it_was_measured_otherwise(finished):
    out = finished.parents[2]
    before = finished.read_bytes()
    for key, value in (("evaluation.k", 3), ("sampling.eta", 0)):
        done = train(out, "--dataset", "dino", settings={**SHORT, key: value})
        assert done.returncode == 0 and "another [sampling] or [evaluation]" in done.stderr
        assert f"{key}: {value}" in done.stderr and finished.read_bytes() == before


def test_a_copy_of_results_is_not_counted_again(tmp_path):
    run(command(tmp_path, "--dataset", "dino", settings=SHORT))
    shutil.copytree(tmp_path / "run_3/dino", tmp_path / "run_3/old/dino")
    run(command(tmp_path, "--dataset", "dino", "--seeds", "1", settings=SHORT))
    assert (tmp_path / "run_3/final_info.json").read_text().count('"dino"') == 1


def test_more_runs_than_open_files(tmp_path):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    fails(train(tmp_path, "--dataset", "dino", "--seeds", "0-40", preexec_fn=few), USAGE, "open files", "ulimit -n")


def test_a_closed_pipe_needs_no_message(finished):
    done = subprocess.run(f"'{PROGRAM}' sample '{finished}' --n 100000 --quiet | head -1", shell=True, capture_output=True, text=True,
                          timeout=60)
    assert done.stdout == "x1,x2,gate\n" and not done.stderr


# ---- a loss that is not finite ----


def test_the_others_of_an_ensemble_are_trained_to_their_end(tmp_path):
    """One of three has points so large that its loss is infinite."""
    np.savetxt(tmp_path / "far.csv", 1e30 * (1 + np.arange(200).reshape(100, 2)), delimiter=",")
    datasets = ["--dataset", "dino", "--dataset", str(tmp_path / "far.csv"), "--dataset", "line"]
    settings = {**SHORT, "diffusion.prediction": "x0", "data.scale": "none"}
    done = train(tmp_path / "three", *datasets, settings=settings)
    fails(done, NUMERIC, "far, seed 0: step 0: loss", "its training stopped", "no checkpoint was written yet")
    kinds = {}
    for path in sorted((tmp_path / "three").glob("*/*/seed_0.h5")):
        with h5py.File(path) as file:
            kinds[path.parent.name] = file.attrs["kind"]
    assert kinds == {"dino": "result", "far": "log", "line": "result"}
    assert train(tmp_path / "two", "--dataset", "dino", "--dataset", "line", settings=settings).returncode == 0
    for name in "dino", "line":
        one, other = (next((tmp_path / folder).glob(f"*/{name}/seed_0.h5")) for folder in ("three", "two"))
        with h5py.File(one) as a, h5py.File(other) as b:
            assert a["samples/x"][()].tobytes() == b["samples/x"][()].tobytes()
    again = train(tmp_path / "three", *datasets, settings=settings)
    fails(again, NUMERIC, "far, seed 0: step 0")
    assert "2 of 3 runs were finished before" in again.stderr


def test_loss_becomes_nan(tmp_path):
    fails(train(tmp_path, "--dataset", "dino", settings={**SHORT, "training.learning_rate": "1e30"}), NUMERIC, "dino", "seed 0",
          "step 1", "no checkpoint", "training.learning_rate")
    with h5py.File(tmp_path / "run_3/dino/seed_0.h5", swmr=True) as file:
        assert file.attrs["kind"] == "log"
    assert not (tmp_path / "run_3/dino/seed_0.checkpoint").exists()
    log = tmp_path / "run_3/dino/seed_0.h5"
    fails(train(tmp_path, "--dataset", "dino"), CONFLICT, "ended before its first checkpoint", "loss became NaN", "delete the log", str(log),
          "--name run_3_learning_rate_0.0003, or another --out")
    assert log.exists()
    log.unlink()
    assert train(tmp_path, "--dataset", "dino").returncode == 0


def test_the_last_good_checkpoint_is_kept(tmp_path):
    settings = {"training.learning_rate": 100.0, "training.weight_decay": 0.0202, "training.checkpoint_every": 1}
    fails(train(tmp_path, "--dataset", "dino", settings=settings), NUMERIC, "step 3", "checkpoint of step 3 was kept",
          "seed_0.checkpoint")
    checkpoint = tmp_path / "run_3/dino/seed_0.checkpoint"
    good = checkpoint.read_bytes()
    with h5py.File(checkpoint) as file:
        assert file.attrs["step"] == 3
        assert all(np.isfinite(tensor[()]).all() for tensor in file["parameters/online"].values())
    fails(train(tmp_path, "--dataset", "dino", settings=settings), NUMERIC, "checkpoint of step 3 was kept")
    assert checkpoint.read_bytes() == good


def test_last_update_spoils_the_network(tmp_path):
    """The loss of the only step is finite, but the parameters after its update are not: no result is written."""
    settings = {"training.learning_rate": "1e30", "training.steps": 1}
    fails(train(tmp_path, "--dataset", "dino", settings=settings), NUMERIC, "dino", "seed 0", "no result was written")
    assert not (tmp_path / "run_3/final_info.json").exists()



def test_runs_measured_together_are_those_measured_alone(tmp_path):
    for threads in ("1", "3"):
        run(command(tmp_path / threads, "--dataset", "dino", "line", "--seeds", "0-3", "--threads", threads, settings=SHORT))
    for dataset in ("dino", "line"):
        for seed in range(4):
            path = f"run_3/{dataset}/seed_{seed}.h5"
            small_job.assert_equal_results(tmp_path / "1" / path, tmp_path / "3" / path)


# ---- what it writes and prints when all is well ----


def final_info(out):
    return json.loads((out / "run_3/final_info.json").read_text())


def test_final_info_grows_over_invocations(tmp_path):
    four = {"training_time", "eval_loss", "inference_time", "kl_divergence"}
    run(command(tmp_path, "--dataset", "dino", settings=SHORT))
    alone = final_info(tmp_path)
    assert alone.keys() == {"dino"} and alone["dino"].keys() == {"means"} and alone["dino"]["means"].keys() == four
    run(command(tmp_path, "--dataset", "dino", "line", "--seeds", "0-2", settings=SHORT))
    both = final_info(tmp_path)
    assert both.keys() == {"dino", "line"} and both["dino"].keys() == {"means", "stderrs"}
    values = []
    for seed in range(3):
        with h5py.File(tmp_path / f"run_3/dino/seed_{seed}.h5") as file:
            values.append({name: file[f"metrics/{name}"][()] for name in four})
    for name in four:
        column = np.array([v[name] for v in values])
        assert both["dino"]["means"][name] == pytest.approx(column.mean(), rel=1e-12)
        assert both["dino"]["stderrs"][name] == pytest.approx(column.std(ddof=1) / np.sqrt(3), rel=1e-9)


def test_final_info_is_made_again(tmp_path):
    """A kill right after the last result leaves no final_info.json; the next call writes it, although all runs are finished."""
    words = command(tmp_path, "--dataset", "dino", settings=SHORT)
    run(words)
    before = final_info(tmp_path)
    (tmp_path / "run_3/final_info.json").unlink()
    assert "nothing is left to do" in run(words)
    assert final_info(tmp_path) == before


def test_training_time_is_shared(finished):
    times = []
    for seed in (0, 1):
        with h5py.File(finished.with_name(f"seed_{seed}.h5")) as file:
            assert file.attrs["replicas"] == 2
            times.append(file["metrics/training_time"][()])
    assert times[0] == pytest.approx(times[1], rel=.5) and times[0] > 0


def test_evaluate_gives_the_stored_numbers(finished):
    done = program("evaluate", finished)
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()[3:]}
    with h5py.File(finished) as file:
        stored = {name: value[()] for name, value in file["metrics"].items()}
    names = stored.keys() - {"training_time", "inference_time"}
    assert {"eval_loss", "heldout_loss", "kl_divergence", "modes_captured", "coverage", "mean_distance"} <= names
    for name in names:
        assert float(rows[name][1]) == pytest.approx(stored[name], rel=1e-8)
        assert float(rows[name][3]) == 0., "to the last bit"
    assert stored["modes"] == 142
    assert float(rows["inference_time"][1]) > 0


def test_evaluate_adds_what_an_older_program_did_not_know(finished, tmp_path):
    names = ["heldout_loss", "excess_loss", "excess_loss_error", "denoiser_error", "heldout_kl", "copy_floor"]
    older = shutil.copy(finished, tmp_path)
    with h5py.File(older, "r+") as file:
        before = {name: file["metrics"][name][()] for name in names}
        for name in names:
            del file["metrics"][name]
    done = program("evaluate", older, "--complete")
    assert done.returncode == 0 and all(f"added {name}" in done.stdout for name in names)
    with h5py.File(older) as file:
        assert {name: file["metrics"][name][()] for name in names} == before


def test_evaluate_on_other_points(finished, tmp_path):
    done = program("evaluate", finished, "--dataset", "line")
    assert done.returncode == 0 and "not the points it was trained on" in done.stdout
    np.savetxt(tmp_path / "mine.csv", np.random.default_rng(2).normal(size=(60, 2)), delimiter=",")
    done = program("evaluate", finished, "--dataset", tmp_path / "mine.csv")
    assert done.returncode == 0 and "heldout_loss" not in done.stdout
    np.savetxt(tmp_path / "few.csv", np.zeros((3, 2)), delimiter=",")
    fails(program("evaluate", finished, "--dataset", tmp_path / "few.csv"), DATA, "few.csv")


def test_evaluate_under_another_sampler(finished, tmp_path):
    """What --config, or --set, changes is stored and printed; the run stays as it is, and so do results that are there."""
    before = bytes_of(finished.parent)
    with h5py.File(finished) as file:
        text = file["config"][()].decode()
    changed, count = re.subn(r"(?m)^(\[sampling\]\nsteps = )0", r"\g<1>5", text)
    assert count == 1
    (tmp_path / "few.toml").write_text(changed)
    done = program("evaluate", finished, "--config", tmp_path / "few.toml", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()[3:]}
    with h5py.File(tmp_path / "few/dino/seed_0.h5") as file:
        few = file["samples/x"][()]
        assert "steps = 5 " in file["config"][()].decode()
        assert "training_time" not in file["metrics"], "of a network that was trained elsewhere, maybe on another machine"
        for name in ("kl_divergence", "eval_loss", "coverage"):
            assert float(rows[name][1]) == pytest.approx(file[f"metrics/{name}"][()], rel=1e-8)
            assert (float(rows[name][3]) == 0.) == (name == "eval_loss"), "the networks are the same, the samples are not"
    fails(program("evaluate", finished, "--config", tmp_path / "few.toml", "--out", tmp_path), CONFLICT, "few/dino/seed_0.h5", "--out")
    done = program("evaluate", finished, "--set", "sampling.steps=5", "--out", tmp_path / "set")
    with h5py.File(tmp_path / "set/run_3/dino/seed_0.h5") as file:
        assert np.array_equal(file["samples/x"], few)
    fails(program("evaluate", finished, "--set", "model.hidden_width=32"), USAGE, "model.hidden_width", "32", "24")
    fails(program("evaluate", finished, "--dataset", "line", "--out", tmp_path / "other"), USAGE, "line", "--out")
    assert not (tmp_path / "other").exists() and bytes_of(finished.parent) == before


@pytest.mark.parametrize("fixture, sampler", [("finished", []), ("four", []), ("finished", ["sampling.steps=5", "sampling.eta=0"])])
def test_what_evaluate_stores_can_be_traced(fixture, sampler, request, tmp_path):
    """Start and gate are there: those of the run itself, or, of another sampler, the same start and the gate of its samples."""
    path = request.getfixturevalue(fixture)
    done = program("evaluate", path, *(word for value in sampler for word in ("--set", value)), "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    (stored,) = tmp_path.glob("*/*/seed_0.h5")
    with h5py.File(path) as ours, h5py.File(stored) as theirs:
        equal = {name: np.array_equal(ours[f"samples/{name}"], theirs[f"samples/{name}"]) for name in ("x", "initial_noise", "gate")}
        assert list(theirs["samples"]) == list(ours["samples"]) and theirs["samples/gate"].dims[0][0] == theirs["samples/sample"]
    assert equal == {"x": not sampler, "initial_noise": True, "gate": not sampler}


@pytest.mark.parametrize("name", ["mine", "dino"])
def test_evaluate_wants_the_file_it_was_trained_on(tmp_path, name):
    points = tmp_path / f"{name}.csv"
    np.savetxt(points, np.random.default_rng(3).normal(size=(60, 2)), delimiter=",")
    run(command(tmp_path / "out", "--dataset", str(points), settings=SHORT))
    result = tmp_path / f"out/run_3/{name}/seed_0.h5"
    points = points.rename(tmp_path / "moved.csv")
    fails(program("evaluate", result), IO, f"{name}.csv", "--dataset")
    done = program("evaluate", result, "--dataset", points)
    assert done.returncode == 0 and "not the points" not in done.stdout
    row = next(line.split() for line in done.stdout.splitlines() if line.startswith("kl_divergence"))
    assert float(row[4]) == 0.
    with h5py.File(result) as file:
        assert "coverage" in file["metrics"]
        assert not {"excess_loss", "denoiser_error", "modes", "modes_captured", "off_support", "total_variation"} & file["metrics"].keys()


def test_sample(finished, tmp_path):
    with h5py.File(finished) as file:
        stored, gate = file["samples/x"][:], file["samples/gate"][:]
    for ending in ("h5", "npy", "csv"):
        done = program("sample", finished, "--n", "150", "--out", tmp_path / f"x.{ending}")
        assert done.returncode == 0, done.stderr
    x = np.load(tmp_path / "x.npy")
    assert x.shape == (150, 2) and x.dtype == np.float32
    assert np.array_equal(x[:100], stored), "the run's own seed gives the stored points, and more"
    with h5py.File(tmp_path / "x.h5") as file:
        assert np.array_equal(file["samples/x"], x) and np.array_equal(file["samples/gate"][:100], gate)
    table = np.loadtxt(tmp_path / "x.csv", delimiter=",", skiprows=1, dtype=np.float32)
    assert np.array_equal(table[:, :2], x) and np.array_equal(table[:100, 2], gate)
    done = program("sample", finished, "--n", "150")
    assert done.stdout == (tmp_path / "x.csv").read_text() and not done.stderr
    assert program("sample", finished, "--seed", "5").stdout != program("sample", finished).stdout
    assert len(program("sample", finished).stdout.splitlines()) == 10001


# ---- more experts, another sampler ----

FOUR = {**SHORT, "model.experts": 4, "diffusion.prediction": "v", "sampling.steps": 5, "sampling.eta": 0.5, "sampling.start": "data"}


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    out = tmp_path_factory.mktemp("four")
    run(command(out, "--dataset", "dino", settings=FOUR))
    return out / "run_3" / "dino" / "seed_0.h5"


def test_sample_of_four_experts_from_the_data(four, tmp_path):
    """Started from training points, which are made again; a column for each expert's weight."""
    with h5py.File(four) as file:
        stored, gate = file["samples/x"][:], file["samples/gate"][:]
        assert gate.shape == (100, 4) and file["gate/sample/weight"].shape == (5, 100, 4)
        assert list(file["gate/sample/timestep"]) == [1, 4, 6, 9, 11]  # of 12, evenly down from the last
        assert np.abs(gate.sum(axis=1) - 1).max() < 1e-6
        assert file["samples/initial_noise"][:].std() > 1.5, "the points reach to 4"
    for ending in ("h5", "npy", "csv"):
        done = program("sample", four, "--n", "150", "--out", tmp_path / f"x.{ending}")
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "x.csv").read_text().startswith("x1,x2,gate1,gate2,gate3,gate4\n")
    table = np.loadtxt(tmp_path / "x.csv", delimiter=",", skiprows=1, dtype=np.float32)
    assert table.shape == (150, 6)
    assert np.array_equal(table[:100, :2], stored) and np.array_equal(table[:100, 2:], gate)
    assert np.array_equal(np.load(tmp_path / "x.npy"), table[:, :2])
    with h5py.File(tmp_path / "x.h5") as file:
        assert np.array_equal(file["samples/gate"], table[:, 2:]) and list(file["samples/expert"]) == [1, 2, 3, 4]


def test_evaluate_from_the_data(four):
    done = program("evaluate", four)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[3:]]
    assert all(float(row[4]) == 0. for row in rows if row[0] != "inference_time") and len(rows) > 8


def test_info_of_four_experts(four):
    said = program("info", four).stdout
    for fragment in (r"^expert4$", r"gating_network\.4\.weight +8 -> 4 ", r"/gate/train/weight +120 x 32 x 4$",
                     r"/gate/sample/weight +5 x 100 x 4$", r"^prediction = \"v\"", r"^start = \"data\""):
        assert re.search(fragment, said, re.M), fragment


def test_a_fixed_gate_stores_none(tmp_path):
    settings = {**SHORT, "model.gate": "fixed", "model.experts": 3}
    run(command(tmp_path, "--dataset", "dino", settings=settings))
    path = tmp_path / "run_3/dino/seed_0.h5"
    with h5py.File(path) as file:
        assert "gate" not in file and "gate" not in file["samples"]
        assert not any(name.startswith("gating") for name in file["parameters/ema"])
    assert program("sample", path, "--n", "3").stdout.startswith("x1,x2\n")


def test_from_the_data_of_a_file(tmp_path):
    """A file that was moved has to be named again, and it has to be that file."""
    points = tmp_path / "mine.csv"
    np.savetxt(points, np.random.default_rng(3).normal(size=(60, 2)), delimiter=",")
    np.savetxt(tmp_path / "other.csv", np.eye(9)[:, :2], delimiter=",")
    run(command(tmp_path / "out", "--dataset", str(points), settings={**SHORT, "sampling.start": "data"}))
    result = tmp_path / "out/run_3/mine/seed_0.h5"
    points = points.rename(tmp_path / "moved.csv")
    fails(program("sample", result), IO, "mine.csv", "--dataset")
    fails(program("sample", result, "--dataset", tmp_path / "other.csv"), USAGE, "other.csv", "not the points")
    done = program("sample", result, "--n", 100, "--dataset", points)
    assert done.returncode == 0, done.stderr
    table = np.loadtxt(done.stdout.splitlines(), delimiter=",", skiprows=1)
    with h5py.File(result) as file:
        assert np.allclose(table[:, :2], file["samples/x"], rtol=1e-8, atol=0)
    fails(program("evaluate", result), IO, "mine.csv", "--dataset")
    fails(program("evaluate", result, "--dataset", tmp_path / "other.csv"), IO, "mine.csv", "does not exist now")
    done = program("evaluate", result, "--dataset", points)
    assert done.returncode == 0, done.stderr
    row = next(line.split() for line in done.stdout.splitlines() if line.startswith("kl_divergence"))
    assert float(row[4]) == 0.


# ---- info ----


@pytest.mark.parametrize("number, parameters", list(enumerate([296450, 691717, 724485] + 3 * [789765])))
def test_info_of_the_configurations(number, parameters):
    done = program("info", f"{SOURCE}/configs/run_{number}.toml")
    assert done.returncode == 0 and not done.stderr
    assert re.search(rf"^parameters {parameters} ", done.stdout, re.M)
    towers = [int(n) for n in re.findall(r"^    parameters +(\d+)$", done.stdout, re.M)]
    assert len(towers) == (1 if number == 0 else 3) and sum(towers) == parameters
    layers = [tuple(map(int, row)) for row in re.findall(r"(\d+) -> (\d+) +\d+", done.stdout)]
    assert sum(a * b + b for a, b in layers) == parameters
    forward = float(re.search(r"([\d.]+) MFLOP forward", done.stdout).group(1))
    assert forward == pytest.approx(2e-6 * sum(a * b for a, b in layers), rel=1e-3)
    assert "T = 100, beta 0.0001 to 0.02, alpha_bar at T 0.3636" in done.stdout


def test_info_of_files(finished, unfinished, tmp_path):
    done = program("info", finished)
    assert done.returncode == 0 and not done.stderr
    for fragment in (": result", "run_3 on dino (500 points), seed 0", "120 of 120", "2 networks together", "kl_divergence",
                     "/gate/train/weight", "120 x 32", "hidden_width = 24"):
        assert fragment in done.stdout
    assert "checkpoint" in program("info", unfinished / "run_3/dino/seed_0.checkpoint").stdout
    assert "not finished" in program("info", unfinished / "run_3/dino/seed_0.h5").stdout
    program("sample", finished, "--n", "7", "--out", tmp_path / "x.h5")
    assert ": samples" in program("info", tmp_path / "x.h5").stdout


def test_messages_of_training(tmp_path):
    errors = run(command(tmp_path / "a", "--dataset", "dino", settings=SHORT))
    assert re.search(r"^run_3: backend \w+ \(.+\), 1 thread", errors) and "\r" not in errors
    assert re.search(r"^step 120/120  loss \d+\.\d+  \d+ steps/s  0:00 left$", errors, re.M)
    assert not run(command(tmp_path / "b", "--dataset", "dino", "--quiet", settings=SHORT))


def test_no_message_about_a_missing_gpu(tmp_path):
    """Training begins without the reason why it is on the CPU; --version says it."""
    words = command(tmp_path, "--dataset", "dino", settings=SHORT)
    words[words.index("--backend") + 1] = "auto"
    first = run(words).splitlines()[0]
    if not os.path.exists("/dev/nvidiactl"):
        assert re.fullmatch(r"run_3: backend cpu \([^;]+\), 1 thread", first), first
        assert re.search(r"^backend cuda: not available: ", program("--version").stdout, re.M)


def on_terminal(words, columns):
    """What a process writes to a terminal that wide."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    written = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # all of its ends are closed
            break
        if not part:
            break
        written += part
    os.close(master)
    assert process.wait(timeout=60) == 0, written
    return written.decode()


@pytest.mark.parametrize("columns, bar", [(120, 30), (66, 12), (40, 0), (20, 0)])
def test_bar_on_a_terminal(tmp_path, columns, bar):
    written = on_terminal(command(tmp_path, "--dataset", "dino", settings={"training.steps": 1500}), columns)
    lines = [line for line in re.split(r"\r?\n|\r", written.replace("\033[K", "")) if "step " in line]
    assert lines and all(len(line) < columns for line in lines), lines
    bars = [re.match(r"\[([#.]+)\] ", line) for line in lines]
    if bar == 30:
        assert all(len(match.group(1)) == 30 for match in bars)
        assert bars[-1].group(1) == "#" * 30
    elif bar:
        assert any(bars) and all(match is None or 10 <= len(match.group(1)) < 30 for match in bars)
    else:
        assert not any(bars)


# ---- progress of the other commands ----


def test_what_was_written(finished, tmp_path):
    """A quick command shows no progress; its last line names the file."""
    for more, said in (([], r"wrote x\.npy: 10 points in \d+\.\d s\n"), (["--quiet"], "")):
        done = program("sample", finished, "--n", 10, "--out", "x.npy", "--overwrite", *more, cwd=tmp_path)
        assert done.returncode == 0 and not done.stdout and re.fullmatch(said, done.stderr), done.stderr
    assert not program("sample", finished, "--n", 10).stderr
    small = ["--draws", 2, "--set", "evaluation.samples=50", "data.points=200"]
    done = program("floor", CONFIG, "--dataset", "line", "--out", "f", *small, cwd=tmp_path)
    assert re.search(r"^wrote f/floor/line: 2 draws in \d+\.\d s$", done.stderr, re.M), done.stderr
    done = program("evaluate", finished, "--out", "e", "--set", "sampling.eta=0", cwd=tmp_path)
    assert re.search(r"^wrote e/run_3/dino/seed_0\.h5$", done.stderr, re.M), done.stderr
    done = program("compare", tmp_path / "f", "--output", "t.md", "--format", "markdown", cwd=tmp_path)
    assert done.stderr == "wrote t.md\n"


def test_progress_of_sampling(finished, tmp_path):
    """After two seconds a bar on a terminal, which the last line takes away; in a file, lines now and then."""
    points = 150000 if small_job.sanitized() else 1000000
    words = [PROGRAM, "sample", str(finished), "--n", str(points), "--threads", "1", "--backend", "cpu", "--overwrite", "--out", str(tmp_path / "x.npy")]
    written = on_terminal(words, 60)
    shown = re.findall(r"\[[#.]{10,30}\] sampling  +(\d+) %  \d+:\d\d left", written)
    assert len(shown) > 2 and list(map(int, shown)) == sorted(map(int, shown)), written
    last = re.split(r"[\r\n]+", written.replace("\033[K", "").strip())[-1]
    assert re.fullmatch(rf"wrote .*x\.npy: {points} points in \d+\.\d s", last), written
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    lines = done.stderr.splitlines()
    assert re.fullmatch(r"sampling  \d+ %  \d+:\d\d left", lines[0]) and lines[-1].startswith("wrote "), lines
