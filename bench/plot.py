"""plot.py FILE.json STEM: draw what bench.py or scaling.py measured, STEM.png (rates below the machine's peak) and
STEM_scaling.png (time compared with straight lines).
"""
import json
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

INK, QUIET = "#222222", "#7c8594"
COLOURS = {"dualdiff": "#1f57a4", "dualdiff, 1 thread": "#a9c6e8", "PyTorch eager": "#e0742c", "PyTorch compiled": "#f3b98f",
           "JAX": "#2c9a6c"}
TITLES = {"train": "Training step", "sample": "Sampling", "evaluate": "Evaluation"}
STYLE = {
    "font.size": 10, "axes.titlesize": 11.5, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.labelsize": 10,
    "legend.fontsize": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#555555",
    "axes.axisbelow": True, "axes.grid": True, "axes.grid.axis": "y", "grid.color": "#e6e6e6", "grid.linewidth": .8,
    "legend.frameon": False, "savefig.dpi": 150, "savefig.bbox": "tight", "savefig.pad_inches": .15,
}


def series_of(row, most):
    """The name under which a row is drawn: ours has two, on all threads and on one; a peer has one, at its best."""
    name = row["contestant"]
    if name == "dualdiff" and row["threads"] != most:
        return f"dualdiff, {row['threads']} thread{'s' * (row['threads'] > 1)}"
    return name


def bars(axis, groups, values):
    """values: {series: {group: row}}. Returns {series: handle}."""
    width, handles = .84 / len(values), {}
    for i, (name, found) in enumerate(values.items()):
        at = [g + (i - (len(values) - 1) / 2) * width for g, group in enumerate(groups) if group in found]
        rows = [found[group] for group in groups if group in found]
        handles[name] = axis.bar(at, [row["gflops"] for row in rows], width * .92, color=COLOURS[name], linewidth=0)
        if name == "dualdiff" and rows[0]["share_of_peak"]:
            for x, row in zip(at, rows):
                axis.annotate(f"{100 * row['share_of_peak']:.0f} %", (x, row["gflops"]), (0, -4), textcoords="offset points",
                              ha="center", va="top", fontsize=8, color="white", fontweight="bold",
                              rotation=90 if len(groups) > 3 else 0, annotation_clip=False)
    axis.set_xticks(range(len(groups)), [str(group).replace("_", " ") for group in groups])
    axis.tick_params(axis="x", length=0)
    axis.set_xlim(-.55, len(groups) - .45)
    return handles


def ceiling(axis, peaks, most):
    """The peak of all threads is the panel's upper end, and a program that saves operations may exceed it; the peak of one thread is dashed."""
    top = peaks[str(most)]["median"]
    best = max((bar.get_height() for bar in axis.patches), default=0)
    axis.set_ylim(0, top * 1.002)
    axis.axhline(top, color=INK, linewidth=2.2, clip_on=False)
    if best > top:
        for bar in axis.patches:
            bar.set_clip_on(False)
    axis.set_title(f"FMA peak of {most} thread{'s' * (most > 1)}: {top:.0f} GFLOP/s", loc="right", fontsize=9.5,
                   fontweight="normal", color=INK, pad=12)
    if most > 1:
        axis.axhline(peaks["1"]["median"], color=QUIET, linewidth=1, linestyle=(0, (5, 3)), zorder=.9)
        axis.annotate("1 thread", (1, peaks["1"]["median"]), (3, 0), xycoords=("axes fraction", "data"),
                      textcoords="offset points", ha="left", va="center", color=QUIET, fontsize=8.5)


