"""Files of a bench: <machine>.json with everything, .csv with a line a contestant and task, .md to read, .png to look at."""
import csv
import json
import os
import platform
import re
import subprocess
import sys
import textwrap

from contestants import CORES, HERE, SOURCE, label, our_python
from measure import EVALUATED, SAMPLED

TASKS = {"train": ("Training step", "ms", 1e3), "sample": (f"Sampling {SAMPLED:,} points", "s", 1),
         "evaluate": (f"Evaluation, {EVALUATED:,} points", "s", 1)}


def machine(field):
    """What it measured on: "NVIDIA H100 80GB HBM3, sm_90", or the processor and its cores."""
    if field.device != "cpu":
        return field.name
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    return f"{model}, {CORES} core{'s' * (CORES > 1)}"


def stem_of(machine):
    """The machine's name in file names."""
    return re.sub(r"[^a-z0-9]+", "-", machine.lower()).strip("-")


def config_path(name):
    """The path of a name in configs/, or of a file."""
    for path in (os.path.join(SOURCE, "configs", name + ".toml"), name):
        if os.path.isfile(path):
            return os.path.abspath(path)
    sys.exit(f"{name}: neither a name in configs/ nor a file")


def draw(path, stem):
    """The pictures of a JSON file; False if matplotlib is missing."""
    done = subprocess.run([our_python(), os.path.join(HERE, "plot.py"), path, stem], capture_output=True, text=True)
    if done.returncode:
        print(f"no picture: {(done.stderr.strip().splitlines() or ['?'])[-1]}", file=sys.stderr)
    return not done.returncode


def table(header, rows):
    return ["| " + " | ".join(header) + " |", "|---" * len(header) + "|",
            *("| " + " | ".join(map(str, row)) + " |" for row in rows), ""]


def paragraph(text):
    return [textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False), ""]


def who(row):
    return label(row["contestant"], row["threads"], row["replicas"], row["device"])


def digits(value):
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def task_table(result, task):
    """Contestants down, configurations across: every contestant has one line, with the number of threads that is best for it."""
    rows = [row for row in result["rows"] if row["task"] == task]
    if not rows:
        return []
    title, unit, factor = TASKS[task]
    configs = list(dict.fromkeys(row["config"] for row in rows))
    found = {}
    for row in rows:
        share = "" if row["share_of_peak"] is None else f" ({100 * row['share_of_peak']:.0f} %)"
        noisy = "" if row["spread"] < .05 else f" ±{100 * row['spread']:.0f} %"
        found.setdefault(who(row), {})[row["config"]] = digits(factor * row["seconds"]) + noisy + share
    order = sorted(found, key=lambda name: (not name.startswith("dualdiff"), "replicas" in name))
    return [f"## {title}, {unit}", "", *table(["", *configs], [[name, *(found[name].get(c, "") for c in configs)]
                                                              for name in order])]


def verdict_table(result):
    mark = {True: "**yes**", False: "**no**", None: "–"}
    rows = [[v["line"], v["what"], v["figure"], v["bar"], mark[v["met"]]] for v in result["verdicts"]]
    return ["## What it must show", "", *table(["", "what", "figure", "bar", "met"], rows)]


def case_table(result):
    if not result["cases"]:
        return []
    rows = []
    for case in result["cases"]:
        unit, factor = TASKS[case["task"]][1:]
        share, peer_share = (f" ({100 * case[key]:.0f} %)" if case[key] else "" for key in ("share", "peer_share"))
        peer = label(case["peer"], case["peer_threads"], 1, result["device"])
        rows.append([case["config"], TASKS[case["task"]][0].split()[0].lower(), case["replicas"],
                     f"{digits(factor * case['seconds'])} {unit}{share}",
                     f"{peer}: {digits(factor * case['peer_seconds'])} {unit}{peer_share}",
                     f"{case['ratio']:.2f}", case["bar"], "yes" if case["met"] else "no"])
    shares = ["Shares are of the peak of the threads that dualdiff uses here.", ""] if result["peak"] else []
    return ["## Compared with the best peer, case by case", "", *shares,
            *table(["", "", "replicas", "dualdiff", "best peer", "times", "bar that applies", "met"], rows)]


