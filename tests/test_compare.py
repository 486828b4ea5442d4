"""`dualdiff compare` on results written here: what it finds, its numbers, and the files of --reference."""
import csv
import io
import json
import os
import pickle
import re
import statistics
import subprocess
from pathlib import Path

import numpy as np
import pytest

from result_files import write_result

PROGRAM = Path(os.environ["DUALDIFF_BUILD"]) / "dualdiff"
ERR_USAGE, ERR_IO, ERR_TOOL = 2, 5, 10


def compare(*arguments, status=0, **environment):
    done = subprocess.run([PROGRAM, "compare", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          env=os.environ | environment)
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def rows(text):
    """{(run, dataset, metric): (mean, sd, n)} of a table in CSV."""
    return {(row["run"], row["dataset"], row["metric"]):
            (float(row["mean"]), float(row["sd"]) if row["sd"] else None, int(row["n"]))
            for row in csv.DictReader(io.StringIO(text))}


@pytest.fixture
def runs(tmp_path):
    """run_0 without a gate on dino and line, run_1 with one on dino; seeds 0, 1 and 3, of run_1 2 and 10."""
    rng = np.random.default_rng(0)
    values = {}
    for run, dataset, seeds in (("run_0", "dino", (0, 1, 3)), ("run_0", "line", (0,)), ("run_1", "dino", (10, 2))):
        for seed in seeds:
            metrics = {"training_time": 40 + rng.random(), "eval_loss": rng.random(), "inference_time": rng.random(),
                       "kl_divergence": rng.normal(), "kl_zero_distances": 0}
            values.setdefault((run, dataset), []).append(metrics)
            x = np.full((30, 2), seed)
            gate = np.full(30, 0.5 + seed / 100) if run == "run_1" else None
            write_result(tmp_path / "runs", run, dataset, seed, metrics, gate, x, loss=np.linspace(1, seed, 25))
    return tmp_path / "runs", values


def test_warns_of_mixtures(tmp_path):
    """Seeds of different settings under one name are averaged, but with a warning."""
    for seed, batch in enumerate((256, 256, 64)):
        losses = {"kl_divergence": .5 + seed, "eval_loss": .5, "inference_time": 1.}
        write_result(tmp_path, "run_0", "dino", seed, losses, settings={"training.batch": batch})
        write_result(tmp_path, "run_1", "dino", seed, losses, np.full(10, .5))
        # A mean is of one dataset; the exact denoiser has no network, and true points no schedule either.
        write_result(tmp_path, "run_2", ("dino", "line", "moons")[seed], 0, losses, settings={"training.batch": batch})
        write_result(tmp_path, "oracle", "dino", seed, {"kl_divergence": .5, "inference_time": 1.}, settings={"training.batch": batch})
        write_result(tmp_path, "floor", "dino", seed, {"kl_divergence": .5}, settings={"diffusion.timesteps": batch})
    done = subprocess.run([PROGRAM, "compare", tmp_path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr.count("warning") == 1
    assert all(word in done.stderr for word in ("seed_0.h5", "seed_2.h5", "training.batch: 256", "64 there"))
    assert re.search(r"run_0 +1\.5 +± 1\.0", done.stdout)


COMMANDS = ["compare", "plot", "report"]


def warnings_of(command, *arguments):
    """Lines of standard error that warn. The Python programs do nothing here."""
    done = subprocess.run([PROGRAM, command, *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          env=os.environ | {"DUALDIFF_PYTHON": "/bin/true"})
    assert done.returncode == 0, done.stderr
    return [line for line in done.stderr.splitlines() if "warning" in line]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_warns_of_seeds_that_differ(tmp_path, command):
    for seed, batch in enumerate((256, 64)):
        write_result(tmp_path, "run_0", "dino", seed, {"kl_divergence": 1, "eval_loss": 1}, settings={"training.batch": batch})
    warnings = warnings_of(command, tmp_path)
    assert len(warnings) == 1 and "differ" in warnings[0] and "seed_1.h5" in warnings[0]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("key, value", [("samples", 300), ("k", 3)])
def test_every_command_warns_of_divergences_that_cannot_be_compared(tmp_path, command, key, value):
    """One line for a dataset, whatever the number of rows and seeds; other datasets may be measured in other ways."""
    other = {f"evaluation.{key}": value}
    for run, dataset, settings in (("run_0", "dino", {}), ("run_1", "dino", {}), ("floor", "dino", other), ("oracle", "dino", other),
                                   ("run_0", "line", other), ("floor", "line", other)):
        for seed in range(2):
            write_result(tmp_path, run, dataset, seed, {"kl_divergence": 1}, settings=settings)
    warnings = warnings_of(command, tmp_path)
    assert len(warnings) == 1
    assert all(word in warnings[0] for word in ("kl_divergence of dino cannot be compared", "evaluation.samples", str(value)))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_warns_of_a_name_of_different_points(tmp_path, command):
    small = "training.steps=1", "model.hidden_width=8", "evaluation.samples=200", "evaluation.heldout=100"
    for run, points in ("run_0", 3000), ("run_1", 3000), ("run_2", 2000):
        sets = [word for setting in (*small, f"data.points={points}") for word in ("--set", setting)]
        done = subprocess.run([PROGRAM, "train", "run_0", "--dataset", "dino", "--out", tmp_path, "--name", run, "--quiet", *sets],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    warnings = warnings_of(command, tmp_path)
    assert len(warnings) == 1
    assert all(word in warnings[0] for word in ("dino is the name of different points", "run_0", "3000", "run_2", "2000"))


def test_numbers(runs):
    out, values = runs
    table = rows(compare(out, "--format", "csv"))
    assert len(table) == 3 * 5
    for (run, dataset), seeds in values.items():
        for metric in seeds[0]:
            of_seeds = [metrics[metric] for metrics in seeds]
            mean, sd, n = table[run, dataset, metric]
            assert n == len(of_seeds)
            assert mean == pytest.approx(statistics.fmean(of_seeds), rel=1e-14)
            assert sd is None if n == 1 else sd == pytest.approx(statistics.stdev(of_seeds), rel=1e-12, abs=1e-15)


def test_what_is_found(runs, tmp_path):
    out, _ = runs
    everything = rows(compare(out, "--format", "csv"))
    write_result(out, "run_1", "dino", 4, kind="log")  # a run that is still training
    (out / "run_1" / "dino" / "seed_2.checkpoint").write_text("no result")
    (out / "run_1" / "dino" / "seed_5.h5.tmp").write_text("no result")
    (out / "run_1" / "dino" / ".seed_6.h5").write_text("no result")
    assert rows(compare(out, "--format", "csv")) == everything
    assert rows(compare(out, out / "run_1", out / "run_1" / "dino", "--format", "csv")) == everything
    assert rows(compare(out / "run_1" / "dino", "--format", "csv")) == {
        key: value for key, value in everything.items() if key[0] == "run_1"}


@pytest.mark.parametrize("command", ["compare", "plot", "report"])
def test_unfinished_runs_are_counted(runs, tmp_path, command):
    def said(*folders):
        done = subprocess.run([PROGRAM, command, *folders], capture_output=True, text=True, timeout=60, env=os.environ | {"DUALDIFF_PYTHON": "true"})
        return [line for line in done.stderr.splitlines() if "not finished" in line]

    out, _ = runs
    assert not said(out)
    log = write_result(out, "run_1", "dino", 4, kind="log")
    one = f"dualdiff: not finished, so not shown: 1 run ({log}); if no program is training it now, the same `dualdiff train` command as before resumes it"
    assert said(out) == said(out, out / "run_1") == [one]
    write_result(out, "run_1", "dino", 5, kind="log")
    assert len(said(out)) == 1 and "2 runs (" in said(out)[0]
    (tmp_path / "none").mkdir()
    write_result(tmp_path / "none", "run_1", "dino", 0, kind="log")
    assert "1 run (" in said(tmp_path / "none")[0]


def test_a_damaged_file_by_two_paths(runs, monkeypatch):
    out, _ = runs
    damaged = out / "run_1" / "dino" / "seed_2.h5"
    damaged.write_bytes(damaged.read_bytes()[:700])
    monkeypatch.chdir(out.parent)
    message = compare("runs", out, status=ERR_IO)
    assert message.count("left out: ") == 2 and "1 file could not be read" in message  # one line, and the sum


def titles(text):
    return [line.split()[0] for line in text.splitlines() if "]: " in line]


def test_metrics_shown(tmp_path):
    """The first few unasked, others when asked for; a result without them, as older programs wrote, opens."""
    values = {"kl_divergence": 1, "eval_loss": 2, "modes": 17, "modes_captured": 16, "off_support": 0.25, "coverage": 0.5,
              "mean_distance": 3}
    write_result(tmp_path, "new", "circle", 0, values)
    write_result(tmp_path, "old", "circle", 0, {"kl_divergence": 1, "eval_loss": 2})
    text = compare(tmp_path)
    assert titles(text) == ["kl_divergence", "modes_captured", "off_support", "eval_loss"]
    captured = text.split("modes_captured")[1].splitlines()
    assert [line.split() for line in captured[1:5]] == [["run", "circle"], ["new", "16", "of", "17"], ["old", "-"], []]
    assert titles(compare(tmp_path, "--metric", "coverage", "kl_divergence", "coverage")) == ["coverage", "kl_divergence"]
    everything = titles(compare(tmp_path, "--metric", "all"))
    assert sorted(everything) == sorted(values)
    table = rows(compare(tmp_path, "--format", "csv"))
    assert {metric: mean for (run, _, metric), (mean, _, _) in table.items() if run == "new"} == values
    assert rows(compare(tmp_path, "--format", "csv", "--metric", "coverage")) == {("new", "circle", "coverage"): (0.5, None, 1)}
    assert "'coverage'" in compare(tmp_path, "--metric", "coverge", status=ERR_USAGE)


def test_order_of_runs(tmp_path):
    for run in "run_10", "run_9", "a":
        write_result(tmp_path, run, "dino", 0, {"kl_divergence": 1})
    names = [line.split(",")[0] for line in compare(tmp_path, "--format", "csv").splitlines()[1:]]
    assert names == ["a", "run_9", "run_10"]


def test_runs_of_one_name(runs, tmp_path):
    out, values = runs
    write_result(tmp_path / "short", "run_1", "dino", 2, {"kl_divergence": 7})
    table = rows(compare(out, tmp_path / "short", "--format", "csv"))
    assert table["short/run_1", "dino", "kl_divergence"] == (7, None, 1)
    assert table["runs/run_1", "dino", "kl_divergence"][2] == 2


def test_errors(runs, tmp_path):
    out, _ = runs
    assert "nowhere" in compare(tmp_path / "nowhere", status=ERR_IO)
    (tmp_path / "empty").mkdir()
    assert "no finished run" in compare(tmp_path / "empty", status=ERR_IO)
    assert "did you mean 'kl_divergence'?" in compare(out, "--metric", "kl", status=ERR_USAGE)
    assert "'markdown'" in compare(out, "--format", "markdwn", status=ERR_USAGE)
    damaged = out / "run_1" / "dino" / "seed_2.h5"
    damaged.write_bytes(damaged.read_bytes()[:700])
    assert str(damaged) in compare(out, status=ERR_IO)  # and the table of the others: test_train_lifecycle.py


def test_output_file(runs, tmp_path):
    out, _ = runs
    table = tmp_path / "table.md"
    assert compare(out, "--format", "markdown", "--output", table) == ""
    assert table.read_text() == compare(out, "--format", "markdown")
    kept = table.read_bytes()
    compare(out / "nothing", "--output", table, status=ERR_IO)
    assert table.read_bytes() == kept


def test_reference_files(runs, tmp_path):
    out, values = runs
    reference = tmp_path / "new" / "reference"
    compare(out, "--reference", reference)
    assert sorted(path.name for path in reference.iterdir()) == ["run_0", "run_1"]
    text = (reference / "run_0" / "final_info.json").read_text()
    info = json.loads(text)
    assert text == json.dumps(info)  # written as Python writes it
    assert list(info) == ["dino", "line"]
    assert list(info["line"]) == ["means"]
    for metric in "training_time", "eval_loss", "inference_time", "kl_divergence":
        seeds = [metrics[metric] for metrics in values["run_0", "dino"]]
        assert info["dino"]["means"][metric] == pytest.approx(np.mean(seeds), rel=1e-14)
        assert info["dino"]["stderrs"][metric] == pytest.approx(np.std(seeds, ddof=1) / np.sqrt(3), rel=1e-12)
        assert info["line"]["means"][metric] == values["run_0", "line"][0][metric]
    assert len(info["dino"]["means"]) == 4

    baseline, gated = (pickle.loads((reference / run / "all_results.pkl").read_bytes()) for run in ("run_0", "run_1"))
    assert set(baseline) == {"dino", "line"} and set(gated) == {"dino"}
    assert set(baseline["dino"]) == {"train_losses", "images"}
    lowest = gated["dino"]  # seed 2
    assert isinstance(lowest["train_losses"], list) and isinstance(lowest["train_losses"][0], float)
    assert lowest["train_losses"] == pytest.approx(np.linspace(1, 2, 25))
    assert lowest["images"].shape == (30, 2) and np.all(lowest["images"] == 2)
    assert lowest["gating_weights"].shape == (30, 1)
    assert lowest["gating_weights"] == pytest.approx(0.52)


def test_python_that_fails(runs, tmp_path):
    out, _ = runs
    arguments = out, "--reference", tmp_path / "reference"
    assert "DUALDIFF_PYTHON" in compare(*arguments, status=ERR_TOOL, DUALDIFF_PYTHON="/nowhere/python3")
    bare = tmp_path / "python3"
    bare.write_text("#!/bin/sh\nexit 3\n")
    bare.chmod(0o755)
    assert "pip install" in compare(*arguments, status=ERR_TOOL, DUALDIFF_PYTHON=str(bare))
