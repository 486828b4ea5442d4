"""Draw the runs listed on standard input: KL divergence, generated samples, training loss and gating weights.

Each picture is written as PNG and SVG into the directory --out:
kl_divergence_comparison, and for every dataset <dataset>_generated_samples, <dataset>_train_loss and
<dataset>_gating_weights_histogram.
"""
import argparse
import os
import sys

from runs import MISSING_PACKAGE, fail, in_order, lowest_seeds, read_list

try:
    import matplotlib
    import numpy as np

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.colors import LinearSegmentedColormap, Normalize
    from PIL import Image
except ImportError as missing:
    fail(missing, MISSING_PACKAGE)

NEUTRAL = "#7c8594"  # runs without a gate
COLOURS = ["#2f6fb5", "#e0742c", "#2c9a6c", "#b5428b", "#8a6fd1", "#c9a227", "#38a9c4", "#a3402f", "#6f8f2f", "#d9699a",
           "#1e3a5f", "#5c4a3a"]
# Cool to warm like coolwarm, but dark enough in the middle to be seen on white.
GATE = LinearSegmentedColormap.from_list("gate", ["#173f9f", "#3f86d2", "#8f86a8", "#e8813b", "#b3131f"])
STYLE = {
    "font.size": 10, "axes.titlesize": 11, "figure.titlesize": 13, "axes.labelsize": 10, "legend.fontsize": 9.5,
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#555555", "axes.axisbelow": True,
    "axes.grid": True, "grid.color": "#e4e4e4", "grid.linewidth": 0.8, "legend.frameon": False,
    "figure.constrained_layout.use": True, "savefig.bbox": "tight", "savefig.pad_inches": 0.12, "svg.fonttype": "none", "svg.hashsalt": "dualdiff",
}


class Study:
    """All results, and what they share in every picture: order of runs and their colours."""

    def __init__(self, results):
        self.results = results
        self.lowest = lowest_seeds(results)
        self.runs = in_order(result.run for result in results)
        self.datasets = sorted({result.dataset for result in results})
        gated = {result.run for result in self.lowest.values() if result.read("/samples/gate") is not None}
        palette = iter(COLOURS * len(self.runs))
        self.colour = {}
        for run in self.runs:
            neutral = run not in gated and NEUTRAL not in self.colour.values()
            self.colour[run] = NEUTRAL if neutral else next(palette)

    def seeds(self, run, dataset):
        return [result for result in self.results if (result.run, result.dataset) == (run, dataset)]

    def of(self, dataset):
        """The lowest seed of each run that has the dataset."""
        return [self.lowest[run, dataset] for run in self.runs if (run, dataset) in self.lowest]


