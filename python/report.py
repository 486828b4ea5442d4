"""One HTML page about the runs listed on standard input: the outcome, one table, pictures, analyses, configurations, machines.

Everything is inside the file; it needs no network. --table is what `dualdiff compare --format csv` prints.
"""
import datetime
import os
import sys
from html import escape

import analysis_plots
import animation
import corner
import plot
import sample_plots
from drawing import STYLE, Study, plt
from files import write_whole
from limits import drawn_in_full
from loading import load, run_script, script_parser
from report_html import CSS, Pictures, anchor, cell, details, head, panel_figure, picture_part, row_head, table
from report_table import best_run, in_one_sentence, read_comparison, read_metrics, tables
from runs import INFORMATION, in_order

# ---- the outcome ----


def outcome(study, dataset, comparison, pictures):
    """The data, the best samples and the animation of all runs, side by side."""
    clouds = sample_plots.clouds_of(study, dataset)
    best = best_run(study, dataset, comparison) or clouds[-1].name
    limits, size = sample_plots.limits_of(clouds), sample_plots.point_size(clouds)
    shown = [cloud for cloud in clouds if cloud.name == best or cloud is clouds[0] and cloud.name not in study.runs]
    figures = []
    for cloud in shown:
        panel = sample_plots.one_cloud(cloud, limits, size, 3.4)
        if cloud.name == best and len(study.trained(dataset)) > 1:
            panel.name = f"best samples: {cloud.name}"
        figures.append(panel_figure(pictures, panel))
    moving = animation.of_dataset(study, dataset)
    for picture in moving:
        image = pictures.image(picture.draw, "gif", picture.alt)
        figures.append(f'<figure class="animation">{image}<figcaption><b>{escape(picture.title)}</b><br>{escape(picture.caption)}</figcaption></figure>')
    kind = " still" if not moving else " tall" if len(animation.journeys_of(study, dataset)) > 2 else ""
    hint = "" if moving else '<p class="soft"><code>dualdiff analyze RUN.h5</code>, then this command again, adds an animation and pictures of what gate and experts do.</p>'
    return f'<div class="outcome{kind}">{"".join(figures)}</div>{hint}'


def outcome_section(study, comparison, pictures):
    parts = []
    for dataset in study.datasets:
        name = f"<h3>{escape(dataset)}</h3>" if len(study.datasets) > 1 else ""
        parts.append(name + in_one_sentence(study, dataset, comparison) + outcome(study, dataset, comparison, pictures))
    return "".join(parts)


# ---- a dataset ----


def analysis_table(study, dataset, results):
    """The numbers of each analysis: whether the gate follows the mode or the timestep, and how much the loss grows with one expert
    alone."""
    many = analysis_plots.region_words(results[0])[1]
    heads = [head("run", number=False), *(head(*words) for words in (
        (many, "on data, bit"), ("timestep", "on data, bit"), (many, "sampling, bit"), ("timestep", "sampling, bit"), ("own loss",),
        ("loss", "equal weights"), ("loss", "best expert alone"), ("disagreement",)))]
    rows = []
    for result in results:
        gated = analysis_plots.gate_analysed(result)
        numbers = [result.analysis_number(column) if gated or column not in INFORMATION else None
                   for column in (*INFORMATION, "loss_gated", "loss_equal", "loss_alone", "disagreement")]
        rows.append(f"<tr>{row_head(result.run, study.description[result.run])}"
                    f"{''.join(cell('–' if number is None else f'{number:.3f}') for number in numbers)}</tr>")
    return (f"<h3>Gate and experts in figures</h3>{table(f'Gate and experts on {dataset}', heads, [rows])}"
            f'<p class="soft">Bits: how much the weight of an expert tells about the {escape(many)} and about the timestep (mutual information), mean over '
            "experts. Losses and disagreement (the distance between the noises that the experts predict) are means over timesteps, on fresh points. If the own "
            "loss is smaller than the loss with equal weights, the gate helps.</p>")


def analysed_results(study, dataset):
    return [result for result in study.trained(dataset, None) if analysis_plots.analysed(result)]


