"""mode_capture on the sets on which the literature shows mode capture, next to what is perfect and what was published.

    dualdiff train configs/mode_capture.toml --dataset eight_gaussians twentyfive_gaussians checkerboard pinwheel rings swiss_roll two_spirals --seeds 0-2
    dualdiff floor configs/mode_capture.toml --dataset NAME --draws 5 --out runs        # for each of them
    dualdiff oracle configs/mode_capture.toml --dataset NAME --draws 3 --out runs
    .venv/bin/python3 results/literature_sets.py [RUNS]

Adds the result files in RUNS to literature_sets.csv, in place of earlier rows of the same runs (unfinished runs are left out).
Then writes literature_sets.md from the csv.
"""
import csv
import os
import re
import sys
import textwrap

import h5py
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
STEM = os.path.join(HERE, "literature_sets")
DATASETS = ["eight_gaussians", "twentyfive_gaussians", "checkerboard", "pinwheel", "rings", "swiss_roll", "two_spirals"]
RUNS = {"mode_capture": "mode_capture", "oracle_mode_capture": "exact denoiser", "floor": "fresh true points"}
METRICS = ["kl_divergence", "modes_captured", "modes", "high_quality", "off_support", "total_variation", "coverage"]

HEAD = """# The sets of the literature

Made by `.venv/bin/python3 results/literature_sets.py` from
[literature_sets.csv](literature_sets.csv), which has one row for each result. The head of the
script has the commands.

`configs/mode_capture.toml` on seven sets that the literature uses to show mode capture (defined in
`host/data/sets/`, with their sources), compared with the exact denoiser of the same
protocol and with fresh true points, 10,000 points each. KL divergence in bits. ± is a standard
deviation over seeds or draws. [docs/metrics.md](../docs/metrics.md) defines the metrics: a sample
is of high quality within 3 standard deviations of its mode (or curve; or inside a box), and off the
support beyond 6 (or .02 outside of a box). A mode is captured if its high-quality samples are at
least a fifth of its true share.
"""

LITERATURE = """## Figures of the literature

The two sets of Gaussians are those of Metz et al. 2017 (unrolled GAN; ring) and Srivastava et al.
2017 (VEEGAN; ring and grid). Most later papers on mode collapse in GANs use them.

| | ring, modes of 8 | ring, high quality | grid, modes of 25 | grid, high quality |
|---|---|---|---|---|
| GAN, trained by VEEGAN's authors | 1 | 99.3 % | 3.3 | .5 % |
| ALI, trained by VEEGAN's authors | 2.8 | .13 % | 15.8 | 1.6 % |
| unrolled GAN, trained by VEEGAN's authors | 7.6 | 35.6 % | 23.6 | 16 % |
| VEEGAN (Srivastava et al. 2017, table 1) | 8 | 52.9 % | 24.6 | 40 % |
| GAN, trained by PacGAN's authors | 6.3 ± .5 | 98.2 ± .2 % | 17.3 ± .8 | 94.8 ± .7 % |
| PacGAN2 (Lin et al. 2018, table 1) | 7.9 ± .1 | 95.6 ± 2.0 % | 23.8 ± .7 | 91.3 ± .8 % |

**This is not the same protocol.** The figures show what is usual; they do not rank the methods:

- *A captured mode.* In VEEGAN and PacGAN a mode is lost if no generated point lies within 3
  standard deviations of its centre, so one point captures it. Here a mode needs a fifth of its true
  share. So by their definition each figure here would be as high or higher.
- *High quality.* In VEEGAN and PacGAN a point within 3 standard deviations of the nearest centre,
  as here. Perfect samples of a two-dimensional Gaussian score 98.9 %. A method with more has modes
  that are too narrow.
- *The number of points.* They judge by about 2,500 generated points, here by 10,000. More points
  make it easier to capture a mode by one point.
- *The sets.* The ring here has radius 3 and standard deviation .03, theirs (Metz et al.) 2 and .02:
  the same up to scale. The grid is PacGAN's, {-4, -2, 0, 2, 4}² with .05.
- *The method.* Theirs are GANs of 2016 to 2018, which go from noise to a point in one step.
  mode_capture takes the 2,000 steps of a diffusion. They show what was hard, not what is best
  today.

checkerboard, pinwheel, rings, swiss_roll and two_spirals are the usual sets of papers on
normalising flows (Grathwohl et al. 2019, FFJORD). Those papers show pictures or the log-likelihood
of a density. A sampler without a density has no log-likelihood, so there is no figure to compare
with.
"""


