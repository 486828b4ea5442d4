"""A view over the many runs of a study: one table of all runs, one page of comparisons, one picture.

    python3 results/study.py runs --base run_1 'single_*=run_0'          # .venv/bin/python3 has what it needs

Reads the finished runs RUNS/<config>/<dataset>/seed_<n>.h5, also those of `dualdiff oracle --out RUNS` (oracle_<config>)
and `dualdiff floor --out RUNS` (floor), and writes into --out

    study.csv    a row for each run: its metrics, and what shows whether it may be compared with others. Rows of runs
                 that are no longer in the folder stay, so that a study can continue on another machine; a run that is in the
                 folder replaces its row
    study.md     KL divergences of all runs; for each dataset and configuration: KL divergence over seeds, modes, time, the oracle
                 with its protocol, the floor, and the difference from its base, the configuration that --base names for it;
                 and what gate and experts of the analysed runs do (`dualdiff analyze`)
    study.png    the KL divergences: a panel for each dataset, a row for each configuration
"""
import argparse
import csv
import fnmatch
import hashlib
import io
import json
import re
import sys
import textwrap
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
from drawing import STYLE, matplotlib, np, plt, png_bytes, row_limits, row_mark, rows as row_panels, shown
from files import write_whole
from runs import ANALYSIS, INFORMATION, before_key, fail, h5py, in_order, settings_of

METRICS = ("kl_divergence", "modes_captured", "modes", "off_support", "high_quality", "total_variation", "density", "coverage",
           "sliced_wasserstein", "mmd_squared", "mean_distance", "eval_loss", "heldout_loss", "training_time", "inference_time")
COLUMNS = ("config", "dataset", "seed", "protocol", "settings", "device", *METRICS, *ANALYSIS)
VERDICTS = {"better": "#2f6fb5", "worse": "#e0742c", "no difference": "#7c8594", "one seed": "#b9bec6", "base": "#15191f"}
BEYOND = 2  # standard errors of a difference


def natural(name):
    """Sorts run_2 before run_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def is_floor(config):
    return config == "floor" or config.startswith("floor_")


def is_oracle(config):
    return config.startswith("oracle_")


# ---- runs ----


def short(value):
    return f"{value:g}" if isinstance(value, float) else str(value)


def protocol(config):
    """What noise a network is trained on and how it is sampled from, in words: the oracle's score depends on these."""
    found = {key: value for key, value in config.items() if key.startswith(("diffusion.", "sampling."))}
    words = [str(found.pop("diffusion.schedule")), f"T={found.pop('diffusion.timesteps')}"]
    found.pop("diffusion.prediction", None)
    start, end = found.pop("diffusion.beta_start"), found.pop("diffusion.beta_end")
    if words[0] != "cosine":
        words.append(f"beta={short(start)}..{short(end)}")
    return " ".join(words + [f"{key.split('.')[1]}={short(value)}" for key, value in sorted(found.items()) if value != before_key().get(key)])


def settings(name, config):
    """A checksum of all keys that the run's samples and metrics depend on."""
    sections = (("data", "evaluation") if is_floor(name) else ("data", "evaluation", "diffusion", "sampling") if is_oracle(name)
                else ("data", "evaluation", "diffusion", "sampling", "model", "training"))
    indifferent = ["training.checkpoint_every", "training.keep_checkpoint", "training.gate_every"]
    if is_oracle(name):
        indifferent.append("diffusion.prediction")
    kept = {key: float(value) if isinstance(value, int) else value for key, value in config.items()
            if key.split(".")[0] in sections and key not in indifferent and value != before_key().get(key)}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]


def read_run(path):
    """The row of a finished run, None of one that still trains."""
    with h5py.File(path, "r", swmr=True) as file:
        if file.attrs["kind"] != "result":
            return None
        config = settings_of(file["config"][()].decode())
        name = path.parts[-3]
        row = {"config": name, "dataset": path.parts[-2], "seed": path.stem.split("_")[1],
               "protocol": "" if is_floor(name) else protocol(config), "settings": settings(name, config), "device": str(file.attrs["device"])}
        stored = {metric: (f"metrics/{metric}", float) for metric in METRICS}
        stored |= {column: (f"analysis/{array}", reduce) for column, (array, reduce) in ANALYSIS.items()}
        for column, (array, reduce) in stored.items():
            value = float(reduce(file[array][()])) if array in file else np.nan
            row[column] = repr(value) if np.isfinite(value) else ""
        return row


