"""People's data in their own units: rows that are held out, columns that are scaled, and everything that leaves the program in the user's units."""
import csv
import shutil
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
    x[:7], x[:3] = 0, -0.
    np.save(tmp_path / "x.npy", x)
    for share, seed in (.1, 1), (.2, 2), (.5, 3), (.5, 4), (.5, 5):
        kept = train_rows(tmp_path / "x.npy", share, seed)
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
    np.save(tmp_path / "x.npy", 2 * x)  # networks see the same numbers, but these are other points
    assert "trained on other points" in train(tmp_path / "all", "--dataset", tmp_path / "x.npy", more={"data.heldout_share": 0}, expect=6)


def test_python_and_program_agree_on_older_runs():
    """What a run did whose program did not know a key."""
    for old in "run.h5", "flowers.h5":
        with h5py.File(SOURCE / "tests/cases" / old) as file:
            stored = file["config"][()].decode()
        printed = program("info", SOURCE / "tests/cases" / old).partition("\nconfiguration\n")[2]
        assert flat(tomllib.loads(printed)) == settings_of(stored)
        assert "heldout_share" not in stored and "scale = \"auto" not in stored


# ---- columns that are scaled ----

NAMES = ["tiny [m]", "big, kg", "offset"]


def in_units(n, seed=0):
    """Correlated columns of very different sizes, and one that is far from 0."""
    x = np.random.default_rng(seed).normal(size=(n, 3))
    x[:, 1] = .6 * x[:, 0] + .8 * x[:, 1]
    return np.stack([3e-6 + 1e-6 * x[:, 0], 7e6 + 1e6 * x[:, 1], 1e4 + x[:, 2]], axis=1)


def write(path, x, names=NAMES):
    quoted = ",".join('"' + name + '"' for name in names)
    path.write_text(quoted + "\n" + "\n".join(",".join(map(repr, row)) for row in x.tolist()) + "\n")
    return path


def scaling(path):
    with h5py.File(path) as file:
        return np.stack([file["data/shift"][:], file["data/scale"][:]])


def expected_scaling(x):
    """Mean and standard deviation, rounded as host/data/scaling.h says."""
    fraction, exponent = np.frexp(x.std(axis=0))
    scale = np.ldexp(np.round(fraction * 2**24), exponent - 24)
    return np.stack([np.round(x.mean(axis=0) / (scale * 2**-20)) * (scale * 2**-20), scale])


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write(tmp_path_factory.mktemp("data") / "table.csv", in_units(400))


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    assert "360 rows to train, 40 held out; 3 columns (tiny [m], big, kg, offset), each standardised" in train(out, "--dataset", table)
    return out / "run_3/table/seed_0.h5"


def test_shift_and_scale(run):
    """They are the mean and the standard deviation of the rows that are trained on, and networks see the scaled rows."""
    rows = trained_on(in_units(400), 42, .1)
    shift, scale = scaling(run)
    assert np.array_equal(scaling(run), expected_scaling(rows))
    assert np.abs(shift - rows.mean(axis=0)).max() < np.abs(2**-20 * scale).max() and np.allclose(scale, rows.std(axis=0), rtol=2**-23)
    with h5py.File(run) as file:
        assert list(file["data/coordinate"].attrs["names"]) == NAMES and b'scale = "standard"' in file["config"][()]
        stored = file["data/x"][:]
    assert stored.dtype == np.float64 and np.abs(stored - rows).max(axis=0) == pytest.approx([0, 0, 0], abs=1e-6 * scale.max())
    assert np.array_equal(((stored - shift) / scale).astype(np.float32), ((rows - shift) / scale).astype(np.float32))


def test_order_of_rows(run, tmp_path):
    x = np.random.default_rng(5).permutation(in_units(400))
    train(tmp_path, "--dataset", write(tmp_path / "shuffled.csv", x))
    other = tmp_path / "run_3/shuffled/seed_0.h5"
    assert np.array_equal(scaling(run), scaling(other))
    with h5py.File(run) as one, h5py.File(other) as two:
        assert set(map(tuple, one["data/x"][:])) == set(map(tuple, two["data/x"][:]))


