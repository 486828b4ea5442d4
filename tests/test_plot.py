"""`dualdiff plot` on results written here: which pictures it makes, which text is on them, and that they are not blank."""
import io
import itertools
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import h5py
import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread
from PIL import Image

from result_files import write_result
from small_job import CONFIG, SOURCE, command, run

PROGRAM = Path(os.environ["DUALDIFF_BUILD"]) / "dualdiff"
ERR_USAGE, ERR_TOOL = 2, 10
KINDS = "generated_samples", "train_loss", "gating_weights_histogram"


def plot(*arguments, status=0, **environment):
    done = subprocess.run([PROGRAM, "plot", *map(str, arguments)], capture_output=True, text=True, timeout=300,
                          env=os.environ | environment)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def texts(path):
    """Everything written on an SVG, its <text> elements."""
    found = re.findall(r"<text[^>]*>(.*?)</text>", path.read_text(), re.DOTALL)
    return [re.sub(r"<[^>]*>", "", text).strip() for text in found]


def saturation(path):
    """Of each pixel, greatest minus least of red, green and blue."""
    pixels = imread(path)[..., :3]
    return pixels.max(axis=-1) - pixels.min(axis=-1)


def make(out, run, dataset, seed, kl, gated, more=0.0, points=3000):
    rng = np.random.default_rng(seed)
    x = rng.uniform([-2, -4], [2, 4], (points, 2))
    gate = 1 / (1 + np.exp(-3 * x[:, 0])) if gated else None
    mse = 0.8 + np.exp(-np.arange(600) / 20) + 0.02 * rng.normal(size=600)
    return write_result(out, run, dataset, seed, {"kl_divergence": kl}, gate, x, mse - more, mse)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Three runs, the first without a gate; dino with two seeds, "my data" with one run alone."""
    out = tmp_path_factory.mktemp("runs")
    for seed in 3, 4:
        make(out, "run_0", "dino", seed, 1.0 + 0.1 * seed, gated=False)
        make(out, "run_1", "dino", seed, 0.5 + 0.1 * seed, gated=True)
    make(out, "_a$b$ rather long name of a run that is long", "dino", 3, -0.25, gated=True, more=0.3)
    make(out, "run_0", "my data", 0, 0.125, gated=False)
    plot(out, "--out", out / "pictures" / "here")
    return out / "pictures" / "here"


def test_files(pictures):
    stems = ["kl_divergence_comparison"] + [f"{dataset}_{kind}" for dataset in ("dino", "my data") for kind in KINDS]
    stems.remove("my data_gating_weights_histogram")  # no run has a gate
    assert sorted(path.name for path in pictures.iterdir()) == sorted(
        f"{stem}.{ending}" for stem in stems for ending in ("png", "svg"))
    for path in pictures.glob("*.png"):
        pixels = imread(path)
        assert min(pixels.shape[:2]) > 300
        assert pixels[..., :3].std() > 0.02, f"{path.name} is blank"


def test_kl_comparison(pictures):
    shown = texts(pictures / "kl_divergence_comparison.svg")
    for value in "1.350", "0.850", "-0.250", "0.125":  # means over seeds
        assert value in shown
    for name in "dino", "my data", "run_0", "run_1":
        assert name in shown
    assert saturation(pictures / "kl_divergence_comparison.png").max() > 0.4


def test_generated_samples(pictures):
    shown = texts(pictures / "dino_generated_samples.svg")
    assert "dino: generated samples, seed 3" in shown
    for title in "run_0", "run_1", "KL 1.300 bit", "KL 0.800 bit", "KL -0.250 bit":
        assert title in shown
    assert "no gate" not in shown
    assert any(text.startswith("_a$b$ rather") and "…" in text for text in shown)
    assert "gating weight of expert 1 at t = 0" in shown
    assert np.mean(saturation(pictures / "dino_generated_samples.png") > 0.3) > 0.01


def test_samples_without_a_gate_are_neutral(pictures):
    assert "gating weight of expert 1 at t = 0" not in texts(pictures / "my data_generated_samples.svg")
    assert saturation(pictures / "my data_generated_samples.png").max() < 0.15


def test_train_loss(pictures):
    with_diversity, without = (texts(pictures / f"{dataset}_train_loss.svg") for dataset in ("dino", "my data"))
    assert "training step" in with_diversity and "run_1" in with_diversity
    assert "MSE alone" in with_diversity and "MSE alone" not in without


def test_gating_weights(pictures):
    shown = texts(pictures / "dino_gating_weights_histogram.svg")
    assert "run_1" in shown and "run_0" not in shown, "a run without a gate has no panel"
    with h5py.File(pictures.parents[1] / "run_1" / "dino" / "seed_3.h5") as file:
        gate = file["samples/gate"][:]
    low, high = (round(100 * np.count_nonzero(part) / len(gate)) for part in (gate < 0.1, gate > 0.9))
    assert f"mean {gate.mean():.2f}; {low}% below .1, {high}% above .9" in shown


def test_svg_stays_small(tmp_path):
    """Ten thousand points a panel are pixels in the SVG, not shapes."""
    make(tmp_path, "run_1", "line", 0, 0.1, gated=True, points=10_000)
    plot(tmp_path)
    svg = tmp_path / "plots" / "line_generated_samples.svg"
    assert svg.stat().st_size < 500_000
    assert svg.read_text().count("<use") < 200


def test_one_dataset(tmp_path):
    make(tmp_path, "run_0", "dino", 0, 1.0, gated=False)
    make(tmp_path, "run_0", "line", 0, 0.2, gated=False)
    assert "did you mean 'dino'" in plot(tmp_path, "--dataset", "dinos", status=ERR_USAGE)
    plot(tmp_path, "--dataset", "line", "--out", tmp_path / "line")
    assert {path.stem for path in (tmp_path / "line").iterdir()} == {
        "kl_divergence_comparison", *(f"line_{kind}" for kind in KINDS[:2])}
    assert "0.200" in texts(tmp_path / "line" / "kl_divergence_comparison.svg")
    assert "dino" not in texts(tmp_path / "line" / "kl_divergence_comparison.svg")


def test_python_without_packages(tmp_path):
    make(tmp_path, "run_0", "dino", 0, 1.0, gated=False)
    bare = tmp_path / "python3"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    message = plot(tmp_path, status=ERR_TOOL, DUALDIFF_PYTHON=str(bare))
    assert "No module named" in message and "pip install -r" in message
    assert not (tmp_path / "plots").exists()


def test_histograms_share_a_scale(tmp_path, monkeypatch):
    """Bars of different runs can be compared by eye, and none is cut off."""
    monkeypatch.syspath_prepend(Path(os.environ["DUALDIFF_SOURCE"]) / "python")
    import drawing
    import runs
    import sample_plots

    paths = [make(tmp_path, run, "dino", 0, 0.5, gated=True) for run in ("run_1", "run_2")]
    with h5py.File(paths[1], "a") as file:
        file["samples/gate"][:] = 0.99  # all in one bar
    study = drawing.Study([runs.Result(run, "dino", 0, str(path)) for run, path in zip(("run_1", "run_2"), paths)])
    axes = sample_plots.gating_histogram(study, "dino").axes[:2]
    assert axes[0].get_ylim() == axes[1].get_ylim() and axes[0].get_ylim()[1] >= 100


def test_descriptions(pictures):
    shown = texts(pictures / "dino_gating_weights_histogram.svg")
    assert shown.count("2 experts") == 2
    assert "one network" in texts(pictures / "dino_generated_samples.svg")


# ---- more than two experts, other gates, fewer sampling steps ----

VARIANTS: dict[str, dict] = {
    "two": {},
    "four": {"model.experts": 4, "diffusion.timesteps": 40, "diffusion.prediction": "x0", "sampling.steps": 10},
    "hard": {"model.gate": "hard"},
    "fixed": {"model.experts": 3, "model.gate": "fixed"},
    "single": {"model.experts": 1},
}


@pytest.fixture(scope="module")
def variants(tmp_path_factory):
    """The modules that draw, and a study of one small run of each variant, analysed where there is something to analyse."""
    out, found = tmp_path_factory.mktemp("variants"), []
    sys.path.insert(0, str(Path(os.environ["DUALDIFF_SOURCE"]) / "python"))
    import analysis_plots
    import animation  # noqa: F401
    import drawing
    import plot as pictures
    import runs
    import sample_plots  # noqa: F401

    sys.path.pop(0)
    for name, settings in VARIANTS.items():
        config = out / f"{name}.toml"
        config.write_bytes(Path(CONFIG).read_bytes())
        run(command(out, "--dataset", "circle", config=config, settings={"training.steps": 150, "training.learning_rate": .005} | settings))
        path = out / name / "circle" / "seed_0.h5"
        if name != "single":
            subprocess.run([PROGRAM, "analyze", path, "--threads", "1"], check=True, capture_output=True)
        found.append(runs.Result(name, "circle", 0, str(path)))
    drawing.plt.rcParams.update(drawing.STYLE)
    yield pictures, analysis_plots, drawing.Study(found)
    drawing.plt.close("all")


def crowded(figure):
    """Pairs of texts that overlap; tick labels only if they are words."""
    figure.canvas.draw()
    ticks = {text for tick in figure.findobj(matplotlib.axis.Tick) for text in tick.findobj(matplotlib.text.Text)}
    texts = [text for text in figure.findobj(matplotlib.text.Text) if text.get_visible() and text.get_text() and (not text.axes or text.axes.axison)
             and (text not in ticks or re.search("[a-z]", text.get_text()))]
    boxes = [(text.get_text(), text.get_window_extent().shrunk(.9, .9)) for text in texts]
    return [(one, other) for (one, a), (other, b) in itertools.combinations(boxes, 2) if a.overlaps(b)]


def legend_texts(figure):
    return [text.get_text() for legend in figure.findobj(matplotlib.legend.Legend) for text in legend.get_texts()]


EXPERTS = [f"expert {e}" for e in range(1, 5)]


def test_samples_by_expert(variants):
    """Of two experts a scale, of more the colour of the greatest weight; before them the training points, as many as there are samples."""
    _, _, study = variants
    import sample_plots

    figure = sample_plots.generated_samples(study, "circle")
    panels = dict(zip(["data", *study.runs], figure.axes))
    four = study.lowest["four", "circle"].read("/samples/gate")
    assert four.shape == (100, 4)
    shades = panels["four"].collections[0].get_facecolors()
    assert len(np.unique(shades, axis=0)) == len(np.unique(four.argmax(axis=1)))
    assert len(np.unique(panels["two"].collections[0].get_facecolors(), axis=0)) > 4
    assert panels["data"].get_title() == "data\n100 of 500 training points" and len(panels["data"].collections[0].get_offsets()) == 100
    for name in "fixed", "single":
        assert len(np.unique(panels[name].collections[0].get_facecolors(), axis=0)) == 1
    assert legend_texts(figure) == EXPERTS and not crowded(figure)


def test_histogram_by_expert(variants):
    """Stacked bars of the greatest weight, all samples once; no panel without a gate that learns."""
    _, _, study = variants
    import sample_plots

    figure = sample_plots.gating_histogram(study, "circle")
    panels = dict(zip([run for run in study.runs if run not in ("fixed", "single")], figure.axes))
    assert len([axis for axis in figure.axes if axis.axison]) == 3
    bars = [bar for bar in panels["four"].patches]
    assert sum(bar.get_height() for bar in bars) == pytest.approx(100) and len(bars) == 4 * 50
    assert sum(bar.get_height() for bar in panels["hard"].patches) == pytest.approx(100)
    assert legend_texts(figure) == EXPERTS and not crowded(figure)


@pytest.mark.parametrize("name", ["four", "hard", "fixed"])
def test_pictures_of_an_analysis(variants, name):
    _, analysis, study = variants
    result = study.lowest[name, "circle"]
    experts, gated = result.experts, name != "fixed"
    over_plane, over_time, by_region = (draw(study, result) for draw in (analysis.gate_map, analysis.gate_over_time, analysis.gate_by_region))
    rows = ["gating weight", "noise, expert 1", "noise, expert 2"] if experts == 2 else [
        "greatest weight", *EXPERTS] if gated else [f"noise, {expert}" for expert in EXPERTS[:3]]
    columns = 6
    assert [axis.get_ylabel() for axis in over_plane.axes[::columns][:len(rows) + 1]] == [*rows, "disagreement"]
    for figure in over_plane, over_time, by_region:
        assert not crowded(figure)
        assert legend_texts(figure)[-experts:] == EXPERTS[:experts] or experts == 2
    titles = [axis.get_title(loc="left") for axis in over_time.axes]
    assert sum("weight" in title for title in titles) == (3 if gated else 0)
    if name == "four":  # lines over the ten timesteps that sampling goes through
        lines = over_time.axes[1].lines
        assert len(lines) == 4 and all(list(line.get_xdata()) == [*range(3, 40, 4)] for line in lines)
        assert np.sum([line.get_ydata() for line in lines], axis=0) == pytest.approx(1, abs=1e-5)
    for picture in analysis.of_result(study, result):
        assert len(picture.alt) > 60 and "nan" not in picture.alt


def test_animation(variants):
    """All analysed runs and the data in one picture; the timesteps that each run's sampling goes through; the samples in the last frame."""
    _, _, study = variants
    import animation

    journeys, data = animation.journeys_of(study, "circle"), animation.data_cloud(study, "circle", animation.POINTS)
    names = ["data", *(journey.run for journey in journeys)]
    assert names == ["data", "two", "four", "hard", "fixed"] and data.words == "500 training points"
    limits = [(-6, 6), (-6, 6)]
    said = dict(zip(names[1:], zip(*(words for _, words in animation.frames_of(journeys, data, limits, names, np.linspace(0, 1, 6))))))
    assert {words[-1] for words in said.values()} == {"samples"} and said["four"][0] == "t = 39" and said["two"][0] == "t = 11"
    assert {int(words[4:]) for words in said["four"][:-1]} <= set(range(3, 40, 4))

    with Image.open(io.BytesIO(animation.reverse_process(study, "circle", frames=6))) as picture:
        assert picture.n_frames == 6 and picture.width >= 720
        colours = set()
        for frame in range(6):
            picture.seek(frame)
            colours |= set(map(tuple, np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)))
    assert colours <= set(map(tuple, animation.palette())), "one palette for all frames"
    stage = animation.Stage(names, limits, {2, 4})
    pixels = animation.palette()[np.asarray(next(iter(animation.frames_of(journeys, data, limits, names, [1.0])))[0])].astype(int)

    def colourful(name):
        left, top = stage.corners[names.index(name)]
        panel = pixels[top:top + stage.height, left:left + stage.width]
        return np.mean(panel.max(axis=2) - panel.min(axis=2) > 60)
    assert colourful("four") > .002 and colourful("fixed") == 0 and colourful("data") == 0, "without a learned gate points are neutral"


