"""One HTML page about the runs listed on standard input: tables, pictures, configurations, machines and analyses.

Everything is inside the file; it needs no network. --table is what `dualdiff compare --format csv` prints.
"""
import base64
import csv
import datetime
import os
from html import escape

import analysis_plots
import plot
from drawing import STYLE, Study, np, plt, png_bytes
from files import write_whole
from loading import load, run_script, script_parser
from runs import INFORMATION, in_order

# What is looked at first; the others follow folded up.
FIRST = ("kl_divergence", "modes_captured", "off_support", "eval_loss", "heldout_loss", "training_time", "inference_time")
DPI = 100

CSS = """
:root { --ink: #1d2530; --soft: #5a6472; --line: #dfe3e8; --shade: #f5f7f9; --link: #1c5a9c; color-scheme: light; }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; color: var(--ink); background: #fff; font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main, header, footer, nav > div { max-width: 74rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.4rem; margin: 3rem 0 .6rem; padding-top: .6rem; border-top: 2px solid var(--ink); overflow-wrap: anywhere; }
p { max-width: 46rem; margin: .5rem 0; }
.soft, figcaption { color: var(--soft); }
nav { margin: 1.2rem 0 0; background: var(--shade); border: solid var(--line); border-width: 1px 0; }
nav ul { display: flex; flex-wrap: wrap; gap: .1rem 1.2rem; margin: 0; padding: .5rem 0; list-style: none; }
nav a { display: inline-block; padding: .35rem 0; }
a { color: var(--link); text-underline-offset: .15em; overflow-wrap: anywhere; }
:focus-visible { outline: 3px solid #e0742c; outline-offset: 2px; }
.name { font-weight: 600; margin: 1.2rem 0 0; }
.name + p { margin-top: .1rem; font-size: .92rem; }
.tables { display: flex; flex-wrap: wrap; gap: 0 3.5rem; align-items: flex-start; }
.tables > div { max-width: 100%; }
.tables p { max-width: min(34rem, 90vw); }
.wide { overflow-x: auto; margin: .6rem 0 1.4rem; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .9rem .35rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); white-space: nowrap; }
thead th { border-bottom: 2px solid var(--ink); vertical-align: bottom; white-space: normal; }
tbody th { font-weight: 600; }
tbody th small { display: block; font-weight: 400; color: var(--soft); white-space: normal; min-width: 9rem; max-width: 16rem; }
td.number, th.number { text-align: right; }
figure { margin: 1.2rem 0 1.8rem; }
.picture { width: fit-content; max-width: 100%; overflow-x: auto; border: 1px solid var(--line); border-radius: 4px; }
.picture img { display: block; max-width: 100%; min-width: min(var(--width), 40rem); height: auto; } /* on a phone it scrolls and stays readable */
figcaption { font-size: .92rem; margin-top: .35rem; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .7rem 0; }
summary { cursor: pointer; padding: .65rem .9rem; font-weight: 600; background: var(--shade); border-radius: 6px; overflow-wrap: anywhere; }
details > div { padding: .2rem .9rem .6rem; }
pre { overflow-x: auto; font-size: .82rem; line-height: 1.45; background: var(--shade); padding: .8rem; border-radius: 4px; }
footer { margin-top: 3rem; padding-bottom: 3rem; }
@media (max-width: 40rem) { h1 { font-size: 1.5rem; } h2 { font-size: 1.25rem; } main, header, footer, nav > div { padding-left: .9rem; padding-right: .9rem; } }
@media print { nav { display: none; } }
"""


# ---- parts of a page ----


def anchor(*words):
    """An id; names of runs and datasets may hold anything."""
    return "-".join("".join(c if c.isalnum() else f"_{ord(c):x}_" for c in word) for word in words)


def size(content, kind):
    """Pixels, so that the page does not jump: of a PNG from its IHDR, of a GIF from its screen descriptor."""
    if kind == "png":
        return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    return int.from_bytes(content[6:8], "little"), int.from_bytes(content[8:10], "little")


def figure(picture):
    drawn = picture.draw()
    kind = "gif" if "gif" in picture.endings else "png"
    content = drawn if kind == "gif" else png_bytes(drawn, DPI)
    plt.close("all")
    width, height = size(content, kind)
    return (f'<figure><div class="picture"><img src="data:image/{kind};base64,{base64.b64encode(content).decode()}" width="{width}" '
            f'height="{height}" style="--width:{width}px" alt="{escape(picture.alt)}"></div>'
            f"<figcaption>{escape(picture.title)}</figcaption></figure>")


