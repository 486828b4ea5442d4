"""The report's figures in words and in one table, and what the words mean."""
import csv
import math
from html import escape

from report_html import cell, details, head, row_head, table

# metric: (head of its column, unit in words, factor, which is better, what it is and what perfect samples get)
COLUMNS = {
    "kl_divergence": ("KL divergence", "bit", 1, "low",
                      "How much the samples' distribution differs from the data's, estimated from distances to nearest neighbours. 0 is no difference; the "
                      "estimate is a little above or below 0 even for perfect samples: compare with the row floor."),
    "modes_captured": ("modes captured", "of all", 1, "high",
                       "A mode is a place where the data are dense (a dot of the drawing). It is captured if at least a fifth of the samples that belong there "
                       "lie there."),
    "off_support": ("off support", "%", 100, "low", "Share of the samples that lie where the data have none. Perfect samples: 0."),
    "eval_loss": ("training loss", "", 1, "loss", "Mean squared error of the prediction, on training points. Smaller is better, among runs that predict the same "
                  "thing with the same noise; it says little about samples."),
    "heldout_loss": ("held-out loss", "", 1, "loss", "The same on fresh points. Much larger than the training loss: the run has learned its points by heart."),
    "training_time": ("training", "s", 1, "low", "Time of training, per run. Where runs were trained together, the whole time divided by their number, so it has "
                      "no spread."),
    "inference_time": ("sampling", "s", 1, "low", "Time of generating all samples once."),
    "high_quality": ("good samples", "%", 100, "high", "Share of the samples within three standard deviations of a mode. Perfect samples: 99 to 100 %."),
    "total_variation": ("total variation", "%", 100, "low", "Share of the samples that would have to move for each mode to have what it should have."),
    "density": ("density", "", 1, None, "How many training points' neighbourhoods a sample lies in. Perfect samples: 1."),
    "coverage": ("coverage", "%", 100, "high", "Share of the training points that have a sample nearby. Perfect samples: 97 %."),
    "sliced_wasserstein": ("sliced Wasserstein", "", 1, "low", "How far points have to be moved, along lines in many directions, in the data's unit."),
    "mmd_squared": ("MMD², squared", "", 1, "low", "Maximum mean discrepancy: a distance of two distributions by a kernel. Perfect samples: 0."),
    "mean_distance": ("mean distance", "", 1, None, "Mean distance between two samples. The data's own is the aim."),
}
FIRST = ("kl_divergence", "modes_captured", "off_support", "eval_loss", "heldout_loss", "training_time", "inference_time")
HIDDEN = ("modes",)  # in another column

WORDS = {
    "run": "A configuration that was trained, possibly with several seeds.",
    "seed": "The number that all randomness of a training follows from. Where there are several, figures are mean ± standard deviation over them.",
    "expert": "One of the networks of a run. Each predicts the noise in a point.",
    "gate": "A small network that weighs the experts' predictions at every point and timestep; the weights sum to 1.",
    "t": "Timestep: how much noise there is. t = 0 is the data, the largest t almost noise alone. Sampling goes from large t to 0.",
    "floor": "Not a run: fresh points of the true distribution, measured like samples. This is what perfect samples score, so nothing can be expected to score "
             "better. Made by `dualdiff floor`.",
    "oracle": "Not a run: samples of the exact denoiser, which knows the true distribution, with the named run's noise schedule. What it lacks to the floor is "
              "due to the settings; what a run lacks to it is due to its network. Made by `dualdiff oracle`.",
    "bold": "The best of the runs in this column (floor and oracle do not take part). Losses are compared only if all runs predict the same thing under the "
            "same noise.",
}


def read_comparison(path):
    """({metric: {(run, dataset): (mean, sd or None, n)}}, {metric: unit}), in the order of the file."""
    values, units = {}, {}
    with open(path, newline="", encoding="utf-8", errors="replace") as file:  # names as runs.read_list has them
        for row in csv.DictReader(file):
            deviation = float(row["sd"]) if row["sd"] else None
            values.setdefault(row["metric"], {})[row["run"], row["dataset"]] = (float(row["mean"]), deviation, int(row["n"]))
            units[row["metric"]] = row["unit"]
    return values, units


