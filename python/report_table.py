"""The report's numbers, in words and in one table, and the meaning of the words."""
import csv
import math
from dataclasses import dataclass
from html import escape

from report_html import cell, details, head, row_head, table

HIDDEN = ("modes",)  # in another column

WORDS = {
    "run": "A configuration that was trained, possibly with several seeds.",
    "seed": "The number from which a training computes all its random numbers. If a run has several seeds, the table shows mean ± standard deviation over them.",
    "expert": "One of the networks of a run. Each predicts the noise in a point.",
    "gate": "A small network that gives each expert's prediction a weight, at every point and timestep. The weights sum to 1.",
    "t": "Timestep: how much noise a point has. At t = 0 there is almost none, at the largest t almost nothing but noise. Sampling goes from the largest t to 0.",
    "floor": "Not a run: fresh points of the true distribution, measured in the same way as samples. Perfect samples have this score, so no run can be expected to "
             "have a better one. Made by `dualdiff floor`.",
    "oracle": "Not a run: samples of the exact denoiser, which knows the true distribution, with the named run's noise schedule. The difference between oracle "
              "and floor comes from the run's settings. The difference between run and oracle comes from the run's network. Made by `dualdiff oracle`.",
    "bold": "The best run in this column (floor and oracle are not runs). Losses are compared only if all runs predict the same quantity with the same "
            "noise schedule.",
}


@dataclass
class Metric:
    """One entry of the program's table (host/metrics/metrics.h)."""

    name: str
    place: int  # in the first table, from 1; 0: in the second
    title: str  # "": the metric has no title and no explanation
    unit: str
    better: str  # "low", "high", "low loss" or ""
    meaning: str

    @property
    def factor(self):
        return 100 if self.unit == "%" else 1

    @property
    def link(self):
        return f"word-{self.name}" if self.title else ""

    @property
    def word(self):
        return self.link, self.title, self.meaning


def read_metrics(text):
    """{name: Metric} in the order of the program's table."""
    rows = [line.split("\t") for line in text.splitlines()]
    return {name: Metric(name, int(place), *rest) for name, place, *rest in rows}


def read_comparison(path):
    """{metric: {(run, dataset): (mean, sd or None, n)}}, in the order of the file."""
    values = {}
    with open(path, newline="", encoding="utf-8", errors="replace") as file:  # names may contain any bytes, as in runs.read_list
        for row in csv.DictReader(file):
            deviation = float(row["sd"]) if row["sd"] else None
            values.setdefault(row["metric"], {})[row["run"], row["dataset"]] = (float(row["mean"]), deviation, int(row["n"]))
    return values


# ---- numbers ----


def decimals(value, deviation):
    """Number of decimals that shows two digits of the deviation, or three of the value; at most 9, as in the program's tables."""
    size = deviation if deviation else abs(value)
    if not size or not math.isfinite(size):
        return 0 if value == round(value) else 3
    return min(9, max(0, (1 if deviation else 2) - math.floor(math.log10(size))))


def number(value, places):
    return f"{round(value, places) + 0.0:.{places}f}".replace("-", "\N{MINUS SIGN}")


def spread(metric, value, of=None):
    """A mean with its deviation; `of` the number of modes."""
    if value is None:
        return "–"
    factor, name = metric.factor, metric.name
    mean, deviation = factor * value[0], factor * (value[1] or 0.0)
    if deviation <= 1e-9 * abs(mean):  # the rounding of equal values
        deviation = 0.0
    places = 3 if name == "kl_divergence" else 0 if mean == round(mean) and not deviation else decimals(mean, deviation)
    if factor == 100:
        places = min(places, 2)
    if name == "modes_captured":
        places = 0 if mean == round(mean) and not deviation else 1
    if deviation and math.isfinite(deviation):  # one digit of it at least
        places = max(places, min(9, -math.floor(math.log10(deviation))))
    text = number(mean, places) + (f" ± {number(deviation, places)}" if deviation else "")
    if of is not None:
        text += f" of {of:g}"
    return text + (" %" if factor == 100 else "")


# ---- which is best ----