def shown(name, longest=34):
    """A name as matplotlib prints it: no mathematics, the middle left out if it is too long."""
    if len(name) > longest:
        name = name[: longest // 2 - 1] + "…" + name[-(longest // 2) :]
    return name.replace("$", r"\$")


def metric(result, name):
    value = result.read(f"/metrics/{name}")
    return np.nan if value is None else float(value)


def seed_note(results):
    seeds = in_order(result.seed for result in results)
    return f"seed {seeds[0]}" if len(seeds) == 1 else "lowest seed of each run"


def panels(count, width, height, **options):
    """A figure with `count` panels of a size in inches, in a grid that is wider than high; unused places stay empty."""
    columns = {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3, 7: 4, 8: 4, 9: 3}.get(count, 4)
    rows = -(-count // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(columns * width + 0.9, rows * height + 0.6), squeeze=False,
                                **options)
    for axis in axes.flat[count:]:
        axis.set_axis_off()
    return figure, list(axes.flat[:count])


# ---- the pictures ----


def kl_comparison(study):
    """Bars over datasets: mean over seeds, standard deviation as error bar, each seed a dot."""
    count = len(study.runs)
    bar = min(0.84 / count, 0.25)
    group = max(1.5, 0.3 * count, 3.3 / len(study.datasets))  # inches of a dataset
    upright = bar * group < 0.4  # bars too narrow for a number beside the next one
    figure, axis = plt.subplots(figsize=(2.2 + len(study.datasets) * group, 4.8))
    handles, tops = [], []
    for i, run in enumerate(study.runs):
        for j, dataset in enumerate(study.datasets):
            values = np.array([metric(result, "kl_divergence") for result in study.seeds(run, dataset)])
            values = values[np.isfinite(values)]
            if not len(values):
                continue
            place, mean = j + (i - (count - 1) / 2) * bar, values.mean()
            deviation = values.std(ddof=1) if len(values) > 1 else 0.0
            axis.bar(place, mean, 0.88 * bar, color=study.colour[run])
            if len(values) > 1:
                axis.errorbar(place, mean, deviation, color="#222222", linewidth=1.1, capsize=3)
                axis.scatter(np.full(len(values), place), values, s=9, color="white", edgecolor="#222222", linewidth=0.6,
                             zorder=3)
            low, high = min(0.0, mean - deviation, *values), max(0.0, mean + deviation, *values)
            tops.append((low, high))
            axis.annotate(f"{mean:.3f}", (place, high), (0, 4), textcoords="offset points", ha="center", va="bottom",
                          rotation=90 if upright else 0, fontsize=8)
        handles.append(matplotlib.patches.Patch(color=study.colour[run]))
    span = max((high for _, high in tops), default=1.0) - min((low for low, _ in tops), default=0.0)
    axis.set_ylim(min((low for low, _ in tops), default=0.0) - (0.03 * span if tops and min(tops)[0] < 0 else 0.0),
                  max((high for _, high in tops), default=1.0) + 0.16 * span)
    axis.axhline(0, color="#555555", linewidth=0.8)
    axis.set_xticks(range(len(study.datasets)), [shown(dataset, 20) for dataset in study.datasets])
    axis.tick_params(axis="x", length=0)
    axis.grid(axis="x", visible=False)
    axis.set_xlim(-0.5, len(study.datasets) - 0.5)
    axis.set_ylabel("KL(real || generated) [bit]")
    axis.set_title("KL divergence, lower is better\n" + kl_note(study).strip(), loc="left")
    figure.legend(handles, [shown(run) for run in study.runs], loc="outside right upper")
    return figure


def kl_note(study):
    counts = {len(study.seeds(run, dataset)) for run, dataset in study.lowest}
    if counts == {1}:
        return " (one seed each)"
    if len(counts) == 1:
        return f" (mean ± standard deviation of {counts.pop()} seeds)"
    return " (mean ± standard deviation over seeds)"


def common_limits(clouds):
    """Limits for x and y that show all but the farthest points, with a margin; the same for all clouds."""
    limits = []
    for axis in range(2):
        values = np.concatenate([cloud[:, axis] for cloud in clouds])
        values = values[np.isfinite(values)]
        low, high = np.percentile(values, [0.05, 99.95]) if len(values) else (-1.0, 1.0)
        margin = 0.06 * (high - low) or 1.0
        limits.append((low - margin, high + margin))
    return limits


def generated_samples(study, dataset):
    """A panel a run: its points, coloured by the weight of expert 1; the same axes for all."""
    results = study.of(dataset)
    clouds = [result.read("/samples/x") for result in results]
    (left, right), (bottom, top) = common_limits(clouds)
    aspect = min(max((top - bottom) / (right - left), 0.4), 2.0)
    width = 3.2 if aspect <= 1.3 else 2.5
    figure, axes = panels(len(results), width, width * aspect + 0.4, sharex=True, sharey=True, layout="compressed")
    coloured = False
    for axis, result, x in zip(axes, results, clouds):
        gate = result.read("/samples/gate")
        order = np.random.default_rng(0).permutation(len(x))  # no expert is drawn on top of the other
        size = float(np.clip(15000 / max(len(x), 1), 1.5, 14))
        colour = {"color": NEUTRAL} if gate is None else {"c": gate[order], "cmap": GATE, "norm": Normalize(0, 1)}
        coloured |= gate is not None
        axis.scatter(*x[order].T, s=size, linewidths=0, rasterized=True, **colour)
        axis.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
        axis.grid(False)
        value = metric(result, "kl_divergence")
        axis.set_title(shown(result.run, 30) + ("" if np.isnan(value) else f"\nKL {value:.3f} bit"), fontsize=10)
        inside = (x[:, 0] >= left) & (x[:, 0] <= right) & (x[:, 1] >= bottom) & (x[:, 1] <= top)
        notes = ["no gate"] if gate is None else []
        if not inside.all():
            notes.append(f"{np.count_nonzero(~inside)} outside")
        axis.text(0.98, 0.015, ", ".join(notes), transform=axis.transAxes, ha="right", va="bottom", fontsize=8,
                  color="#555555")
    if coloured:
        mappable = matplotlib.cm.ScalarMappable(Normalize(0, 1), GATE)
        bar = figure.colorbar(mappable, ax=axes, shrink=min(1.0, 3.2 / figure.get_figheight()), aspect=24, pad=0.015)
        bar.set_label("gating weight of expert 1 at t = 0")
        bar.outline.set_visible(False)
    figure.suptitle(f"{shown(dataset)}: generated samples, {seed_note(results)}")
    return figure


def smooth(values, window):
    """Running mean under a Hann window, over what there is of it at both ends."""
    weight = np.hanning(window + 2)[1:-1]
    kept = np.isfinite(values)
    total = np.convolve(np.where(kept, values, 0.0), weight, mode="same")
    return total / np.convolve(kept.astype(float), weight, mode="same")


def smoothed_seeds(results, name):
    """(steps, mean, standard deviation) of a log's smoothed curve over seeds, thinned to what a picture shows."""
    curves = [result.read(name) for result in results]
    curves = [curve.astype(float) for curve in curves if curve is not None and len(curve)]
    if not curves:
        return None
    length = min(len(curve) for curve in curves)
    window = max(1, min(length // 3, round(0.03 * length))) | 1
    smoothed = np.stack([smooth(curve[:length], window) for curve in curves])
    steps = np.unique(np.linspace(0, length - 1, min(length, 400)).astype(int))
    deviation = smoothed.std(axis=0, ddof=1) if len(curves) > 1 else np.zeros(length)
    return steps, smoothed.mean(axis=0)[steps], deviation[steps]


def loss_panel(axis, study, dataset, curves):
    """One curve a run, with a band of one standard deviation where there are several seeds."""
    late = []
    for run, (steps, mean, deviation) in curves.items():
        axis.plot(steps, mean, color=study.colour[run], linewidth=1.5)
        if deviation.any():
            axis.fill_between(steps, mean - deviation, mean + deviation, color=study.colour[run], alpha=0.15, linewidth=0)
        late += [(mean + sign * deviation)[steps >= 0.04 * steps[-1]] for sign in (-1, 1)]
    late = np.concatenate(late) if late else np.zeros(0)
    late = late[np.isfinite(late)]
    if len(late):
        # The fall of the first steps would press all else together; it runs out of the picture.
        margin = 0.06 * (late.max() - late.min()) or 0.05
        axis.set_ylim(late.min() - margin, late.max() + margin)
    axis.margins(x=0.01)
    axis.set_xlabel("training step")


def train_loss(study, dataset):
    """Smoothed training loss of all runs, mean over seeds; beside it the MSE alone if a run's loss has more."""
    loss, mse = ({run: smoothed_seeds(study.seeds(run, dataset), name) for run in study.runs}
                 for name in ("/train/loss", "/train/mse"))
    loss, mse = ({run: curve for run, curve in curves.items() if curve is not None} for curves in (loss, mse))
    more = [run for run in loss if run in mse and not np.allclose(loss[run][1], mse[run][1], rtol=1e-4)]
    figure, axes = plt.subplots(1, 2 if more else 1, figsize=(13.5 if more else 9.5, 4.8), squeeze=False)
    loss_panel(axes[0, 0], study, dataset, loss)
    axes[0, 0].set_ylabel("training loss")
    axes[0, 0].set_title("loss: MSE - weight × diversity" if more else "loss: MSE", loc="left")
    if more:
        loss_panel(axes[0, 1], study, dataset, mse)
        axes[0, 1].set_ylabel("mean squared error")
        axes[0, 1].set_title("MSE alone", loc="left")
    figure.suptitle(f"{shown(dataset)}: training loss, smoothed over 3 % of the steps")
    handles = [matplotlib.lines.Line2D([], [], color=study.colour[run], linewidth=2) for run in loss]
    figure.legend(handles, [shown(run) for run in loss], loc="outside right upper")
    return figure


def gating_histogram(study, dataset):
    """A panel a run: the distribution of the weight of expert 1 over the generated samples."""
    results = study.of(dataset)
    figure, axes = panels(len(results), 3.3, 2.5, sharex=True)
    edges = np.linspace(0, 1, 51)
    centres = (edges[1:] + edges[:-1]) / 2
    for i, (axis, result) in enumerate(zip(axes, results)):
        gate = result.read("/samples/gate")
        axis.set_xlim(0, 1)
        if gate is None:
            axis.set_title(shown(result.run, 30))
            axis.text(0.5, 0.5, "no gate", transform=axis.transAxes, ha="center", va="center", fontsize=12, color=NEUTRAL)
            axis.set_yticks([])
            axis.grid(False)
            continue
        share = 100 * np.histogram(np.clip(gate, 0, 1), edges)[0] / len(gate)
        axis.bar(centres, share, 1 / 50, color=GATE(centres))
        axis.grid(axis="x", visible=False)
        axis.set_title(shown(result.run, 30))
        axis.text(0.5, 0.97, f"mean {gate.mean():.2f}; {np.mean(gate < 0.1):.0%} below .1, {np.mean(gate > 0.9):.0%} above .9",
                  transform=axis.transAxes, ha="center", va="top", fontsize=8, color="#444444")
        axis.set_ylim(0, 1.18 * share.max())
    for axis in axes:
        axis.tick_params(labelbottom=True)
    figure.supxlabel("gating weight of expert 1 at t = 0", fontsize=10)
    figure.supylabel("samples [%]", fontsize=10)
    figure.suptitle(f"{shown(dataset)}: gating weights of the generated samples, {seed_note(results)}")
    return figure


# ---- files ----


def save(figure, out, name):
    # Points are pixels in the SVG too; there fewer of them, or the file would be megabytes.
    for ending, dpi, metadata in ("png", 160, None), ("svg", 100, {"Date": None}):
        path = os.path.join(out, f"{name}.{ending}")
        figure.savefig(path + ".tmp", format=ending, dpi=dpi, metadata=metadata)
        if ending == "png":
            # The pictures have few colours: a palette of 256 loses nothing to the eye and more than halves the file.
            with Image.open(path + ".tmp") as picture:
                small = picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
            small.save(path + ".tmp", format="png", optimize=True)
        os.replace(path + ".tmp", path)
        figure.set_layout_engine("none")  # the second file keeps the layout of the first
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, help="directory of the pictures")
    out = parser.parse_args().out
    study = Study(read_list(sys.stdin.buffer))
    plt.rcParams.update(STYLE)
    os.makedirs(out, exist_ok=True)
    save(kl_comparison(study), out, "kl_divergence_comparison")
    for dataset in study.datasets:
        save(generated_samples(study, dataset), out, f"{dataset}_generated_samples")
        save(train_loss(study, dataset), out, f"{dataset}_train_loss")
        save(gating_histogram(study, dataset), out, f"{dataset}_gating_weights_histogram")
    print(f"{1 + 3 * len(study.datasets)} pictures, each as PNG and SVG, in {out}")


if __name__ == "__main__":
    try:
        main()
    except OSError as problem:
        fail(problem)
