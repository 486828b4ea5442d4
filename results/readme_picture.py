"""README's picture: the data, and next to it the samples of three configurations.

    dualdiff train run_0 --dataset dino; dualdiff train run_1 --dataset dino; dualdiff train mode_capture --dataset dino
    .venv/bin/python3 results/readme_picture.py runs docs/dino.png
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
from drawing import STYLE, GATE, Normalize, Study, matplotlib, metric, np, plt, png_bytes
from files import write_whole
from runs import Result
from sample_plots import cloud_panel, data_cloud, height_over_width, limits_of, point_size, run_cloud

DATASET, SEED = "dino", 0
RUNS = {"run_0": "one network", "run_1": "two experts and a gate", "mode_capture": "two experts, best settings"}
DPI = 150


def score(result):
    modes, captured = metric(result, "modes"), metric(result, "modes_captured")
    return f"KL {metric(result, 'kl_divergence'):.3f} bit, {captured:.0f} of {modes:.0f} modes"


def draw(study, results):
    data = data_cloud(study, DATASET)
    clouds = [data, *(run_cloud(study, result) for result in results)]
    titles = [f"data\n{len(data.x):,} points", *(f"{RUNS[result.run]}\n{score(result)}" for result in results)]
    limits = limits_of(clouds)
    figure, axes = plt.subplots(1, len(clouds), figsize=(2.75 * len(clouds), 2.75 * height_over_width(limits) + 1.1), sharex=True, sharey=True)
    for axis, cloud, title in zip(axes, clouds, titles):
        cloud_panel(axis, cloud, limits, point_size(clouds))
        axis.set_title(title, fontsize=11)
        axis.set(xticks=[], yticks=[])
        for spine in axis.spines.values():
            spine.set_visible(False)
    bar = figure.colorbar(matplotlib.cm.ScalarMappable(Normalize(0, 1), GATE), ax=axes, orientation="horizontal", shrink=0.3, aspect=30, pad=0.02,
                          ticks=np.array([0.0, 1.0]))
    bar.ax.set_xticklabels(["expert 2 alone", "expert 1 alone"])
    bar.ax.tick_params(length=0)
    bar.outline.set_visible(False)
    return figure


def main():
    folder, out = sys.argv[1:]
    results = [Result(run, DATASET, SEED, f"{folder}/{run}/{DATASET}/seed_{SEED}.h5") for run in RUNS]
    plt.rcParams.update(STYLE)
    write_whole(out, png_bytes(draw(Study(results), results), DPI))


main()