def table(name, meaning, head, rows):
    """rows: lists of ready cells, the first a header. A wide table scrolls by itself, also by keyboard."""
    heads = "".join(f'<th scope="col"{" class=number" if i else ""}>{escape(str(column))}</th>' for i, column in enumerate(head))
    body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    words = f'<p class="soft">{escape(meaning)}</p>' if meaning else ""
    return (f'<div><p class="name">{escape(name)}</p>{words}<div class="wide" role="region" tabindex="0" aria-label="{escape(name)}">'
            f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div></div>")


def row_head(study, run):
    return f'<th scope="row">{escape(run)}<small>{escape(study.description[run])}</small></th>'


def cell(text):
    return f'<td class="number">{escape(str(text))}</td>'


def details(summary, content):
    return f"<details><summary>{escape(summary)}</summary><div>{content}</div></details>"


# ---- tables ----


def read_comparison(path):
    """({metric: {(run, dataset): (mean, sd or None, n)}}, {metric: unit}), in the order of the file."""
    values, units = {}, {}
    with open(path, newline="", encoding="utf-8", errors="replace") as file:  # names as runs.read_list has them
        for row in csv.DictReader(file):
            deviation = float(row["sd"]) if row["sd"] else None
            values.setdefault(row["metric"], {})[row["run"], row["dataset"]] = (float(row["mean"]), deviation, int(row["n"]))
            units[row["metric"]] = row["unit"]
    return values, units


def spread_text(value):
    if value is None:
        return "–"
    mean, deviation, n = value
    decimals = 1 if abs(mean) >= 10 else 3 if abs(mean) >= 0.01 or mean == 0 else 5
    return f"{round(mean, decimals) + 0.0:.{decimals}f}" + (f" ± {deviation:.{decimals}f} ({n})" if n > 1 else "")


def metric_table(study, name, unit, meaning, values):
    rows = [[row_head(study, run)] + [cell(spread_text(values.get((run, dataset)))) for dataset in study.datasets]
            for run in study.runs if any((run, dataset) in values for dataset in study.datasets)]
    return table(name if unit == "1" else f"{name} [{unit}]", meaning, ["run", *study.datasets], rows)


def meanings(study):
    """{metric: its long_name}, from the files."""
    found = {}
    for result in study.lowest.values():
        found = result.long_names("/metrics") | found
    return found


def results_section(study, comparison):
    values, units = comparison
    words = meanings(study)

    def tables(names):
        return "".join(metric_table(study, name, units[name], words.get(name, ""), values[name]) for name in names)

    first, rest = [name for name in FIRST if name in values], [name for name in values if name not in FIRST]
    several = any(n > 1 for metric in values.values() for _, _, n in metric.values())
    note = "Mean ± standard deviation over seeds, their number in brackets where there are several." if several else "One seed each."
    return (f'<p class="soft">{note}</p>' + tables(first[:1]) + "".join(figure(picture) for picture in plot.comparison(study))
            + f'<div class="tables">{tables(first[1:])}</div>'
            + (details("More metrics", f'<div class="tables">{tables(rest)}</div>') if rest else ""))


def config_section(study):
    """What differs, as a table, and every configuration in full."""
    text = {run: next(result for result in study.results if result.run == run).config_text for run in study.runs}
    if study.varying:
        rows = [[row_head(study, run)] + [cell(study.config[run].get(key, "–")) for key in study.varying] for run in study.runs]
        differences = table("Settings that differ between the runs", "", ["run", *study.varying], rows)
    else:
        differences = "<p>All runs share one configuration.</p>"
    return differences + "".join(details(f"Configuration of {run}", f'<pre tabindex="0">{escape(text[run])}</pre>') for run in study.runs)


MACHINE = (("program", "program_version"), ("commit", "git_commit"), ("backend", "backend"), ("device", "device"), ("threads", "threads"),
           ("trained together", "replicas"))


def machine_section(study):
    rows = []
    for run in study.runs:
        attributes = [result.attributes() for result in study.results if result.run == run]
        for made in in_order(tuple(str(found.get(key, "–")) for _, key in MACHINE) for found in attributes):
            rows.append([row_head(study, run), *map(cell, made)])
    return table("Where and with what each run was made", "", ["run", *(name for name, _ in MACHINE)], rows)


# ---- analyses ----


def analysis_table(study, dataset, results):
    """The numbers of each analysis: which of mode and timestep the gate follows, and what an expert alone loses."""
    many = analysis_plots.region_words(results[0])[1]
    head = ["run", f"{many}, on data", "timestep, on data", f"{many}, sampling", "timestep, sampling", "own loss", "loss, equal weights",
            "loss, best alone", "disagreement"]
    rows = []
    for result in results:
        gated = analysis_plots.gate_analysed(result)
        numbers = [result.analysis_number(column) if gated or column not in INFORMATION else None
                   for column in (*INFORMATION, "loss_gated", "loss_equal", "loss_alone", "disagreement")]
        rows.append([row_head(study, result.run), *(cell("–" if number is None else f"{number:.3f}") for number in numbers)])
    return table(f"Gate and experts on {dataset}", f"Bits that an expert's weight tells of the {many} and of the timestep, mean over experts; "
                 "losses and distance of the predicted noise, means over timesteps on fresh points.", head, rows)


def dataset_section(study, dataset):
    parts = [figure(picture) for picture in plot.of_dataset(study, dataset)]
    results = [result for result in study.trained(dataset) if analysis_plots.analysed(result)]
    if results:
        parts.append(analysis_table(study, dataset, results))
    else:
        parts.append('<p class="soft">No run of this dataset has been analysed; <code>dualdiff analyze</code> does that.</p>')
    for result in results:
        pictures = "".join(figure(picture) for picture in analysis_plots.of_result(study, result))
        parts.append(details(f"Gate and experts of {result.run}: {study.description[result.run]}, seed {result.seed}", pictures))
    return "".join(parts)


HOW_TO_READ = """
<p>Every run is a small denoising diffusion model of points in the plane. Where it has several experts, a gate weighs their predictions
at every point and timestep t; t = 0 is the data's end, the last timestep the noise's. Colours of a gate of two experts go from blue
(expert 2 alone) to red (expert 1 alone); of more experts each has a colour, and a point that of the greatest weight.</p>
<p>Losses, maps and weights are those of the averaged parameters, with which samples are generated. Mutual information says how
many bits of the mode (or of the cell of a grid, where a dataset has no modes) or of the timestep the weight of an expert tells; the larger
one is what the gate follows. Losses on fresh points compare the run's own mixture with equal weights and with each expert alone.</p>
"""


def page(study, comparison, program):
    made = datetime.datetime.now().strftime("%Y-%m-%d %H:%M")
    sections = [("results", "Results", results_section(study, comparison))]
    sections += [(anchor("dataset", dataset), dataset, dataset_section(study, dataset)) for dataset in study.datasets]
    sections += [("configurations", "Configurations", config_section(study)), ("machine", "Machine", machine_section(study)),
                 ("reading", "How to read this", HOW_TO_READ)]
    links = "".join(f'<li><a href="#{at}">{escape(name)}</a></li>' for at, name, _ in sections)
    body = "".join(f'<section id="{at}" aria-labelledby="{at}-title"><h2 id="{at}-title">{escape(name)}</h2>{content}</section>'
                   for at, name, content in sections)
    counts = ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in
                       ((len(study.runs), "run"), (len(study.datasets), "dataset"), (len(study.results), "result")))
    return ('<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>dualdiff report: {escape(', '.join(study.runs))}</title><style>{CSS}</style></head><body>"
            f'<header><h1>Diffusion models of experts and a gate</h1><p class="soft">{counts}. Made by {escape(program)} on {made}.</p></header>'
            f'<nav aria-label="Sections"><div><ul>{links}</ul></div></nav><main>{body}</main>'
            '<footer class="soft"><p>This page is one file; it can be copied and sent as it is.</p></footer></body></html>\n')


def main():
    parser = script_parser(__doc__)
    parser.add_argument("--out", required=True, help="the HTML file")
    parser.add_argument("--table", required=True, help="the comparison as CSV")
    parser.add_argument("--program", required=True, help="name and version of the program")
    arguments = parser.parse_args()
    study = Study(load(arguments))
    plt.rcParams.update(STYLE)
    text = page(study, read_comparison(arguments.table), arguments.program)
    os.makedirs(os.path.dirname(os.path.abspath(arguments.out)), exist_ok=True)
    write_whole(arguments.out, text.encode())
    print(f"{arguments.out}: {len(text) / 1e6:.1f} MB")


if __name__ == "__main__":
    run_script(main)
