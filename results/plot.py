"""Draw the runs listed on standard input: KL divergence, generated samples, training loss, gating weights, and analyses.

The pictures go into the directory --out; `dualdiff plot --help` names them. Those of analyses are in analysis_plots.py.
"""
import os
import sys

from loading import load, run_script, script_parser
from progress import Progress
from runs import fail
from workers import Failed, in_parallel
from drawing import (DATA, GATE, MANY, NEUTRAL, STYLE, Normalize, Picture, Study, common_limits, expert_colour, expert_handles, gate_colours,
                     matplotlib, metric, np, panels, plt, row_limits, row_mark, rows, save_picture, sd, seed_note, shown)
import analysis_plots

WINDOW = 0.03  # of a loss curve: the smoothing's share of the steps
PARTS = 4000
NAMED = 24  # files that are named one by one

# ---- the pictures ----


def kl_values(study, run, dataset):
    values = np.array([metric(result, "kl_divergence") for result in study.seeds(run, dataset)])
    return values[np.isfinite(values)]


def kl_rows(study):
    """A panel a dataset, a row a run: what can be read when there are many."""
    figure, axes = rows(study.runs, study.datasets, "KL(real || generated) [bit]", 2)
    for axis, dataset in zip(axes, study.datasets):
        groups = [(y, run, values) for y, run in enumerate(study.runs) if len(values := kl_values(study, run, dataset))]
        if groups:
            low, high = row_limits(np.inf, [values for _, _, values in groups])
            axis.set_xlim(low, high + 0.14 * (high - low))  # room for the numbers
        for y, run, values in groups:
            if row_mark(axis, y, values, study.colour[run]):
                axis.annotate(f"{values.mean():.3f}", (max(values.max(), values.mean() + sd(values)), y), (5, 0), textcoords="offset points",
                              va="center", fontsize=8, color="#444444")
    figure.suptitle("KL divergence, lower is better\n" + kl_note(study).strip(), x=0.01, ha="left", fontsize=11)
    return figure