def dataset_section(study, dataset, in_full, pictures):
    """in_full: the results whose analyses are drawn."""
    parts = [f'<p class="soft">The pictures show runs{escape(study.how_many(dataset))}.</p>'] if study.how_many(dataset) else []
    measured = plot.means_in_words(study, dataset, "kl_divergence")
    parts += [picture_part(pictures, plot.kl_picture(study, dataset))] if measured else []
    parts += [picture_part(pictures, picture) for picture in plot.of_dataset(study, dataset) + corner.of_page(study, dataset)]
    results = analysed_results(study, dataset)
    if results:
        parts.append(analysis_table(study, dataset, results))
    if len(in_full) < len(results):
        parts.append(f'<p class="soft">Gate and experts of {len(in_full)} of the {len(results)} analysed runs follow: the runs with the lowest KL divergence. '
                     "<code>dualdiff plot</code> draws them all; <code>dualdiff report DIR/CONFIG</code> shows those of one configuration.</p>")
    for result in in_full:
        inner = "".join(picture_part(pictures, picture) for picture in plot.of_result(study, result))
        parts.append(details(f"Gate and experts of {result.run}, seed {result.seed}", f'<p class="soft">{escape(study.description[result.run])}</p>{inner}'))
    return "".join(parts)


# ---- how the runs were made ----


def config_section(study):
    """The settings that differ, as a table, and every configuration in full."""
    text = {run: next(result for result in study.results if result.run == run).config_text for run in study.runs}
    if study.varying:
        heads = [head("setting", number=False), *(head(run) for run in study.runs)]
        rows = [f"<tr>{row_head(key)}{''.join(cell(study.config[run].get(key, '–')) for run in study.runs)}</tr>" for key in study.varying]
        differences = table("Settings that differ between the runs", heads, [rows])
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
            rows.append(f"<tr>{row_head(run)}{''.join(map(cell, made))}</tr>")
    return table("Where and with what each run was made", [head("run", number=False), *(head(name) for name, _ in MACHINE)], [rows])


# ---- the page ----


def listed(names, most=4):
    """"a, b and c"; for many, their number."""
    if len(names) > most:
        return f"{len(names)} datasets"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def heading(study):
    runs = [run for run in study.runs if not study.untrained[run]] or study.runs
    return f"What {runs[0] if len(runs) == 1 else f'{len(runs)} runs'} learned of {listed(study.datasets)}"


def page(study, comparison, program, pictures):
    in_full = drawn_in_full({dataset: found for dataset in study.datasets if (found := analysed_results(study, dataset))})
    made = datetime.datetime.now().strftime("%Y-%m-%d %H:%M")
    sections = [("outcome", "Outcome", outcome_section(study, comparison, pictures)),
                ("figures", "Runs and metrics", tables(study, comparison))]
    sections += [(anchor("dataset", dataset), f"Pictures: {dataset}", dataset_section(study, dataset, in_full.get(dataset, []), pictures)) for dataset in study.datasets]
    sections += [("configurations", "Configurations", config_section(study)), ("machine", "Machine", machine_section(study))]
    links = "".join(f'<li><a href="#{at}">{escape(name)}</a></li>' for at, name, _ in sections)
    body = "".join(f'<section id="{at}" aria-labelledby="{at}-title"><h2 id="{at}-title">{escape(name)}</h2>{content}</section>'
                   for at, name, content in sections)
    return ('<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>dualdiff report: {escape(', '.join(study.runs))}</title><style>{CSS}</style></head><body>"
            f'<header><h1>{escape(heading(study))}</h1><p class="soft">Small diffusion models that learn to make points like those of a dataset, starting '
            f'from noise. {len(study.results)} result{"s" if len(study.results) > 1 else ""}, made by {escape(program)}, {made}.</p></header>'
            f'<nav aria-label="Sections"><div><ul>{links}</ul></div></nav><main>{body}</main>'
            '<footer class="soft"><p>This page is one file; it can be copied and sent as it is.</p></footer></body></html>\n')


def main():
    parser = script_parser(__doc__)
    parser.add_argument("--out", required=True, help="the HTML file")
    parser.add_argument("--table", required=True, help="the comparison as CSV")
    parser.add_argument("--metrics", required=True, help="the program's table of metrics")
    parser.add_argument("--program", required=True, help="name and version of the program")
    arguments = parser.parse_args()
    study = Study(load(arguments))
    plt.rcParams.update(STYLE)
    pictures = Pictures()
    text, failed = pictures.put(page(study, (read_comparison(arguments.table), read_metrics(arguments.metrics)), arguments.program, pictures))
    os.makedirs(os.path.dirname(os.path.abspath(arguments.out)), exist_ok=True)
    write_whole(arguments.out, text.encode())
    print(f"{arguments.out}: {len(text) / 1e6:.1f} MB")
    for words in failed:
        print(f"dualdiff: could not be drawn: {words}", file=sys.stderr)


if __name__ == "__main__":
    run_script(main)
