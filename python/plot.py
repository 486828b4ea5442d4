"""Draw the runs listed on standard input: KL divergence, generated samples, training loss, gating weights, and analyses.

The pictures go into the directory --out; `dualdiff plot --help` names them. Those of analyses are in analysis_plots.py.
"""
import os
import sys

from loading import load, run_script, script_parser
from progress import Progress
from runs import fail
from workers import Failed, in_parallel
from drawing import (MANY, STYLE, Key, Panel, Picture, Study, few_ticks, matplotlib, metric, np, plt, row_limits, row_mark, rows, save_picture, sd,
                     shown, single)
import analysis_plots
import animation
import coordinate_plots
import corner
import sample_plots

WINDOW = 0.03  # width of the smoothing window of a loss curve, as a fraction of the steps
PARTS = 4000
NAMED = 24  # files that are named one by one

# ---- the pictures ----


def kl_values(study, run, dataset):
    values = np.array([metric(result, "kl_divergence") for result in study.seeds(run, dataset)])
    return values[np.isfinite(values)]


def kl_rows(study):
    """One panel per dataset, one row per run: readable also for many runs."""
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
    upright = bar * group < 0.4  # the bars are too narrow for horizontal numbers
    figure, axis = plt.subplots(figsize=(max(7.0, 2.4 * min(4, count), 1.2 + len(study.datasets) * group), 5.6))
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
    axis.set_xlabel("dataset")
    axis.set_xticks(range(len(study.datasets)), [shown(dataset, 20) for dataset in study.datasets])
    axis.tick_params(axis="x", length=0)
    axis.grid(axis="x", visible=False)
    axis.set_xlim(-0.5, len(study.datasets) - 0.5)
    axis.set_ylabel("KL(real || generated) [bit]")
    axis.set_title("KL divergence, lower is better\n" + kl_note(study).strip(), loc="left")
    figure.legend(handles, [study.name[run] for run in study.runs], loc="outside lower left", ncols=min(4, count), labelspacing=0.8)
    return figure


def kl_note(study):
    counts = {len(study.seeds(run, dataset)) for run, dataset in study.lowest}
    if counts == {1}:
        return " (one seed each)"
    if len(counts) == 1:
        return f" (mean ± standard deviation of {counts.pop()} seeds)"
    return " (mean ± standard deviation over seeds)"


def in_parts(values, most):
    """(middle, sum, number) of the finite values in each of `most` equal parts, or for each value if there are fewer."""
    edges = np.unique(np.linspace(0, len(values), min(most, len(values)) + 1).astype(int))
    kept = np.isfinite(values)
    total, number = (np.add.reduceat(found, edges[:-1]) for found in (np.where(kept, values, 0.0), kept.astype(float)))
    return (edges[1:] + edges[:-1] - 1) // 2, total, number


def smooth(total, number, window):
    """Running mean (sums divided by numbers of values) under a Hann window, which is cut at both ends; NaN where it has no value."""
    weight = np.hanning(window + 2)[1:-1]
    total, number = (np.convolve(values, weight, mode="same") for values in (total, number))
    return np.divide(total, number, where=number > 0, out=np.full(len(total), np.nan))


def smoothed_seeds(results, name):
    """(steps, mean, standard deviation) of a log's smoothed curve over seeds, thinned for a picture. For a long log, means over PARTS are
    smoothed; a part is a hundredth of the window, so the time is only that of reading the log."""
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
    """One curve per run, with a band of one standard deviation if there are several seeds. If one run is many times longer than another,
    the x axis is the fraction of the training."""
    late, lengths = [], [steps[-1] for steps, _, _ in curves.values()]
    share = max(lengths, default=0) > 3 * max(1, min(lengths, default=0))
    for i, (run, (steps, mean, deviation)) in enumerate(curves.items()):
        if not np.isfinite(mean).any():  # a log without a number; matplotlib cannot place marks on it
            continue
        place = 100 * steps / max(1, steps[-1]) if share else steps
        axis.plot(place, mean, color=study.colour[run], linestyle=study.line[run], linewidth=1.5, marker=study.marker[run], markersize=4.5,
                  markevery=(0.02 * (i % 6), 0.12))
        if deviation.any():
            axis.fill_between(place, mean - deviation, mean + deviation, color=study.colour[run], alpha=0.15, linewidth=0)
        late += [(mean + sign * deviation)[steps >= 0.04 * steps[-1]] for sign in (-1, 1)]
    late = np.concatenate(late) if late else np.zeros(0)
    late = late[np.isfinite(late)]
    if len(late):
        # The loss falls so far in the first steps that the rest would be too small; the first steps are cut off.
        margin = 0.06 * (late.max() - late.min()) or 0.05
        axis.set_ylim(late.min() - margin, late.max() + margin)
    axis.margins(x=0.01)
    axis.set_xlabel("share of the run's training steps [%]" if share else "training step")


def loss_curves(study, dataset):
    """({run: curve of its loss}, {run: curve of its MSE}, the runs whose loss is more than the MSE)"""
    loss, mse = ({result.run: smoothed_seeds(study.seeds(result.run, dataset), name) for result in study.trained(dataset)}
                 for name in ("/train/loss", "/train/mse"))
    loss, mse = ({run: curve for run, curve in curves.items() if curve is not None} for curves in (loss, mse))
    return loss, mse, [run for run in loss if run in mse and not np.allclose(loss[run][1], mse[run][1], rtol=1e-4)]