def read_folder(folder):
    rows = []
    for path in sorted(Path(folder).glob("*/*/seed_*.h5")):
        if re.fullmatch(r"seed_\d+\.h5", path.name):
            try:
                row = read_run(path)
            except (OSError, KeyError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
                fail(f"{path} cannot be read: {problem}")
            rows += [row] if row else []
    return rows


def read_table(path):
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if rows and not {"config", "dataset", "seed", "settings"} <= rows[0].keys():
        fail(f"{path} is not a table of a study; move it away or choose another --out")
    return [{column: row.get(column) or "" for column in COLUMNS} for row in rows]


def merged(old, new):
    """One row a run, the new ones first, sorted. Seeds of different settings under one name must not be averaged."""
    found = {(row["config"], row["dataset"], int(row["seed"])): row for row in [*old, *new]}
    rows = [found[key] for key in sorted(found, key=lambda key: (natural(key[0]), natural(key[1]), key[2]))]
    for config in in_order(row["config"] for row in rows):
        settings = in_order(row["settings"] for row in rows if row["config"] == config)
        if len(settings) > 1:
            one, other = (next(row for row in rows if row["config"] == config and row["settings"] == which) for which in settings[:2])
            fail(f"{config} is the name of runs with different settings: {one['dataset']}, seed {one['seed']} and {other['dataset']}, seed "
                 f"{other['seed']}; give them different names, or remove the old ones' rows from study.csv")
    return rows


def csv_text(rows):
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


# ---- comparisons ----


class Group:
    """The seeds of one configuration on one dataset."""

    def __init__(self, rows):
        self.rows = rows
        self.kl = self.values("kl_divergence")

    def values(self, metric):
        return np.array([float(row[metric]) for row in self.rows if row[metric]])

    def mean(self, metric):
        values = self.values(metric)
        return values.mean() if len(values) else np.nan

    @property
    def sd(self):
        return self.kl.std(ddof=1) if len(self.kl) > 1 else np.nan

    @property
    def protocol(self):
        return self.rows[0]["protocol"]


class Bases:
    """Which configuration each is compared with: `first`, or that of the first of `others`, (pattern, base), that its name fits."""

    def __init__(self, first, others=()):
        self.first, self.others = first, others

    def of(self, config):
        return next((base for pattern, base in self.others if fnmatch.fnmatchcase(config, pattern)), self.first)


class Comparison:
    """All configurations on one dataset, with oracle and floor; the first base first."""

    def __init__(self, rows, dataset, bases):
        rows = [row for row in rows if row["dataset"] == dataset]
        group = {config: Group([row for row in rows if row["config"] == config]) for config in in_order(row["config"] for row in rows)}
        group = {config: found for config, found in group.items() if len(found.kl)}
        self.dataset, self.bases = dataset, bases
        self.floors = {config: found for config, found in group.items() if is_floor(config)}
        self.oracles = {config: found for config, found in group.items() if is_oracle(config)}
        trained = [config for config in group if config not in self.floors and config not in self.oracles]
        self.trained = {config: group[config] for config in sorted(trained, key=lambda config: config != bases.first)}

    def floor(self):
        """KL divergences of fresh true points."""
        return next((found.kl for found in self.floors.values()), np.zeros(0))

    def oracle(self, config):
        """KL divergences of the exact denoiser under the configuration's protocol."""
        same = (found.kl for found in self.oracles.values() if found.protocol == self.trained[config].protocol)
        return next(same, np.zeros(0))  # several have the same draws

    def difference(self, config):
        """Mean KL less that of its base, its standard error (NaN with a single seed), and what to think of it."""
        one, base = self.trained[config], self.trained.get(self.bases.of(config))
        if base is one or base is None:
            return np.nan, np.nan, "base" if base else ""
        difference = one.kl.mean() - base.kl.mean()
        error = np.sqrt(one.sd**2 / len(one.kl) + base.sd**2 / len(base.kl))
        if not np.isfinite(error):
            return difference, error, "one seed"
        return difference, error, "no difference" if abs(difference) <= BEYOND * error else "better" if difference < 0 else "worse"


# ---- the page ----

HEAD = """# {count} configurations on {datasets}

Made by `python3 results/study.py` from [study.csv](study.csv). KL divergence in bits, mean ±
standard deviation over seeds; lower is better.

- *Oracle*: the exact denoiser under the configuration's own schedule and sampling. A network can be
  better only by chance.
- *Floor*: fresh true points.
- *Sliced W1*: sliced Wasserstein distance. It shows points that are far off; the KL divergence
  hardly does.
- *Base*: the configuration that this one is compared with. The difference from it is given ± its
  standard error; it counts as better or worse beyond {beyond} standard errors. With three seeds a
  standard error is itself uncertain: of twenty configurations that are all alike, about two will
  seem to differ, and more where their base is by chance high or low.
- *Gate and experts* ([docs/analysis.md](../../docs/analysis.md)): how many bits an expert's weight
  tells about the region (mode or grid cell) and about the timestep, on fresh noised points and
  while sampling; the entropy of the weights at the end of training, at a point and of the mean
  weights, in bits (log2 K: all experts mixed equally; 0: one alone); the loss of the predicted
  noise under the run's own weights, under equal weights and of the best expert alone; the mean
  distance between the noises that two experts predict.

![KL divergence of all configurations](study.png)
"""
WIDTH = 100


def number(value, decimals=3, sign=""):
    if abs(value) >= 1e5:  # of a run that diverged
        return f"{value:{sign}.2g}"
    return f"{value:{sign}.{decimals}f}" if np.isfinite(value) else "–"


def spread(values, decimals=3):
    if not len(values):
        return "–"
    return number(values.mean(), decimals) + (f" ± {number(values.std(ddof=1), decimals)}" if len(values) > 1 else "")


def cells(found, oracle, floor, difference):
    modes, captured = found.mean("modes"), found.mean("modes_captured")
    off = 100 * found.mean("off_support")
    return [spread(found.kl), str(len(found.kl)), spread(oracle), spread(floor),
            f"{captured:.{0 if captured == round(captured) else 1}f} of {modes:g}" if np.isfinite(modes + captured) else "–",
            f"{off:.2f} %" if np.isfinite(off) else "–", number(found.mean("sliced_wasserstein")), number(found.mean("training_time"), 1), *difference]


def table(comparison):
    head = ["configuration", "KL [bit]", "seeds", "oracle", "floor", "modes captured", "off support", "sliced W1", "training [s]",
            "base", "difference", ""]
    rows, none = [], np.zeros(0)
    for config, found in comparison.trained.items():
        difference, error, verdict = comparison.difference(config)
        words = number(difference, sign="+") + (f" ± {number(error)}" if np.isfinite(error) else "") if np.isfinite(difference) else "–"
        base = "–" if verdict in ("", "base") else comparison.bases.of(config)
        rows.append([config, *cells(found, comparison.oracle(config), comparison.floor(), [base, words, verdict])])
    for config, found in {**comparison.oracles, **comparison.floors}.items():
        rows.append([f"*{config}*", *cells(found, none, none, ["–", "–", ""])])
    return markdown([head, ["---"] + ["---:"] * (len(head) - 4) + ["---", "---:", "---"], *rows])


def markdown(lines):
    return "\n".join("| " + " | ".join(field.replace("|", r"\|") for field in line) + " |" for line in lines)


def overview(comparisons, bases):
    """KL divergence of every configuration on every dataset, with an arrow where it differs from its base."""
    arrow = {"better": " ↓", "worse": " ↑"}
    rows = []
    for config in in_order(config for comparison in comparisons for config in comparison.trained):
        cells = []
        for comparison in comparisons:
            found = comparison.trained.get(config)
            cells.append(spread(found.kl) + arrow.get(comparison.difference(config)[2], "") if found else "–")
        rows.append([config, "–" if bases.of(config) == config else bases.of(config), *cells])
    rows.append(["*floor*", "–", *(spread(comparison.floor()) for comparison in comparisons)])
    return markdown([["configuration", "base", *(comparison.dataset for comparison in comparisons)], ["---"] * 2 + ["---:"] * len(comparisons), *rows])


def gate_table(comparison):
    """Of the configurations that were analysed; "" where none was."""
    head = ["gate and experts", "seeds", "region, data", "timestep, data", "region, sampling", "timestep, sampling", "entropy", "of the mean",
            "own loss", "equal weights", "best alone", "disagreement"]
    rows = []
    for config, found in comparison.trained.items():
        seeds = len(found.values("loss_gated"))
        if seeds:
            rows.append([config, str(seeds), *(spread(found.values(column), 2 if column in INFORMATION else 3) for column in ANALYSIS)])
    return markdown([head, ["---"] + ["---:"] * (len(head) - 1), *rows]) if rows else ""


def configs_timed_on(device, rows):
    return in_order(row["config"] for row in rows if row["device"] == device and row["training_time"])


def page(comparisons, rows, bases):
    configs = in_order(config for comparison in comparisons for config in comparison.trained)
    text = [HEAD.format(count=len(configs), datasets=", ".join(comparison.dataset for comparison in comparisons), beyond=BEYOND)]
    devices = in_order(row["device"] for row in rows if row["training_time"])
    if len(devices) > 1:
        text.append("Times are those of different machines and cannot be compared between them:\n")
        text += [textwrap.fill(f"- {device}: {', '.join(configs_timed_on(device, rows))}", WIDTH, subsequent_indent="  ") for device in devices]
        text.append("")
    text += ["## All of them\n\nKL [bit]; ↓: better than its base, ↑: worse.\n", overview(comparisons, bases) + "\n"]
    for comparison in comparisons:
        text += [f"## {comparison.dataset}\n", table(comparison) + "\n"]
        gates = gate_table(comparison)
        text += [gates + "\n"] if gates else []
    return "\n".join(text)


# ---- the picture ----


def panel(axis, comparison, place):
    floor, oracles = comparison.floor(), {config: comparison.oracle(config) for config in comparison.trained}
    means = [values.mean() for values in [floor, *oracles.values()] if len(values)]
    axis.set_xlim(row_limits(min(means, default=np.inf), [found.kl for found in comparison.trained.values()]))
    if len(floor):
        axis.axvline(floor.mean(), color="#2c9a6c", linewidth=1.3, linestyle=(0, (4, 2)), zorder=1)
    for config, found in comparison.trained.items():
        y = place[config]
        if len(oracles[config]):
            axis.plot([oracles[config].mean()] * 2, [y - 0.5, y + 0.5], color="#b5428b", linewidth=1.8, zorder=2, solid_capstyle="butt")
        row_mark(axis, y, found.kl, VERDICTS[comparison.difference(config)[2] or "one seed"])


def picture(comparisons, bases):
    configs = in_order(config for comparison in comparisons for config in comparison.trained)
    configs.sort(key=lambda config: (config != bases.first, natural(config)))
    place = {config: i for i, config in enumerate(configs)}
    names = [config if bases.of(config) in (config, bases.first) else f"{config} ({shown(bases.of(config))})" for config in configs]
    figure, axes = row_panels(names, [comparison.dataset for comparison in comparisons], "KL divergence [bit]", 3)
    for axis, comparison in zip(axes, comparisons):
        panel(axis, comparison, place)
    line, patch = matplotlib.lines.Line2D, matplotlib.patches.Patch
    found = {comparison.difference(config)[2] for comparison in comparisons for config in comparison.trained}
    one = shown(bases.first) + (" (or the one in brackets)" if bases.others else "")
    words = {"better": f"better than {one} by more than {BEYOND} standard errors", "worse": "worse by more than that", "base": shown(bases.first),
             "no difference": "no such difference", "one seed": "one seed: cannot tell"}
    handles = [(patch(color=VERDICTS[verdict]), text) for verdict, text in words.items() if verdict in found]
    if any(comparison.oracles for comparison in comparisons):
        handles.append((line([], [], color="#b5428b", linewidth=1.8), "exact denoiser, same protocol"))
    if any(comparison.floors for comparison in comparisons):
        handles.append((line([], [], color="#2c9a6c", linewidth=1.3, linestyle=(0, (4, 2))), "floor: fresh true points"))
    figure.legend(*zip(*handles), loc="outside lower center", ncols=min(len(handles), len(comparisons), 4), fontsize=9)
    figure.suptitle("KL divergence: mean (bar), standard deviation (band) and seeds (dots)", x=0.01, ha="left")
    return figure


# ---- all of it ----


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", help="the folder given to train --out")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "study", help="default: results/study")
    parser.add_argument("--base", nargs="+", default=[], metavar="CONFIG", help="the configuration that others are compared with (default: the first by "
                        "name), and as PATTERN=CONFIG that of those whose names fit the pattern")
    arguments = parser.parse_args()
    rows = merged(read_table(arguments.out / "study.csv"), read_folder(arguments.runs))
    trained = in_order(row["config"] for row in rows if not is_floor(row["config"]) and not is_oracle(row["config"]))
    if not trained:
        fail(f"no finished run in {arguments.runs}/<config>/<dataset>/seed_<n>.h5, nor in {arguments.out}/study.csv")
    bases = Bases(next((base for base in arguments.base if "=" not in base), trained[0]),
                  [base.split("=", 1) for base in arguments.base if "=" in base])
    if bases.first not in trained:  # another may come later: then there is no difference yet
        fail(f"no run of {bases.first}; there are {', '.join(trained)}")
    datasets = sorted({row["dataset"] for row in rows if row["config"] in trained}, key=natural)
    comparisons = [Comparison(rows, dataset, bases) for dataset in datasets]
    comparisons = [comparison for comparison in comparisons if comparison.trained]
    plt.rcParams.update(STYLE)
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_whole(arguments.out / "study.csv", csv_text(rows).encode())
    write_whole(arguments.out / "study.md", page(comparisons, rows, bases).encode())
    write_whole(arguments.out / "study.png", png_bytes(picture(comparisons, bases), 160))
    print(f"{len(rows)} runs, {len(trained)} configurations, {len(datasets)} datasets: {arguments.out}/study.csv, study.md, study.png")


if __name__ == "__main__":
    try:
        main()
    except OSError as problem:
        fail(problem)