def losses_compare(study):
    """Whether all runs predict the same quantity with the same noise."""
    keys = [key for key in study.varying if key.startswith("diffusion.") or key == "training.min_snr_gamma"]
    return all(len({str(study.config[run].get(key)) for run in study.runs if not study.untrained[run]}) <= 1 for key in keys)


def best_runs(study, better, dataset, values):
    """The runs with a network that have the best value of a metric; none if only one has a value."""
    if better == "low loss":
        better = "low" if losses_compare(study) else ""
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
    values, metrics = comparison
    cells = []
    for name in names:
        modes = values.get("modes", {}).get((run, dataset)) if name == "modes_captured" else None
        value = values[name].get((run, dataset))
        cells.append(cell(spread(metrics[name], value, modes[0] if modes and value else None), run in best[name]))
    seeds = len(study.seeds(run, dataset))
    kind = "draws" if study.untrained[run] in BOUNDS else "seeds"
    words = study.description[run] + (f"; {seeds} {kind}" if seeds > 1 else "")
    bound = ' class="bound"' if study.untrained[run] in BOUNDS else ""
    return f"<tr{bound}>{row_head(run, words)}{''.join(cells)}</tr>"


def metric_table(study, name, names, comparison):
    """Runs x metrics, with a group of rows for each dataset."""
    values, metrics = comparison
    heads = [head("run", link="word-run", number=False)]
    for metric in names:
        heads.append(head(metrics[metric].title or metric, metrics[metric].unit, metrics[metric].link))
    bodies = []
    for dataset in study.datasets:
        best = {metric: best_runs(study, metrics[metric].better, dataset, values[metric]) for metric in names}
        group = [f'<tr class="group"><th colspan="{len(heads)}" scope="colgroup">{escape(dataset)}</th></tr>'] if len(study.datasets) > 1 else []
        bodies.append(group + [table_row(study, dataset, run, names, comparison, best) for run in rows_of(study, dataset)])
    return table(name, heads, bodies)


def chosen(comparison):
    """(metrics of the first table, those of the second)"""
    values, metrics = comparison
    first = sorted((name for name in values if metrics[name].place and metrics[name].title), key=lambda name: metrics[name].place)
    return first, [name for name in values if name not in (*first, *HIDDEN)]


def words_list(entries):
    """entries: (id, word, meaning)"""
    return "<dl>" + "".join(f'<dt id="{at}">{escape(word)}</dt><dd>{code_words(meaning)}</dd>' for at, word, meaning in entries) + "</dl>"


def code_words(text):
    """Words between backquotes as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


def meaning_of(study, comparison):
    """What the columns and rows of the first table mean, folded up."""
    first, _ = chosen(comparison)
    kinds = set(study.untrained.values())
    rows = [word for word in WORDS if word not in ("floor", "oracle") or {"floor": "fresh true points", "oracle": "exact denoiser"}[word] in kinds]
    entries = [comparison[1][name].word for name in first]
    return words_list(entries + [(f"word-{word}", "bold" if word == "bold" else word, WORDS[word]) for word in rows])


def tables(study, comparison):
    """The first table, how to read it, and the other metrics folded up."""
    first, rest = chosen(comparison)
    said = ["<b>Bold</b>: the best run."]
    if "fresh true points" in study.untrained.values():
        said.append('<a href="#word-floor">floor</a>: what perfect samples score.')
    elif "off_support" in comparison[0]:  # a metric of generated sets, as floor is a command for them
        said.append("<code>dualdiff floor</code> adds a row with what perfect samples score.")
    if "exact denoiser" in study.untrained.values():
        said.append('<a href="#word-oracle">oracle</a>: what a perfect network would score with the settings of the run whose name it has.')
    said.append("Smaller is better" + (", but more captured modes are better." if "modes_captured" in first else "."))
    if any(n > 1 for metric in comparison[0].values() for _, _, n in metric.values()):
        said.append("± is the standard deviation over seeds.")
    parts = [metric_table(study, "Runs and metrics", first, comparison), f'<p class="soft">{" ".join(said)}</p>',
             details("What the words mean", meaning_of(study, comparison))]
    if rest:
        known = [comparison[1][name].word for name in rest if comparison[1][name].title]
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