def sampled(run, path):
    """The rows of `sample`, and their names."""
    program("sample", run, "--n", 40, "--out", path, "--overwrite")
    if path.suffix == ".npy":
        return np.load(path), None
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            return file["samples/x"][:], list(file["data/coordinate"].attrs["names"])
    with open(path) as file:
        rows = list(csv.reader(file))
    return np.array(rows[1:], dtype=float)[:, :3], rows[0]


@pytest.mark.parametrize("ending", [".csv", ".npy", ".h5"])
def test_samples_in_units(run, tmp_path, ending):
    """Samples have the means and deviations of the data, and their names; all three formats bring the same numbers back."""
    x, names = sampled(run, tmp_path / f"x{ending}")
    assert x.dtype == np.float64 and (names is None or names[:3] == NAMES)
    shift, scale = scaling(run)
    assert np.all(np.abs(x.mean(axis=0) - shift) < scale) and np.all(x.std(axis=0) < 3 * scale) and np.all(x.std(axis=0) > scale / 5)
    with h5py.File(run) as file:
        stored = file["samples/x"][:40]
    seen = [((values - shift) / scale).astype(np.float32) for values in (x, stored)]
    assert np.array_equal(*seen)


def test_samples_are_a_dataset(run, tmp_path):
    """`sample`'s own files come back as the points that the network sees, whatever their order of columns."""
    sampled(run, tmp_path / "x.csv")
    with open(tmp_path / "x.csv") as file:
        rows = list(csv.reader(file))
    with open(tmp_path / "turned.csv", "w") as file:
        csv.writer(file).writerows([row[2], "text", row[0], row[3], row[1]] for row in rows)
    sampled(run, tmp_path / "x.npy"), sampled(run, tmp_path / "x.h5")
    found = {}
    for name in "x.csv", "turned.csv", "x.npy", "x.h5:/samples/x":
        lines = program("evaluate", run, "--threads", 1, "--dataset", tmp_path / name, "--set", "evaluation.samples=40").splitlines()
        assert "not the points it was trained on" in lines[0]
        found[name] = {line.split()[0]: line.split()[2] for line in lines[3:] if not line.startswith("inference_time")}
        assert found[name] == found["x.csv"] and float(found[name]["sliced_wasserstein"]) == 0