def ceilings(result):
    rows = [[n, f"{result['peak'][n]['median']:.1f} ±{100 * result['peak'][n]['spread']:.1f} %",
             f"{result['bandwidth'][n]['median']:.1f} ±{100 * result['bandwidth'][n]['spread']:.1f} %"] for n in result["peak"]]
    return ["## The machine", "", *table(["threads", "fp32 FMA, GFLOP/s", "memory (triad), GB/s"], rows)]


def others(result):
    lines = []
    knn = [row for row in result["rows"] if row["task"] == "knn"]
    if knn:
        lines += ["## KL estimate, 100,000 against 10,000 points, s", "",
                  *table([who(row) for row in knn], [[digits(row["seconds"]) for row in knn]])]
    files = [row for row in result["rows"] if row["task"] == "result"]
    if files:
        lines += ["## Result file of a whole run, ms to disk", "",
                  *table([row["contestant"] for row in files], [[digits(1e3 * row["seconds"]) for row in files]])]
        lines += ["dualdiff first reads most of it from the log; h5py has it in memory.", ""]
    if result["checks"]:
        lines += ["## Same losses", "", "How much the peers' losses on dualdiff's batches differ:", "",
                  *table(["configuration", "activation", "peer", "first step", "at most in 20 steps"],
                         [[check["config"], check["activation"], check["peer"], f"{check['first']:.1e}", f"{check['greatest']:.1e}"]
                          for check in result["checks"]])]
    return lines


def markdown(result, stem, pictures):
    shares = ", with the share of the FMA peak of the threads used in brackets" if result["peak"] else ""
    lines = [f"# {result['machine']}", "",
             *paragraph(f"`{result['command']}` took {result['seconds'] / 60:.0f} minutes; {result['rounds']} rounds, commit "
                        f"{result['commit']}. The figures are medians{shares}. The spread (half the distance between the quartiles) "
                        "is given where it reaches 5 %. With replicas, times are those of one replica.")]
    versions = dict.fromkeys(f"{row['contestant']}: {row['version']}" for row in result["rows"])
    lines += paragraph("; ".join(versions) + ".")
    for what, why in result["left_out"].items():
        lines += paragraph(f"Left out: {what}, {why}.")
    if pictures:
        lines += [f"![{name}]({os.path.basename(stem)}{ending}.png)" for name, ending in pictures] + [""]
    lines += verdict_table(result)
    if result["peak"]:
        lines += ceilings(result)
    for task in TASKS:
        lines += task_table(result, task)
    return "\n".join(lines + case_table(result) + others(result)).rstrip() + "\n"


def rounded(value):
    """Six digits are more than was measured."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


def write_json(path, result):
    """Lists have one line for each object, so that two files can be compared by eye."""
    def text(value):
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return "[\n  " + ",\n  ".join(json.dumps(item) for item in value) + "\n ]"
        return json.dumps(value)

    with open(path, "w") as file:
        file.write("{\n" + ",\n".join(f' "{key}": {text(value)}' for key, value in rounded(result).items()) + "\n}\n")


def write_scaling_csv(path, scaling):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["axis", "value", "task", "threads", "seconds", "spread", "gflop", "line_seconds"])
        for axis in scaling:
            for v in axis["values"]:
                line = axis["fixed"] + v["gflop"] / axis["rate"]
                writer.writerow([axis["axis"], v["value"], axis["task"], axis["threads"], f"{v['seconds']:.6g}",
                                 f"{v['spread']:.3f}", f"{v['gflop']:.6g}", f"{line:.6g}"])


def write(result, out):
    """Returns the path of the Markdown file."""
    os.makedirs(out, exist_ok=True)
    stem = os.path.join(out, stem_of(result["machine"]))
    write_json(stem + ".json", result)
    with open(stem + ".csv", "w", newline="") as file:
        columns = [key for key in result["rows"][0] if key != "rounds"]
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rounded(result["rows"]))
    if result["scaling"]:
        write_scaling_csv(stem + "_scaling.csv", result["scaling"])
    pictures = []
    if draw(stem + ".json", stem):
        pictures = [("rates", "")] + [("growth", "_scaling")] * bool(result["scaling"])
    with open(stem + ".md", "w") as file:
        file.write(markdown(result, stem, pictures))
    return stem + ".md"