# ---- numbers ----


def decimals(value, deviation):
    """So many that two digits of the deviation are there, or three of the value; at most 4."""
    size = deviation if deviation else abs(value)
    if not size or not math.isfinite(size):
        return 0 if value == round(value) else 3
    return min(4, max(0, (1 if deviation else 2) - math.floor(math.log10(size))))


def number(value, places):
    return f"{round(value, places) + 0.0:.{places}f}".replace("-", "\N{MINUS SIGN}")


def spread(name, value, of=None):
    """A mean with its deviation; `of` the number of modes."""
    if value is None:
        return "–"
    factor = COLUMNS[name][2] if name in COLUMNS else 1
    mean, deviation = factor * value[0], factor * (value[1] or 0.0)
    places = 3 if name == "kl_divergence" else 0 if mean == round(mean) and not deviation else decimals(mean, deviation)
    if factor == 100:
        places = min(places, 2)
    if name == "modes_captured":
        places = 0 if mean == round(mean) and not deviation else 1
    text = number(mean, places) + (f" ± {number(deviation, places)}" if deviation else "")
    if of is not None:
        text += f" of {of:g}"
    return text + (" %" if factor == 100 else "")


# ---- which is best ----


def losses_compare(study):
    """Whether all runs predict the same thing under the same noise."""
    keys = [key for key in study.varying if key.startswith("diffusion.") or key == "training.min_snr_gamma"]
    return all(len({str(study.config[run].get(key)) for run in study.runs if not study.untrained[run]}) <= 1 for key in keys)


def best_runs(study, name, dataset, values):
    """The runs with a network whose value of a metric is the best; none where one alone has a value."""
    better = COLUMNS[name][3] if name in COLUMNS else None
    if better == "loss":
        better = "low" if losses_compare(study) else None
    found = {run: values[run, dataset][0] for run in study.runs if (run, dataset) in values and study.untrained[run] not in BOUNDS}
    if not better or len(found) < 2:
        return set()
    best = (min if better == "low" else max)(found.values())
    return {run for run, value in found.items() if value == best}


BOUNDS = ("exact denoiser", "fresh true points")


def rows_of(study, dataset):
    """Runs, then the oracle, then the floor."""
    present = [run for run in study.runs if (run, dataset) in study.lowest]
    return sorted(present, key=lambda run: (BOUNDS.index(study.untrained[run]) + 1) if study.untrained[run] in BOUNDS else 0)


# ---- the table ----


def table_row(study, dataset, run, names, comparison, best):
    values, _ = comparison
    cells = []
    for name in names:
        modes = values.get("modes", {}).get((run, dataset)) if name == "modes_captured" else None
        value = values[name].get((run, dataset))
        cells.append(cell(spread(name, value, modes[0] if modes and value else None), run in best[name]))
    seeds = len(study.seeds(run, dataset))
    kind = "draws" if study.untrained[run] in BOUNDS else "seeds"
    words = study.description[run] + (f"; {seeds} {kind}" if seeds > 1 else "")
    bound = ' class="bound"' if study.untrained[run] in BOUNDS else ""
    return f"<tr{bound}>{row_head(run, words)}{''.join(cells)}</tr>"


def metric_table(study, name, names, comparison):
    """Runs x metrics, for each dataset a group of rows."""
    values, units = comparison
    heads = [head("run", link="word-run", number=False)]
    for metric in names:
        column, unit, *_ = COLUMNS.get(metric, (metric, "" if units[metric] == "1" else units[metric]))
        heads.append(head(column, unit, f"word-{metric}" if metric in COLUMNS else ""))
    bodies = []
    for dataset in study.datasets:
        best = {metric: best_runs(study, metric, dataset, values[metric]) for metric in names}
        group = [f'<tr class="group"><th colspan="{len(heads)}" scope="colgroup">{escape(dataset)}</th></tr>'] if len(study.datasets) > 1 else []
        bodies.append(group + [table_row(study, dataset, run, names, comparison, best) for run in rows_of(study, dataset)])
    return table(name, heads, bodies)