def test_evaluation_matches_columns(run, table, tmp_path):
    """By name, else by place, which is told; other columns are refused with both lists."""
    def evaluate(path, *words, status=0):
        done = subprocess.run([small_job.PROGRAM, "evaluate", str(run), "--threads", "1", "--dataset", str(path), *words], capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        return done.stdout + done.stderr

    x = in_units(400)
    order = [2, 0, 1]
    assert "not the points" not in evaluate(write(tmp_path / "order.csv", x[:, order], [NAMES[i] for i in order]))
    assert "not the points" not in evaluate(table)
    said = evaluate(write(tmp_path / "names.csv", x, ["a", "b", "c"]))
    assert "not the points" not in said
    np.save(tmp_path / "x.npy", x)
    assert "not the points" not in evaluate(tmp_path / "x.npy")
    assert "columns a, b, c are taken as tiny [m], big, kg, offset, by their place" in evaluate(write(tmp_path / "other.csv", x[:90], ["a", "b", "c"]))
    said = evaluate(write(tmp_path / "two.csv", x[:, :2], ["a", "offset"]), status=4)
    assert "2 columns (a, offset), but the run has 3 (tiny [m], big, kg, offset)" in said
    assert "a set that is made by name has units of its own" in evaluate("dino", status=2)


def test_evaluate_and_complete(run, tmp_path):
    """Figures repeat, and metrics of the stored samples are computed from what the network saw."""
    lines = [line.split() for line in program("evaluate", run, "--threads", 1).splitlines()[3:]]
    assert len(lines) > 6 and all(line[4] == "0" for line in lines if line[0] != "inference_time"), lines
    copy = shutil.copy(run, tmp_path)
    with h5py.File(copy, "r+") as file:
        stored = file["metrics/mmd_squared"][()]
        del file["metrics/mmd_squared"]
    program("evaluate", copy, "--complete", "--threads", 1)
    with h5py.File(copy) as file:
        assert file["metrics/mmd_squared"][()] == stored
    assert "tiny [m]" in program("info", run) and "standard deviation" in program("info", run)


def test_renamed_columns(run, tmp_path):
    """The same bits but the names; in the place of the first run they are told."""
    path = write(tmp_path / "table.csv", in_units(400), ["a", "b", "c"])
    train(tmp_path, "--dataset", path)
    small_job.assert_equal_results(run, tmp_path / "run_3/table/seed_0.h5")
    with h5py.File(tmp_path / "run_3/table/seed_0.h5") as file:
        assert list(file["data/coordinate"].attrs["names"]) == ["a", "b", "c"]
    said = train(run.parents[2], "--dataset", path, expect=6)
    assert "with the columns tiny [m], big, kg, offset; these have 3: a, b, c." in said


def test_chosen_order(run, table, tmp_path):
    train(tmp_path, "--dataset", table, "--columns", "3,1")
    with h5py.File(tmp_path / "run_3/table/seed_0.h5") as file:
        assert list(file["data/coordinate"].attrs["names"]) == ["offset", "tiny [m]"]
        assert np.abs(file["data/x"][:].mean(axis=0) / [1e4, 3e-6] - 1).max() < .1
    assert "these have 2: offset, tiny [m]." in train(run.parents[2], "--dataset", table, "--columns", "3,1", expect=6)


def test_another_scale(run, table, tmp_path):
    """A changed file, and other keys of [data], are told by what differs."""
    x = in_units(400)
    x[:, 1] *= 2
    said = train(run.parents[2], "--dataset", write(tmp_path / "table.csv", x), expect=6)
    assert "column big, kg: mean 6" in said or "column big, kg: mean 7" in said
    assert "there, 1.4" in said or "there, 1.3" in said
    said = train(run.parents[2], "--dataset", table, more={"data.scale": "none"}, expect=6)
    assert 'data.scale: "none" here, "standard" there' in said


@pytest.mark.parametrize("factor", [1e-290, 1e-40, 1, 1e40, 1e290])
def test_any_size(tmp_path, factor):
    """Numbers that float32 cannot hold are fine if they are scaled."""
    x = np.random.default_rng(6).normal(size=(80, 2))
    path = write(tmp_path / "x.csv", x * factor, ["a", "b"])
    train(tmp_path, "--dataset", path, more={"training.steps": 10, "data.heldout_share": 0})
    assert scaling(tmp_path / "run_3/x/seed_0.h5") == pytest.approx(expected_scaling(x) * factor, rel=1e-6)
    if factor == 1e290:
        assert "too large for float32" in train(tmp_path / "none", "--dataset", path, more={"data.scale": "none"}, expect=4)


def test_what_cannot_be_scaled(tmp_path):
    x = np.random.default_rng(7).normal(size=(80, 2))
    x[:, 1] = 5
    assert "column 2 ('b') is 5 in every row" in train(tmp_path, "--dataset", write(tmp_path / "x.csv", x, ["a", "b"]), expect=4)
    for row in range(80):  # one row with another value, which is held out
        one = x.copy()
        one[row, 1] = 6
        if (trained_on(one, 42, .1)[:, 1] == 5).all():
            break
    said = train(tmp_path, "--dataset", write(tmp_path / "x.csv", one, ["a", "b"]), expect=4)
    assert "column 'b' is 5 in every row that is trained on" in said and "--set data.heldout_share=0" in said
    x[:, 1] = [1e308 if i % 2 else -1e308 for i in range(80)]
    assert "give it in another unit" in train(tmp_path, "--dataset", write(tmp_path / "x.csv", x, ["a", "b"]), expect=4)
    assert "dino is made by name" in train(tmp_path, "--dataset", "dino", more={"data.scale": "standard"}, expect=3)


def test_generated_sets_are_not_scaled(tmp_path):
    train(tmp_path, "--dataset", "dino")
    with h5py.File(tmp_path / "run_3/dino/seed_0.h5") as file:
        assert file["samples/x"].dtype == file["data/x"].dtype == np.float32
        assert np.array_equal(scaling(tmp_path / "run_3/dino/seed_0.h5"), [[0, 0], [1, 1]])
        assert b'scale = "none"' in file["config"][()] and b"heldout_share = 0.0 " in file["config"][()]


def test_pictures_in_units(run, table, tmp_path):
    """Two columns are drawn in their units, with the shape that the network sees; more columns by components of what it sees."""
    import drawing
    from coordinates import in_plane
    from runs import Result

    shift, scale = scaling(run)
    three = in_plane(drawing.Study([Result("run_3", "table", 0, str(run))]), "table", in_units(400))
    places = three.project(in_units(400))
    assert three.aspect == 1 and places.shape == (400, 2)
    assert places.var(axis=0) == pytest.approx(np.linalg.eigvalsh(np.cov(((in_units(400) - shift) / scale).T))[:0:-1], rel=.1)
    train(tmp_path, "--dataset", table, "--columns", "1,2")
    result = Result("run_3", "table", 0, str(tmp_path / "run_3/table/seed_0.h5"))
    two = in_plane(drawing.Study([result]), "table", result.read("/data/x"))
    assert two.aspect == result.aspect == pytest.approx(scale[0] / scale[1])
    assert two.labels == NAMES[:2] and np.array_equal(two.project(result.read("/data/x")), result.read("/data/x"))
    assert np.allclose(result.in_units(np.zeros((1, 2))), [3e-6, 7e6], rtol=.1)


# ---- schedules ----


def perfect_variance(beta, variance):
    """Of the samples of a perfect network for normal data: ancestral sampling from N(0, 1) is linear, so its variance follows from step to step."""
    bar, made = np.cumprod(1 - beta), 1.
    for t in reversed(range(len(beta))):
        before = bar[t - 1] if t else 1.
        noise = np.sqrt(1 - bar[t]) / (bar[t] * variance + 1 - bar[t])  # predicted, as a factor on x_t
        point = (1 - np.sqrt(1 - bar[t]) * noise) / np.sqrt(bar[t])
        step = np.sqrt(before) * beta[t] / (1 - bar[t]) * point + np.sqrt(1 - beta[t]) * (1 - before) / (1 - bar[t])
        made = step**2 * made + beta[t] * (1 - before) / (1 - bar[t])
    return made


def test_why_tables_need_another_schedule():
    """The figures of docs/datasets.md: what run_1's schedule and that of `table` do to a correlation and to a shared factor of ten columns."""
    linear = np.linspace(1e-4, .02, 100)
    angle = (np.arange(251) / 250 + .008) / 1.008 * np.pi / 2
    cosine = np.minimum(1 - np.cos(angle[1:])**2 / np.cos(angle[:-1])**2, .999)
    for beta, correlation, factor in (linear, .267, .585), (cosine, .301, .990):
        along, across = perfect_variance(beta, 1.3), perfect_variance(beta, .7)
        assert (along - across) / (along + across) == pytest.approx(correlation, abs=5e-4)
        assert np.sqrt(perfect_variance(beta, 10.) / 10) == pytest.approx(factor, abs=5e-4)


def test_warning_of_the_schedule(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(8).normal(size=(50, 2)))
    quick = {"training.steps": 2, "diffusion.timesteps": 100}

    def said(data, out, **more):
        return train(tmp_path / out, "--dataset", data, more=quick | {key.replace("_", "."): value for key, value in more.items()})

    assert "leaves 60 % of the points' amplitude" in said(tmp_path / "x.npy", "a") and "train table" in said(tmp_path / "x.npy", "b")
    for words in said(tmp_path / "x.npy", "c", diffusion_schedule="cosine"), said(tmp_path / "x.npy", "d", sampling_start="data"), said("dino", "e"):
        assert "amplitude" not in words