def kl_comparison(study):
    """Bars over datasets: mean over seeds, standard deviation as error bar, each seed a dot."""
    count = len(study.runs)
    bar = min(0.84 / count, 0.25)
    group = max(1.5, 0.3 * count, 3.3 / len(study.datasets))  # inches of a dataset
    upright = bar * group < 0.4  # bars too narrow for a number beside the next one
    # Beside the datasets: the scale, and the legend, which would take its room from them.
    figure, axis = plt.subplots(figsize=(3.8 + len(study.datasets) * group, 4.8))
    handles, tops = [], []
    for i, run in enumerate(study.runs):
        for j, dataset in enumerate(study.datasets):
            values = kl_values(study, run, dataset)
            if not len(values):
                continue
            place, mean = j + (i - (count - 1) / 2) * bar, values.mean()
            deviation = sd(values)
            axis.bar(place, mean, 0.88 * bar, color=study.colour[run])
            if len(values) > 1:
                axis.errorbar(place, mean, deviation, color="#222222", linewidth=1.1, capsize=3)
                axis.scatter(np.full(len(values), place), values, s=9, color="white", edgecolor="#222222", linewidth=0.6,
                             zorder=3)
            low, high = min(0.0, mean - deviation, *values), max(0.0, mean + deviation, *values)
            tops.append((low, high))
            axis.annotate(f"{mean:.3f}", (place, high), (0, 6), textcoords="offset points", ha="center", va="bottom",
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
    figure.legend(handles, [study.name[run] for run in study.runs], loc="outside right upper", labelspacing=0.8)
    return figure


def kl_note(study):
    counts = {len(study.seeds(run, dataset)) for run, dataset in study.lowest}
    if counts == {1}:
        return " (one seed each)"
    if len(counts) == 1:
        return f" (mean ± standard deviation of {counts.pop()} seeds)"
    return " (mean ± standard deviation over seeds)"


def data_points(study, dataset):
    """Fresh points of the dataset, which the analysis of a run keeps; None where no run has been analysed."""
    for result in study.of(dataset):
        x = result.analysis("data/x")
        if x is not None:
            return x
    return None


def samples_panel(axis, x, limits, size, weight=None, colour=NEUTRAL):
    """Points of a size, coloured by the experts' weights (n, experts) if there are some; returns notes for the panel's corner."""
    (left, right), (bottom, top) = limits
    order = np.random.default_rng(0).permutation(len(x))  # no expert is drawn on top of the other
    axis.scatter(*x[order].T, s=size, linewidths=0, rasterized=True, color=colour if weight is None else gate_colours(weight[order]))
    axis.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    axis.grid(False)
    inside = (x[:, 0] >= left) & (x[:, 0] <= right) & (x[:, 1] >= bottom) & (x[:, 1] <= top)
    return [] if inside.all() else [f"{np.count_nonzero(~inside)} outside"]


def generated_samples(study, dataset):
    """A panel a run: its points, coloured by the weight of expert 1 or, of more than two, by the expert of the greatest weight; the same
    axes for all. Before them the data and the exact denoiser's samples and true points, where there are some."""
    results, data = study.of(dataset), data_points(study, dataset)
    clouds = [result.read("/samples/x") for result in results]
    size = float(np.clip(15000 / max(1, *map(len, clouds)), 1.5, 14))
    limits = common_limits(clouds if data is None else [data, *clouds])
    (left, right), (bottom, top) = limits
    aspect = min(max((top - bottom) / (right - left), 0.4), 2.0)
    width = 3.2 if aspect <= 1.3 else 2.5
    extra = data is not None
    titles = [study.name[result.run] + ("" if np.isnan(value) else f"\nKL {value:.3f} bit")
              for result, value in ((result, metric(result, "kl_divergence")) for result in results)]
    lines = max(title.count("\n") for title in titles) + 1
    figure, axes = panels(len(results) + extra, width, width * aspect + 0.3 + 0.19 * lines, sharex=True, sharey=True, layout="compressed")
    if extra:
        samples_panel(axes[0], data, limits, size, colour=DATA)
        axes[0].set_title("data\nfresh points", fontsize=10)
    counts = set()  # of experts that colour points
    for axis, title, result, x in zip(axes[extra:], titles, results, clouds):
        weight = result.sample_weights()
        counts |= set() if weight is None else {weight.shape[1]}
        notes = [result.no_gate] if result.no_gate and not result.untrained else []
        notes += samples_panel(axis, x, limits, size, weight, study.colour[result.run] if result.untrained else NEUTRAL)
        axis.set_title(title, fontsize=10)
        axis.text(0.98, 0.015, ", ".join(notes), transform=axis.transAxes, ha="right", va="bottom", fontsize=8,
                  color="#555555")
    if 2 in counts:
        mappable = matplotlib.cm.ScalarMappable(Normalize(0, 1), GATE)
        bar = figure.colorbar(mappable, ax=axes, shrink=min(1.0, 3.2 / figure.get_figheight()), aspect=24, pad=0.015)
        bar.set_label("gating weight of expert 1 at t = 0")
        bar.outline.set_visible(False)
    if max(counts, default=0) > 2:
        figure.legend(*expert_handles(max(counts)), loc="outside lower center", ncols=max(counts), columnspacing=1.2,
                      title="expert of the greatest weight at t = 0" + (", of more than two" if 2 in counts else ""), title_fontsize=9.5)
    figure.suptitle(f"{shown(dataset)}: generated samples, {seed_note(results)}")
    return figure


def in_parts(values, most):
    """Of `most` equal parts (of each value where there are fewer): (middle, sum, number) of the finite values in each."""
    edges = np.unique(np.linspace(0, len(values), min(most, len(values)) + 1).astype(int))
    kept = np.isfinite(values)
    total, number = (np.add.reduceat(found, edges[:-1]) for found in (np.where(kept, values, 0.0), kept.astype(float)))
    return (edges[1:] + edges[:-1] - 1) // 2, total, number


def smooth(total, number, window):
    """Running mean under a Hann window of sums over numbers of values, over what there is of it at both ends; NaN where there is none."""
    weight = np.hanning(window + 2)[1:-1]
    total, number = (np.convolve(values, weight, mode="same") for values in (total, number))
    return np.divide(total, number, where=number > 0, out=np.full(len(total), np.nan))


def smoothed_seeds(results, name):
    """(steps, mean, standard deviation) of a log's smoothed curve over seeds, thinned to what a picture shows. Of a long log means over
    PARTS are smoothed, which are a hundredth of the window: the work is that of reading it."""
    curves = [curve for result in results if (curve := result.read(name)) is not None and len(curve)]
    if not curves:
        return None
    length = min(len(curve) for curve in curves)
    parts = [in_parts(curve[:length].astype(float), PARTS) for curve in curves]
    middle = parts[0][0]
    window = max(1, min(len(middle) // 3, round(WINDOW * len(middle)))) | 1
    smoothed = np.stack([smooth(total, number, window) for _, total, number in parts])
    shown_parts = np.unique(np.linspace(0, len(middle) - 1, min(len(middle), 400)).astype(int))
    smoothed = smoothed[:, shown_parts]
    deviation = smoothed.std(axis=0, ddof=1) if len(curves) > 1 else np.zeros(len(shown_parts))
    return middle[shown_parts], smoothed.mean(axis=0), deviation


def loss_panel(axis, study, curves):
    """One curve a run, with a band of one standard deviation where there are several seeds. Where one run is many times as long as another, over the
    share of its training."""
    late, lengths = [], [steps[-1] for steps, _, _ in curves.values()]
    share = max(lengths, default=0) > 3 * max(1, min(lengths, default=0))
    for run, (steps, mean, deviation) in curves.items():
        place = 100 * steps / max(1, steps[-1]) if share else steps
        axis.plot(place, mean, color=study.colour[run], linestyle=study.line[run], linewidth=1.5)
        if deviation.any():
            axis.fill_between(place, mean - deviation, mean + deviation, color=study.colour[run], alpha=0.15, linewidth=0)
        late += [(mean + sign * deviation)[steps >= 0.04 * steps[-1]] for sign in (-1, 1)]
    late = np.concatenate(late) if late else np.zeros(0)
    late = late[np.isfinite(late)]
    if len(late):
        # The fall of the first steps would press all else together; it runs out of the picture.
        margin = 0.06 * (late.max() - late.min()) or 0.05
        axis.set_ylim(late.min() - margin, late.max() + margin)
    axis.margins(x=0.01)
    axis.set_xlabel("share of the run's training steps [%]" if share else "training step")


def train_loss(study, dataset):
    """Smoothed training loss of all runs, mean over seeds; beside it the MSE alone if a run's loss has more."""
    loss, mse = ({run: smoothed_seeds(study.seeds(run, dataset), name) for run in study.runs}
                 for name in ("/train/loss", "/train/mse"))
    loss, mse = ({run: curve for run, curve in curves.items() if curve is not None} for curves in (loss, mse))
    more = [run for run in loss if run in mse and not np.allclose(loss[run][1], mse[run][1], rtol=1e-4)]
    figure, axes = plt.subplots(1, 2 if more else 1, figsize=(13.5 if more else 9.5, max(4.8, 0.24 * len(loss))), squeeze=False)
    loss_panel(axes[0, 0], study, loss)
    axes[0, 0].set_ylabel("training loss")
    axes[0, 0].set_title("loss: MSE - weight × diversity" if more else "loss: MSE", loc="left")
    if more:
        loss_panel(axes[0, 1], study, mse)
        axes[0, 1].set_ylabel("mean squared error")
        axes[0, 1].set_title("MSE alone", loc="left")
    figure.suptitle(f"{shown(dataset)}: training loss, smoothed over 3 % of the steps", x=0.01, ha="left")
    handles = [matplotlib.lines.Line2D([], [], color=study.colour[run], linestyle=study.line[run], linewidth=2) for run in loss]
    figure.legend(handles, study.legend(loss), loc="outside right upper", labelspacing=0.8 if len(loss) <= MANY else 0.4, handlelength=2.6)
    return figure


def weight_bars(axis, weight):
    """Bars of the weight of expert 1 in the gate's colours; of more than two experts, of the greatest weight, stacked by whose it is.
    Returns the highest."""
    edges, experts = np.linspace(0, 1, 51), weight.shape[1]
    centres, base = (edges[1:] + edges[:-1]) / 2, np.zeros(50)
    first, greatest, most = weight[:, 0], weight.max(axis=1), weight.argmax(axis=1)
    for e in [None] if experts == 2 else range(experts):
        share = 100 * np.histogram(np.clip(first if e is None else greatest[most == e], 0, 1), edges)[0] / len(weight)
        axis.bar(centres, share, 1 / 50, base, color=GATE(centres) if e is None else expert_colour(e + 1, experts))
        base += share
    if experts == 2:
        words = f"mean {first.mean():.2f}; {np.mean(first < 0.1):.0%} below .1, {np.mean(first > 0.9):.0%} above .9"
    else:
        words = f"mean {greatest.mean():.2f}; {np.mean(greatest < 0.5):.0%} below .5, {np.mean(greatest > 0.9):.0%} above .9"
    axis.text(0.5, 0.97, words, transform=axis.transAxes, ha="center", va="top", fontsize=8, color="#444444")
    return base.max()


def gating_histogram(study, dataset):
    """A panel a run: how the weights of the generated samples are distributed; the same scale for all."""
    results = study.trained(dataset)
    figure, axes = panels(len(results), 3.3, 2.8, sharex=True, sharey=True)
    highest, counts = 1.0, set()
    for axis, result in zip(axes, results):
        weight = result.sample_weights()
        axis.set_xlim(0, 1)
        axis.set_title(study.name[result.run], fontsize=10)
        if weight is None:
            axis.text(0.5, 0.5, result.no_gate, transform=axis.transAxes, ha="center", va="center", fontsize=12, color=NEUTRAL)
            axis.grid(False)
            continue
        counts.add(weight.shape[1])
        highest = max(highest, weight_bars(axis, weight))
        axis.grid(axis="x", visible=False)
    axes[0].set_ylim(0, 1.18 * highest)
    for axis in axes:
        axis.tick_params(labelbottom=True, labelleft=True)
    greatest = "greatest weight at t = 0, by its expert"
    figure.supxlabel("gating weight of expert 1 at t = 0" + (f" (more than two: {greatest})" if max(counts, default=0) > 2 else "")
                     if 2 in counts or not counts else greatest, fontsize=10)
    if max(counts, default=0) > 2:
        figure.legend(*expert_handles(max(counts)), loc="outside right upper")
    figure.supylabel("samples [%]", fontsize=10)
    figure.suptitle(f"{shown(dataset)}: gating weights of the generated samples, {seed_note(results)}")
    return figure


# ---- all of them ----


def means_in_words(study, dataset, name):
    """"run_1 0.819, run_2 0.771": a metric's means over seeds."""
    means = {run: np.mean([metric(result, name) for result in study.seeds(run, dataset)])
             for run in study.runs if (run, dataset) in study.lowest}
    return ", ".join(f"{run} {mean:.3f}" for run, mean in means.items() if np.isfinite(mean))


def comparison(study):
    """The picture over all datasets."""
    words = "; ".join(f"{dataset}: {means_in_words(study, dataset, 'kl_divergence')}" for dataset in study.datasets)
    return [Picture("kl_divergence_comparison", "KL divergence of all runs", f"KL divergence in bits. {words}.",
                    lambda: (kl_comparison if len(study.runs) <= MANY else kl_rows)(study))]


def of_dataset(study, dataset):
    """The pictures that show the runs of a dataset beside one another."""
    trained = [result.run for result in study.trained(dataset)]
    found = [Picture(f"{dataset}_generated_samples", "Generated samples",
                     f"Scatter plots of the points that each run generates for {dataset}, coloured by the experts' weights. KL "
                     f"divergence in bits: {means_in_words(study, dataset, 'kl_divergence')}.",
                     lambda: generated_samples(study, dataset))]
    if trained:
        found += [Picture(f"{dataset}_train_loss", "Training loss",
                          f"Curves of the training loss on {dataset} over the steps, for {', '.join(trained)}.",
                          lambda: train_loss(study, dataset)),
                  Picture(f"{dataset}_gating_weights_histogram", "Gating weights of the samples",
                          f"Histograms of the gating weights at timestep 0 on the samples of {dataset}, one per run.",
                          lambda: gating_histogram(study, dataset))]
    return found + analysis_plots.of_dataset(study, dataset)


def pictures(study):
    found = comparison(study)
    for dataset in study.datasets:
        found += of_dataset(study, dataset)
        for result in study.trained(dataset):
            found += analysis_plots.of_result(study, result)
    return found


def draw_all(found, out):
    """Returns the files' names, and what could not be drawn {name: why}."""
    written, failed = {}, {}
    with Progress("drawing", len(found), "pictures") as progress:
        for number, answer in in_parallel(range(len(found)), lambda number: save_picture(found[number], out)):
            (failed if isinstance(answer, Failed) else written)[number] = answer
            progress.step()
    return [name for number in sorted(written) for name in written[number]], {found[number].stem: why for number, why in sorted(failed.items())}


def main():
    parser = script_parser(__doc__)
    parser.add_argument("--out", required=True, help="directory of the pictures")
    arguments = parser.parse_args()
    study = Study(load(arguments))
    plt.rcParams.update(STYLE)
    os.makedirs(arguments.out, exist_ok=True)
    written, failed = draw_all(pictures(study), arguments.out)
    for name in written if len(written) <= NAMED else ():
        print(os.path.join(arguments.out, name))
    counts = {ending: sum(name.endswith(f".{ending}") for name in written) for ending in ("png", "svg", "gif")}
    print(", ".join(f"{count} {ending.upper()}" for ending, count in counts.items() if count) + f" in {arguments.out}")
    for name, why in failed.items():
        print(f"dualdiff: {name} could not be drawn: {why}", file=sys.stderr)
    if failed:
        fail("the other pictures are complete")


if __name__ == "__main__":
    run_script(main)