def chosen(values):
    """(metrics of the first table, those of the second)"""
    return [name for name in FIRST if name in values], [name for name in values if name not in FIRST + HIDDEN]


def words_list(entries):
    """entries: (id, word, meaning)"""
    return "<dl>" + "".join(f'<dt id="{at}">{escape(word)}</dt><dd>{code_words(meaning)}</dd>' for at, word, meaning in entries) + "</dl>"


def code_words(text):
    """Words between backquotes as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


def meaning_of(study, comparison):
    """What the columns and rows of the first table are, folded up."""
    first, _ = chosen(comparison[0])
    kinds = set(study.untrained.values())
    rows = [word for word in WORDS if word not in ("floor", "oracle") or {"floor": "fresh true points", "oracle": "exact denoiser"}[word] in kinds]
    entries = [(f"word-{name}", COLUMNS[name][0], COLUMNS[name][4]) for name in first]
    return words_list(entries + [(f"word-{word}", "bold" if word == "bold" else word, WORDS[word]) for word in rows])


def tables(study, comparison):
    """The first table, how to read it, and the other metrics folded up."""
    first, rest = chosen(comparison[0])
    said = ["<b>Bold</b>: the best run."]
    if "fresh true points" in study.untrained.values():
        said.append('<a href="#word-floor">floor</a>: what perfect samples score.')
    elif "off_support" in comparison[0]:  # a metric of generated sets, as floor is a command for them
        said.append("<code>dualdiff floor</code> adds a row with what perfect samples score.")
    if "exact denoiser" in study.untrained.values():
        said.append('<a href="#word-oracle">oracle</a>: what a perfect network would score with the settings of the run it is named after.')
    said.append("Smaller is better" + (", but of modes captured more is." if "modes_captured" in first else "."))
    if any(n > 1 for metric in comparison[0].values() for _, _, n in metric.values()):
        said.append("± is the standard deviation over seeds.")
    parts = [metric_table(study, "Runs and metrics", first, comparison), f'<p class="soft">{" ".join(said)}</p>',
             details("What the words mean", meaning_of(study, comparison))]
    if rest:
        known = [(f"word-{name}", COLUMNS[name][0], COLUMNS[name][4]) for name in rest if name in COLUMNS]
        parts.append(details("More metrics", metric_table(study, "More metrics", rest, comparison) + words_list(known)))
    return "".join(parts)


# ---- the outcome in a sentence ----


def in_one_sentence(study, dataset, comparison, most=4):
    """"2 experts (run_1) 0.819 bit, one network (run_0) 1.036 bit, perfect -0.070 bit"; "" without a KL divergence."""
    values = comparison[0].get("kl_divergence", {})
    found = {run: values[run, dataset] for run in rows_of(study, dataset) if (run, dataset) in values}
    runs = sorted((run for run in found if study.untrained[run] not in BOUNDS), key=lambda run: found[run][0])
    if not runs:
        return ""

    def mean(run):
        return number(found[run][0], 3)

    def said(run):
        who = study.description[run].split(",")[0]
        return f"{escape(who)} (<b>{escape(run)}</b>) {mean(run)}"
    parts = [said(run) for run in runs[:most]]
    if len(runs) > most:
        parts.append(f"{len(runs) - most} more up to {mean(runs[-1])}")
    for kind, words, link in (("exact denoiser", "a perfect network", "oracle"), ("fresh true points", "perfect samples", "floor")):
        parts += [f'<a href="#word-{link}">{words}</a> (<b>{escape(run)}</b>) {mean(run)}' for run in found if study.untrained[run] == kind][:1]
    return (f'<p class="outcome-words"><a href="#word-kl_divergence">KL divergence</a> from the data in bits, smaller is better: '
            f'{"; ".join(parts)}.</p>')


def best_run(study, dataset, comparison):
    """The trained run of the lowest mean KL divergence, else the first; None without a trained run."""
    values = comparison[0].get("kl_divergence", {})
    runs = [result.run for result in study.of(dataset, None) if study.untrained[result.run] not in BOUNDS]
    return min(runs, key=lambda run: values.get((run, dataset), (math.inf,))[0], default=None)