def test_which_gate_follows_what(variants):
    """Learned gates alone; of more than two experts the mean."""
    _, analysis, study = variants
    figure = analysis.gate_information(study, "circle")
    assert len(figure.axes[0].get_xticklabels()) == 3 and not crowded(figure)
    four = study.lowest["four", "circle"].analysis("information/data_region")
    heights = [bar.get_height() for bar in figure.axes[0].patches[:3]]
    assert heights[study.runs.index("four")] == pytest.approx(four.mean()) and len(four) == 4


def test_far_off(tmp_path, variants):
    """Samples of a run that failed do not shrink the others to a dot."""
    import drawing
    import runs
    import sample_plots

    found = []
    for name, scale in ("a", 1), ("b", 1.2), ("failed", 500):
        x = scale * np.random.default_rng(1).normal(size=(500, 2))
        found.append(runs.Result(name, "dino", 0, str(write_result(tmp_path, name, "dino", 0, {"kl_divergence": .5}, x=x))))
    figure = sample_plots.generated_samples(drawing.Study(found), "dino")
    assert max(figure.axes[0].get_xlim()) < 30
    assert "outside" in figure.axes[2].texts[0].get_text() and "outside" not in figure.axes[0].texts[0].get_text()


def test_many_runs(tmp_path, variants):
    """Twenty runs are drawn in rows, each can be distinguished from the others, and a run that is twenty times as long has the same width."""
    pictures, analysis, _ = variants
    import drawing
    import runs

    found = []
    for i in range(20):
        for dataset in "dino", "line":
            kl = 30.0 if i == 7 else .1 * i
            path = write_result(tmp_path, f"run_{i}", dataset, 0, {"kl_divergence": kl}, np.full(10, .5), loss=np.ones(2000 if i == 3 else 100))
            with h5py.File(path, "a") as file:
                file["analysis/map/disagreement"] = np.ones(3)
                file["analysis"].attrs["regions"] = "modes"
                for j, (source, what) in enumerate(itertools.product(("data", "sampling"), ("region", "timestep"))):
                    file[f"analysis/information/{source}_{what}"] = np.full(2, .01 * i + .2 * j)
            found.append(runs.Result(f"run_{i}", dataset, 0, str(path)))
    study = drawing.Study(found)
    marks = {(str(study.colour[run]), str(study.line[run])) for run in study.runs}
    assert len(marks) == 20

    figure = pictures.comparison(study)[0].draw()
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == study.runs and not crowded(figure)
    for axis in figure.axes[:2]:
        said = [text.get_text() for text in axis.texts]
        assert len(said) == 20 and said[7] == "30.00 \N{RIGHTWARDS ARROW}" and said[4] == "0.400" and max(axis.get_xlim()) < 5
        assert axis.texts[4].get_position() == (5, 0) and axis.texts[4].xy == pytest.approx((.4, 4))

    figure = pictures.train_loss(study, "dino")
    assert legend_texts(figure) == study.runs and not crowded(figure)
    lines = figure.axes[0].lines
    assert {max(line.get_xdata()) for line in lines} == {100} and "share" in figure.axes[0].get_xlabel()

    figure = analysis.gate_information(study, "dino")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == study.runs and not crowded(figure)
    bars = figure.axes[1].patches
    assert [bar.get_width() for bar in bars] == pytest.approx([.01 * i + .4 + .2 * j for j in range(2) for i in range(20)])