def rates(result, stem):
    on_cpu = bool(result["peak"])
    most = result["cores"] if on_cpu else 1
    tasks = [task for task in TITLES if any(row["task"] == task for row in result["rows"])]
    figure, axes = plt.subplots(2, 2, figsize=(14, 8.6), gridspec_kw={"hspace": .34, "wspace": .22})
    for axis in axes[:, 0]:
        axis.set_ylabel("GFLOP/s")
    handles = {}

    def collect(rows, key, named):
        values = {}
        for name in COLOURS:
            for row in rows:
                if named(row) == name:
                    values.setdefault(name, {})[row[key]] = row
        return values

    for axis, task in zip(axes.flat, tasks):
        rows = [row for row in result["rows"] if row["task"] == task and row["replicas"] == 1]
        groups = list(dict.fromkeys(row["config"] for row in rows))
        handles |= bars(axis, groups, collect(rows, "config", lambda row: series_of(row, most)))
        if on_cpu:
            ceiling(axis, result["peak"], most)
        axis.set_title(TITLES[task], pad=12)
    configs = [row["config"] for row in result["rows"]]
    axis, config = axes.flat[3], "run_1" if "run_1" in configs else configs[0]
    rows = [row for row in result["rows"] if row["task"] == "train" and row["config"] == config
            and row["contestant"] in ("dualdiff", "JAX") and (row["threads"] == most or row["replicas"] > 1)]
    bars(axis, list(dict.fromkeys(row["replicas"] for row in rows)),
         collect(rows, "replicas", lambda row: row["contestant"]))
    if on_cpu:
        ceiling(axis, result["peak"], most)
    axis.set_title(f"Replicas of {config.replace('_', ' ')}", pad=12)
    axis.set_xlabel("replicas that train together")
    names = {"dualdiff": f"dualdiff, {most} threads"} if most > 1 else {}
    figure.legend(handles.values(), [names.get(name, name) for name in handles], loc="upper center", ncol=len(handles),
                  bbox_to_anchor=(.5, .995), columnspacing=2, handlelength=1.1)
    figure.suptitle(f"Dense operations a second: {result['machine']}", y=1.03, fontsize=14, fontweight="bold")
    note = f"Medians of {result['rounds']} rounds taken in turn. Operations are the reference's"
    note += (": one that saves some may pass the peak. Peers at the number of threads that suits them best." if on_cpu else
             ", saved ones too.")
    figure.text(.5, .035, note, ha="center", color=QUIET, fontsize=9)
    figure.savefig(stem + ".png")


LABELS = {"batch": "batch, points", "width": "width of experts and gate", "replicas": "replicas", "timesteps": "timesteps, T"}


def seconds(value, _):
    return f"{value:g} s" if value >= 1 else f"{1e3 * value:g} ms" if value >= 1e-3 else f"{1e6 * value:g} µs"


def growth(result, stem):
    """Batch and width span decades, so they are on logarithmic axes; replicas and timesteps are straight on linear ones."""
    figure, axes = plt.subplots(2, 2, figsize=(11.5, 8.6), gridspec_kw={"hspace": .34, "wspace": .24})
    for axis, found in zip(axes.flat, result["scaling"]):
        values = found["values"]
        x, y = [v["value"] for v in values], [v["seconds"] for v in values]
        line = [found["fixed"] + v["gflop"] / found["rate"] for v in values]
        axis.plot(x, [v["gflop"] / found["peak"] for v in values], color=INK, linewidth=1.6, label="at the machine's peak")
        axis.plot(x, line, color=COLOURS["PyTorch eager"], linewidth=1.6,
                  label=f"{1e3 * max(found['fixed'], 0):.2g} ms + operations / {found['rate']:.0f} GFLOP/s")
        axis.plot(x, y, "o", color=COLOURS["dualdiff"], markersize=7, markeredgecolor="white", label="measured")
        logarithmic = found["axis"] in ("batch", "width")
        if logarithmic:
            axis.set_xscale("log")
            axis.set_yscale("log")
            axis.xaxis.set_minor_locator(NullLocator())
            axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.yaxis.set_minor_locator(NullLocator())
        else:
            axis.set_xlim(0, max(x) * 1.05)
            axis.set_ylim(0, max(y) * 1.1)
        axis.xaxis.set_major_locator(FixedLocator(x))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.yaxis.set_major_formatter(FuncFormatter(seconds))
        axis.set_xlabel(LABELS[found["axis"]])
        what = "Sampling" if found["task"] == "sample" else "Training step"
        axis.set_title(f"{what} against {found['axis']}")
        axis.text(.98, .04, f"at most {100 * found['deviation']:.0f} % off the line", transform=axis.transAxes, ha="right",
                  color=QUIET, fontsize=9)
        axis.legend(loc="upper left")
    figure.suptitle(f"How cost grows: {result['machine']}", y=.955, fontsize=14, fontweight="bold")
    figure.savefig(stem + "_scaling.png")


def main():
    plt.rcParams.update(STYLE)
    with open(sys.argv[1]) as file:
        result = json.load(file)
    if "rows" in result:
        rates(result, sys.argv[2])
    if result["scaling"]:
        growth(result, sys.argv[2])


main()
