"""results/study.py on made-up result files: its table, what it compares, and its picture."""
import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from matplotlib.image import imread

from result_files import read_configuration, write_result

RESULTS = Path(os.environ["DUALDIFF_SOURCE"]) / "results"
KL = {  # of dino; the others' is half of it
    "base": [.80, .90, .85], "run_2": [.60, .62, .58], "run_10": [.84, .87, .85], "worse": [1.20, 1.30, 1.25], "alone": [.5],
}


def study(*arguments, status=0):
    done = subprocess.run([sys.executable, RESULTS / "study.py", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def write(out, run, dataset, seed, kl, device="test", settings=None, **metrics):
    truth = {"modes": 142, "modes_captured": 141, "off_support": .0123} if dataset == "dino" else {}
    return write_result(out, run, dataset, seed, {"kl_divergence": kl, **truth, **metrics}, np.full(10, .5), device=device, settings=settings)


def make(out):
    for run, values in KL.items():
        for seed, kl in enumerate(values):
            write(out, run, "dino", seed, kl, training_time=40., eval_loss=.5, sliced_wasserstein=.125)
            write(out, run, "moons", seed, kl / 2, training_time=40., eval_loss=.5)
    for seed, kl in enumerate([-.05, -.07]):
        write(out, "oracle_base", "dino", seed, kl, inference_time=1.)
        write(out, "oracle_cosine", "dino", seed, .1 + kl, settings={"diffusion.schedule": "cosine"})
        write(out, "floor", "dino", seed, kl - .01)


def rows(out):
    with open(out / "study.csv", newline="") as file:
        return list(csv.DictReader(file))


def tables(out, first="configuration"):
    """{dataset: {configuration: cells}} of the page, of the tables whose first column is called so."""
    found = {}
    for section in re.split(r"^## ", (out / "study.md").read_text(), flags=re.MULTILINE)[1:]:
        dataset, _, text = section.partition("\n")
        text = next((part for part in text.strip().split("\n\n") if part.startswith(f"| {first} |")), "")
        lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
        found[dataset] = {line[0].strip("*"): dict(zip(lines[0][1:] + ["verdict"], [cell.strip() for cell in line[1:]])) for line in lines[2:]}
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    make(folder / "runs")
    (folder / "runs" / "base" / "dino" / "seed_0.checkpoint").write_bytes(b"no result")
    write_result(folder / "runs", "still training", "dino", 0, kind="log")
    said = study(folder / "runs", "--out", folder / "out", "--base", "base")
    assert "32 runs, 5 configurations, 2 datasets" in said
    return folder


def test_table_of_runs(made):
    found = rows(made / "out")
    names = [(row["config"], row["dataset"], int(row["seed"])) for row in found]
    assert len(found) == 26 + 6 and names[0] == ("alone", "dino", 0)
    order = list(dict.fromkeys(config for config, _, _ in names))
    assert order == ["alone", "base", "floor", "oracle_base", "oracle_cosine", "run_2", "run_10", "worse"]
    for (config, dataset, seed), row in zip(names, found):
        if config in KL:
            assert float(row["kl_divergence"]) == KL[config][seed] / (1 if dataset == "dino" else 2)
            assert (row["training_time"], row["modes_captured"]) == ("40.0", "141.0" if dataset == "dino" else "")
            assert row["protocol"] == "linear T=100 beta=0.0001..0.02"
    assert len({row["settings"] for row in found if row["config"] in KL}) == 1
    assert {row["protocol"] for row in found if row["config"] == "oracle_cosine"} == {"cosine T=100"}


def test_comparisons(made):
    """Means, standard errors and verdicts by hand; the oracle is that of the run's own schedule."""
    found = tables(made / "out")
    dino = found["dino"]
    assert list(dino) == ["base", "alone", "run_2", "run_10", "worse", "oracle_base", "oracle_cosine", "floor"]
    assert dino["base"]["KL [bit]"] == "0.850 ± 0.050" and dino["base"]["verdict"] == "base"
    assert dino["run_2"] == {"KL [bit]": "0.600 ± 0.020", "seeds": "3", "oracle": "-0.060 ± 0.014", "floor": "-0.070 ± 0.014",
                             "modes captured": "141 of 142", "off support": "1.23 %", "sliced W1": "0.125", "training [s]": "40.0",
                             "base": "base", "difference": "-0.250 ± 0.031", "verdict": "better"}
    assert dino["run_10"]["verdict"] == "no difference" and dino["run_10"]["difference"] == "+0.003 ± 0.030"
    assert dino["worse"]["verdict"] == "worse"
    assert dino["alone"]["verdict"] == "one seed" and dino["alone"]["difference"] == "-0.350"
    assert dino["oracle_cosine"]["KL [bit]"] == "0.040 ± 0.014"
    assert found["moons"]["run_2"]["oracle"] == "–" and found["moons"]["run_2"]["modes captured"] == "–"


def test_overview(made):
    """Every configuration on every dataset, arrows where a comparison has a verdict."""
    found = tables(made / "out")["All of them"]
    assert list(found) == ["base", "alone", "run_2", "run_10", "worse", "floor"]
    assert [row["dino"] for row in found.values()] == ["0.850 ± 0.050", "0.500", "0.600 ± 0.020 ↓", "0.853 ± 0.015", "1.250 ± 0.050 ↑",
                                                       "-0.070 ± 0.014"]
    assert found["worse"]["moons"] == "0.625 ± 0.025 ↑" and found["floor"]["moons"] == "–"


def test_bases(made, tmp_path):
    """The first pattern that fits says what a configuration is compared with, in tables and arrows; a base that is not there yet compares with nothing."""
    study(made / "runs", "--out", tmp_path, "--base", "base", "run_1*=run_2", "run_*=worse", "alone=nowhere")
    dino = tables(tmp_path)["dino"]
    assert {config: (row["base"], row["difference"], row.get("verdict", "")) for config, row in dino.items() if config in KL} == {
        "base": ("–", "–", "base"), "alone": ("–", "–", ""), "run_2": ("worse", "-0.650 ± 0.031", "better"),
        "run_10": ("run_2", "+0.253 ± 0.015", "worse"), "worse": ("base", "+0.400 ± 0.041", "worse")}
    overview = tables(tmp_path)["All of them"]
    assert [row["base"] for row in overview.values()] == ["–", "nowhere", "worse", "run_2", "base", "–"]
    assert overview["run_10"]["dino"] == "0.853 ± 0.015 ↑"
    assert "no run of nowhere" in study(made / "runs", "--out", tmp_path, "--base", "nowhere", status=1)


def test_gate_and_experts(tmp_path):
    """Means over experts and timesteps, the last window of training, the best single expert; seeds that were not analysed are left out."""
    for seed in range(3):
        path = write(tmp_path / "runs", "gated", "dino", seed, .5)
        if seed == 2:
            continue
        with h5py.File(path, "a") as file:
            group = file.create_group("analysis")
            for name, bits in (("data_region", [.1, .3]), ("data_timestep", [.5, .5]), ("sampling_region", [.2, .2]), ("sampling_timestep", [1, 3])):
                group[f"information/{name}"] = np.float32(bits) + seed
            group["training/entropy"] = np.float32([.9, .5, .25 + seed])
            group["training/entropy_of_mean"] = np.float32([1, .875])
            group["by_timestep/loss_gated"] = np.float32([.25, .5])
            group["by_timestep/loss_equal"] = np.float32([.5, .5])
            group["by_timestep/loss_alone"] = np.float32([[.75, .25], [1, .5]])
            group["by_timestep/disagreement"] = np.float32([.5, 1])
    write(tmp_path / "runs", "plain", "dino", 0, .6)
    study(tmp_path / "runs", "--out", tmp_path / "out", "--base", "plain")
    found = tables(tmp_path / "out", "gate and experts")["dino"]
    assert list(found) == ["gated"] and list(tables(tmp_path / "out")["dino"]) == ["plain", "gated"]
    assert found["gated"] == {
        "seeds": "2", "region, data": "0.70 ± 0.71", "timestep, data": "1.00 ± 0.71", "region, sampling": "0.70 ± 0.71",
        "timestep, sampling": "2.50 ± 0.71", "entropy": "0.750 ± 0.707", "of the mean": "0.875 ± 0.000", "own loss": "0.375 ± 0.000",
        "equal weights": "0.500 ± 0.000", "best alone": "0.375 ± 0.000", "disagreement": "0.750 ± 0.000"}


def test_a_run_that_diverged(tmp_path):
    """Its numbers do not make the table wider, and its KL divergence does not compress the picture of the others."""
    for run, kl, far in ("base", .5, .25), ("diverged", 2.5e7, 123456789.):
        for seed in range(2):
            write(tmp_path, run, "dino", seed, kl + .1 * seed, sliced_wasserstein=far)
    study(tmp_path, "--out", tmp_path / "out", "--base", "base")
    found = tables(tmp_path / "out")["dino"]["diverged"]
    assert found["KL [bit]"] == "2.5e+07 ± 0.071" and found["sliced W1"] == "1.2e+08"


def test_two_standard_errors(tmp_path):
    """A difference just above and just below the bound."""
    for run, mean in ("base", 0.), ("near", .19), ("far", .21):
        for seed, side in enumerate((-1, 1)):
            write(tmp_path, run, "line", seed, 1 + mean + side * .1 / np.sqrt(2))  # sd .1, so a difference's error is .1
    study(tmp_path, "--out", tmp_path / "out", "--base", "base")
    found = tables(tmp_path / "out")["line"]
    assert found["near"]["verdict"] == "no difference" and found["far"]["verdict"] == "worse"


def test_continues_elsewhere(made, tmp_path):
    """Rows of deleted runs stay, a run that exists replaces its row, and the same input gives the same files."""
    out = tmp_path / "out"
    out.mkdir()
    before = (made / "out" / "study.csv").read_text()
    (out / "study.csv").write_text(before)
    write(tmp_path / "runs", "new", "dino", 0, .3, device="another", training_time=5.)
    write(tmp_path / "runs", "run_2", "dino", 1, .7, training_time=40.)
    study(tmp_path / "runs", "--out", out, "--base", "base")
    found = {(row["config"], row["dataset"], row["seed"]): row["kl_divergence"] for row in rows(out)}
    assert len(found) == 33 and found["new", "dino", "0"] == "0.3" and found["run_2", "dino", "1"] == "0.7"
    assert found["run_2", "dino", "0"] == "0.6"
    assert "different machines" in (out / "study.md").read_text()
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    assert sorted(first) == ["study.csv", "study.md", "study.png"]
    study(tmp_path / "runs", "--out", out, "--base", "base")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first


def test_settings_must_agree(made, tmp_path):
    """Seeds of another configuration under the same name are not averaged, unless only how it was logged differs."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "study.csv").write_bytes((made / "out" / "study.csv").read_bytes())
    write(tmp_path / "runs", "run_2", "dino", 3, .5, settings={"training.gate_every": 7, "training.diversity_distance": "euclidean"})
    study(tmp_path / "runs", "--out", tmp_path / "out")
    assert len(rows(tmp_path / "out")) == 33
    write(tmp_path / "runs", "run_2", "dino", 4, .5, settings={"training.batch": 512})
    assert "run_2 is the name of runs with different settings" in study(tmp_path / "runs", "--out", tmp_path / "out", status=1)
    assert len(rows(tmp_path / "out")) == 33


def test_protocol(tmp_path):
    """Everything that the oracle depends on is in its name; what the network predicts is not."""
    settings = {"diffusion.schedule": "cosine", "diffusion.timesteps": 40, "sampling.steps": 10, "sampling.eta": 0.0, "sampling.start": "data",
                "diffusion.terminal_snr": "zero", "diffusion.prediction": "v", "sampling.noise_factor": 1.0}
    write(tmp_path, "run", "dino", 0, .5, settings=settings)
    write(tmp_path, "oracle_run", "dino", 0, .2, settings=settings | {"diffusion.prediction": "x0"})
    write(tmp_path, "other", "dino", 0, .5, settings=settings | {"sampling.steps": 20})
    study(tmp_path, "--out", tmp_path / "out")
    assert {row["config"]: row["protocol"] for row in rows(tmp_path / "out")} == {
        "other": "cosine T=40 terminal_snr=zero eta=0 start=data steps=20",
        **dict.fromkeys(("run", "oracle_run"), "cosine T=40 terminal_snr=zero eta=0 start=data steps=10")}
    found = tables(tmp_path / "out")["dino"]
    assert (found["run"]["oracle"], found["other"]["oracle"]) == ("0.200", "–")


def test_keys_that_came_later(monkeypatch):
    """A run of an older program lacks these settings; their first choice, or that of BEFORE, is what that program did."""
    monkeypatch.syspath_prepend(RESULTS.parent / "python")
    import runs

    whole = read_configuration(RESULTS.parent / "configs" / "run_1.toml")
    old = "".join(f"[{section}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items() if f"{section}.{key}" in runs.FIRST_KEYS)
                  for section, keys in whole.items())
    old = old.replace("[sampling]\n", "")  # all of its keys came later
    assert runs.settings_of(old) == runs.flat(whole) | runs.BEFORE and "\neta =" not in old
    assert runs.settings_of(old + "[sampling]\neta = 0.5\n")["sampling.eta"] == 0.5


def test_mistakes(made, tmp_path):
    assert "no finished run" in study(tmp_path, "--out", tmp_path / "out", status=1)
    assert "no run of bases; there are alone, base" in study(made / "runs", "--out", tmp_path / "out", "--base", "bases", status=1)
    path = tmp_path / "runs" / "run" / "dino" / "seed_0.h5"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not HDF5")
    assert "seed_0.h5 cannot be read" in study(tmp_path / "runs", "--out", tmp_path / "out", status=1)
    assert not (tmp_path / "out").exists()


def test_picture(made, tmp_path, monkeypatch):
    pixels = imread(made / "out" / "study.png")
    assert min(pixels.shape[:2]) > 300 and pixels[..., :3].std() > 0.02
    monkeypatch.syspath_prepend(RESULTS)
    monkeypatch.syspath_prepend(RESULTS.parent / "python")
    import study as module

    bases = module.Bases("base")
    found = [module.Comparison(rows(made / "out"), dataset, bases) for dataset in ("dino", "moons")]
    figure = module.picture(found, bases)
    dino = figure.axes[0]
    assert [label.get_text() for label in dino.get_yticklabels()] == ["base", "alone", "run_2", "run_10", "worse"]
    left, right = dino.get_xlim()
    assert left < min(-.08, *KL["run_2"]) and right > 1.3  # nothing cut off
    dots = [tuple(point) for collection in dino.collections for point in collection.get_offsets()]
    assert {(kl, 2.0) for kl in KL["run_2"]} <= set(dots)
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    for what in "better than base", "worse by", "one seed", "exact denoiser", "floor":
        assert any(what in word for word in words), what


def test_picture_of_several_bases(made, monkeypatch):
    """A row says what it is compared with, unless that is the first base."""
    monkeypatch.syspath_prepend(RESULTS)
    monkeypatch.syspath_prepend(RESULTS.parent / "python")
    import study as module

    bases = module.Bases("base", [("run_1*", "run_2"), ("alone", "base")])
    figure = module.picture([module.Comparison(rows(made / "out"), "dino", bases)], bases)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["base", "alone", "run_2", "run_10 (run_2)", "worse"]
    assert any("brackets" in text.get_text() for text in figure.legends[0].get_texts())


def test_one_far_off(tmp_path, monkeypatch):
    """A configuration that failed does not compress the picture of the others: its value is written at the edge."""
    for run, kl in ("a", .3), ("b", .32), ("c", .29), ("d", .33), ("failed", 9.):
        write(tmp_path, run, "dino", 0, kl)
    study(tmp_path, "--out", tmp_path / "out")
    monkeypatch.syspath_prepend(RESULTS)
    monkeypatch.syspath_prepend(RESULTS.parent / "python")
    import study as module

    bases = module.Bases("a")
    axis = module.picture([module.Comparison(rows(tmp_path / "out"), "dino", bases)], bases).axes[0]
    assert axis.get_xlim()[1] < 1 and [text.get_text() for text in axis.texts] == ["9.00 →"]


def test_figures_above_the_known_runs_are_those_of_their_sources(tmp_path):
    """Floor, exact denoiser and public runs in comparison_with_known.md are those of oracle.md and public_baselines.csv."""
    done = subprocess.run([sys.executable, RESULTS / "comparison_with_known.py", tmp_path], check=True, capture_output=True, text=True)
    rows = [line for line in done.stdout.splitlines() if line.startswith("| *")]
    assert len(rows) == 3 and set(rows) < set((RESULTS / "comparison_with_known.md").read_text().splitlines())