def test_long_log(tmp_path, variants):
    """The work of smoothing grows with the log, not with its square; a log of any length looks like its shape."""
    pictures, _, _ = variants

    def seconds(length):
        values = np.linspace(3, 1, length, dtype=np.float32)
        values[::1000] = np.nan
        result = type("Result", (), {"read": lambda self, name: values})()
        best, curve = np.inf, None
        for _ in range(3):
            begun = time.process_time()
            curve = pictures.smoothed_seeds([result], "/train/loss")
            best = min(best, time.process_time() - begun)
        return best, curve

    short, (_, few, _) = seconds(100_000)
    long, (steps, mean, deviation) = seconds(1_600_000)
    assert long < 64 * short + 0.2, "sixteen times the log takes sixteen times as long, not 256 times"
    assert len(steps) == 400 and steps[-1] > 1_599_000 and not deviation.any()
    assert mean[20:-20] == pytest.approx(3 - 2 * steps[20:-20] / 1_600_000, abs=1e-3) and mean[20:-20] == pytest.approx(few[20:-20], abs=1e-3)


def test_short_log_is_smoothed_step_by_step(variants):
    """As it was defined: a Hann window over 3 % of the steps."""
    pictures, _, _ = variants
    values = np.random.default_rng(0).normal(size=900)
    _, total, number = pictures.in_parts(values, pictures.PARTS)
    weight = np.hanning(29)[1:-1]
    expected = np.convolve(values, weight, mode="same") / np.convolve(np.ones(900), weight, mode="same")
    assert pictures.smooth(total, number, 27) == pytest.approx(expected)