def results(runs):
    """(run, dataset, seed, {metric: value}) of every finished result in RUNS."""
    for run in RUNS:
        for dataset in DATASETS:
            folder = os.path.join(runs, run, dataset)
            names = os.listdir(folder) if os.path.isdir(folder) else []
            for seed in sorted(int(found[1]) for name in names if (found := re.fullmatch(r"seed_(\d+)\.h5", name))):
                with h5py.File(os.path.join(folder, f"seed_{seed}.h5"), swmr=True) as file:
                    if "metrics" in file:
                        yield run, dataset, seed, {name: value[()] for name, value in file["metrics"].items()}


def collect(runs):
    """Add the results in RUNS to the csv, in place of earlier rows of the same runs."""
    with open(STEM + ".csv") as file:
        rows = {(row["run"], row["dataset"], int(row["seed"])): list(row.values()) for row in csv.DictReader(file)}
    for run, dataset, seed, found in results(runs):
        rows[run, dataset, seed] = [run, dataset, seed, *(f"{found[name]:.6g}" if name in found else "" for name in METRICS)]
    with open(STEM + ".csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["run", "dataset", "seed", *METRICS])
        writer.writerows(rows[key] for key in sorted(rows, key=lambda key: (list(RUNS).index(key[0]), DATASETS.index(key[1]), key[2])))


def short(value, digits):
    return re.sub(r"^(-?)0\.", r"\1.", f"{value:.{digits}f}")


def spread(rows, metric, digits, factor=1):
    values = np.array([float(row[metric]) for row in rows if row[metric]]) * factor
    if not len(values):
        return "-"
    return short(values.mean(), digits) + (f" ± {short(values.std(ddof=1), digits)}" if len(values) > 1 else "")


def modes(rows):
    if not any(row["modes"] for row in rows):
        return "-"
    captured = sorted({int(float(row["modes_captured"])) for row in rows})
    return f"{' to '.join(str(n) for n in dict.fromkeys((captured[0], captured[-1])))} of {int(float(rows[0]['modes']))}"


def table(rows):
    lines = ["| set | | seeds or draws | KL | modes captured | high quality, % | off support, % | total variation |", "|---" * 8 + "|"]
    for dataset in DATASETS:
        for run, name in RUNS.items():
            ours = [row for row in rows if (row["run"], row["dataset"]) == (run, dataset)]
            if ours:
                cells = [spread(ours, "kl_divergence", 3), modes(ours), spread(ours, "high_quality", 2, 100),
                         spread(ours, "off_support", 2, 100), spread(ours, "total_variation", 3)]
                lines.append(f"| {dataset} | {name} | {len(ours)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def missing(rows):
    """A paragraph on the sets that a run has no result of."""
    for run, name in RUNS.items():
        there = {row["dataset"] for row in rows if row["run"] == run}
        if lacks := [dataset for dataset in DATASETS if dataset not in there]:
            yield textwrap.fill(f"Not computed yet: {name} on {', '.join(lacks)}.", 100) + "\n"


def main():
    if len(sys.argv) > 1:
        collect(sys.argv[1])
    with open(STEM + ".csv") as file:
        rows = list(csv.DictReader(file))
    with open(STEM + ".md", "w") as file:
        file.write("\n".join([HEAD, *missing(rows), table(rows), LITERATURE]))


main()