def loss_axis(axis, study, curves, words):
    loss_panel(axis, study, curves)
    axis.set_ylabel(words)


def train_loss(study, dataset):
    """Smoothed training loss of all runs, mean over seeds; next to it only the MSE, if a run's loss has another term."""
    loss, mse, more = loss_curves(study, dataset)
    figure, axes = plt.subplots(1, 2 if more else 1, figsize=(13.5 if more else 9.5, max(4.8, 0.24 * len(loss))), squeeze=False)
    loss_axis(axes[0, 0], study, loss, "training loss")
    axes[0, 0].set_title("loss: MSE - weight × diversity" if more else "loss: MSE", loc="left")
    if more:
        loss_axis(axes[0, 1], study, mse, "mean squared error")
        axes[0, 1].set_title("MSE alone", loc="left")
    figure.suptitle(f"{shown(dataset)}: training loss, smoothed over 3 % of the steps{study.how_many(dataset)}", x=0.01, ha="left")
    handles = [matplotlib.lines.Line2D([], [], color=study.colour[run], linestyle=study.line[run], marker=study.marker[run], linewidth=2)
               for run in loss]
    figure.legend(handles, study.legend(loss), loc="outside lower left", ncols=4 if len(loss) > 3 else max(1, len(loss)), handlelength=3.2)
    return figure


def loss_parts(study, dataset):
    """The same as panels of a page."""
    loss, mse, more = loss_curves(study, dataset)
    parts = [(loss, "training loss", "loss: MSE - weight × diversity" if more else "loss: MSE")]
    parts += [(mse, "mean squared error", "MSE alone")] if more else []
    return [Panel(lambda curves=curves, words=words: single(lambda figure, axis: loss_axis(axis, study, curves, words), 5.0, 3.5), title,
                  "smoothed over 3 % of the steps", f"Curves of the {words} over the steps, for {', '.join(curves)}.", 5.0) for curves, words, title in parts]


def line_keys(study, runs):
    return [Key("line", run, study.colour[run], study.line[run], study.marker[run]) for run in runs]


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


def kl_of_dataset(study, dataset):
    """One row per run: mean, standard deviation and seeds; true points as a line through all rows."""
    runs = sorted(study.runs, key=lambda run: bool(study.untrained[run]))
    found = [(run, values) for run in runs if len(values := kl_values(study, run, dataset))]
    figure, axis = plt.subplots(figsize=(5.0, 0.3 * len(found) + 1.0))
    axis.set_xlim(*row_limits(np.inf, [values for _, values in found]))
    for y, (run, values) in enumerate(found):
        row_mark(axis, y, values, study.colour[run])
        if study.untrained[run] == "fresh true points":
            axis.axvline(values.mean(), color="#555555", linewidth=0.9, linestyle=(0, (3, 2)))
    axis.set_yticks(range(len(found)), [shown(run, 24) for run, _ in found])
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(len(found) - 0.4, -0.6)
    axis.set_xlabel("KL divergence [bit], smaller is better")
    axis.xaxis.set_major_locator(few_ticks())
    return figure


def of_dataset(study, dataset):
    """The pictures that compare the runs of a dataset."""
    trained = [result.run for result in study.trained(dataset)]
    kl = means_in_words(study, dataset, "kl_divergence")
    found = sample_plots.of_dataset(study, dataset, kl)
    if trained:
        found.insert(1, Picture(
            f"{dataset}_train_loss", "Training loss", f"Curves of the training loss on {dataset} over the steps, for {', '.join(trained)}.",
            lambda: train_loss(study, dataset),
            caption="A curve that is flat at its end has learned what it can in this many steps; one that still falls would gain from more. "
                    "Losses of runs that predict different things (noise, x0, v) cannot be compared.",
            panels=lambda: loss_parts(study, dataset), keys=lambda: line_keys(study, trained)))
    return found + analysis_plots.of_dataset(study, dataset)


def of_result(study, result):
    """The pictures of one analysis."""
    return analysis_plots.of_result(study, result) + coordinate_plots.of_result(study, result)


def kl_picture(study, dataset):
    """The KL divergences of one dataset, for the report, which has a part for each dataset."""
    kl = means_in_words(study, dataset, "kl_divergence")
    caption = "Bar: mean over seeds. Band: one standard deviation. Dots: the seeds."
    if any(result.untrained == "fresh true points" for result in study.of(dataset)):
        caption += " The dashed line is what true points score (floor): by this metric, a run there cannot be distinguished from perfect."
    return Picture(f"{dataset}_kl_divergence", "KL divergence", f"KL divergence on {dataset} in bits. {kl}.", lambda: kl_of_dataset(study, dataset),
                   ("svg",), caption)


def pictures(study):
    found = comparison(study)
    for dataset in study.datasets:
        found += of_dataset(study, dataset) + corner.of_dataset(study, dataset) + animation.of_dataset(study, dataset)
        for result in study.trained(dataset, None):
            found += of_result(study, result)
    return found


def draw_all(found, out):
    """Returns the names of the files, and {name: reason} for pictures that could not be drawn."""
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