def test_hundreds_of_runs(tmp_path, variants):
    """Panels, curves and pictures of analyses are of the best; a title says of how many."""
    pictures, _, _ = variants
    import drawing
    import limits
    import runs

    found = [runs.Result(f"run_{i}", "dino", 0, str(write_result(tmp_path, f"run_{i}", "dino", 0, {"kl_divergence": (7 * i % 60) + .5},
                                                                 np.full(10, .5)))) for i in range(60)]
    study = drawing.Study(found)
    best = {result.run for result in limits.best(found, 24)}
    assert best == {f"run_{i}" for i in range(60) if 7 * i % 60 < 24}
    figure = pictures.train_loss(study, "dino")
    assert len(figure.axes[0].lines) == 24 and "24 of the lowest KL divergence, of 60" in figure.get_suptitle()
    assert len(figure.legends[0].get_texts()) == 24
    few, many = ({dataset: found[:n] for dataset in ("dino", "line")} for n in (12, 60))
    assert limits.drawn_in_full(few) == few
    assert [len(results) for results in limits.drawn_in_full(many).values()] == [3, 3]
    crowd = {f"set_{i}": found[:1] for i in range(30)}
    assert sum(map(len, limits.drawn_in_full(crowd).values())) == 6


def test_empty_log(tmp_path, variants):
    """A run without a logged step leaves its panel empty and the picture whole."""
    pictures, _, _ = variants
    import drawing
    import runs

    path = write_result(tmp_path, "run_0", "dino", 0, {"kl_divergence": .5}, loss=np.zeros(0))
    figure = pictures.train_loss(drawing.Study([runs.Result("run_0", "dino", 0, str(path))]), "dino")
    assert not figure.axes[0].lines and figure.axes[0].get_xlabel() == "training step"


@pytest.mark.parametrize("value", [np.nan, -np.inf, 3e38])
def test_log_without_sensible_numbers(tmp_path, variants, value):
    """A damaged or diverged run's log: the picture is drawn, and the other run is in it."""
    pictures, _, _ = variants
    import drawing
    import runs

    paths = [write_result(tmp_path, run, "dino", 0, {"kl_divergence": .5}, loss=loss) for run, loss in (("odd", np.full(20, value)), ("good", None))]
    figure = pictures.train_loss(drawing.Study([runs.Result(path.parents[1].name, "dino", 0, str(path)) for path in paths]), "dino")
    assert drawing.png_bytes(figure, 60) and len(figure.axes[0].lines) == (2 if np.isfinite(value) else 1)


def test_descriptions_of_many(tmp_path, variants):
    """If many settings vary, the description has those in which a run differs; a key that an older file lacks has the value of that time."""
    import drawing
    import runs

    settings = {"a": {}, "b": {"training.batch": 64, "training.steps": 5, "model.hidden_depth": 2, "training.beta1": .8, "training.beta2": .9},
                "c": {"sampling.steps": 10, "diffusion.prediction": "v"},
                "d": {"training.clip_norm": .25} | {f"training.{key}": .5 for key in (
                    "learning_rate", "beta1", "beta2", "epsilon", "weight_decay", "ema_decay", "ema_power")}}
    found = []
    for name, changed in settings.items():
        path = write_result(tmp_path, name, "dino", 0, gate=np.full(10, .5), settings=changed)
        with h5py.File(path, "a") as file:
            text = file["config"][()].decode()
            del file["config"]
            file["config"] = "\n".join(line for line in text.splitlines() if name == "c" or not line.startswith(("prediction", "gate =")))
        found.append(runs.Result(name, "dino", 0, str(path)))
    words = drawing.Study(found).description
    assert words["a"] == "2 experts" and words["c"] == "2 experts, 10 sampling steps, predicts v"
    assert words["d"] == "2 experts, learning rate 0.5, beta1 0.5, beta2 0.5, " \
                         "epsilon 0.5, weight decay 0.5, clip norm 0.25, 2 settings more"
    assert "batch 64" in words["b"] and "beta" in words["b"] and "predicts" not in words["b"]


@pytest.mark.parametrize("values", [[-.0512345], [.584], [.5, .501], [12.3456]])
def test_numbers_at_the_axis_do_not_touch(values, monkeypatch):
    """The report's KL picture, also of a single seed, whose axis is so short that its numbers have many digits."""
    monkeypatch.syspath_prepend(os.path.join(SOURCE, "results"))
    import plot

    runs = [f"run_{i}" for i in range(len(values))]
    study = SimpleNamespace(runs=runs, untrained=dict.fromkeys(runs, ""), colour=dict.fromkeys(runs, "#000000"),
                            seeds=lambda run, _: [SimpleNamespace(metrics={"kl_divergence": values[runs.index(run)]})])
    with matplotlib.rc_context(plot.STYLE):
        figure = plot.kl_of_dataset(study, "dino")
        figure.canvas.draw()
    left, right = figure.axes[0].get_xlim()
    numbers = [label.get_window_extent() for place, label in zip(figure.axes[0].get_xticks(), figure.axes[0].get_xticklabels()) if left <= place <= right]
    assert len(numbers) >= 3 and all(b.x0 - a.x1 > 10 for a, b in itertools.pairwise(numbers))
