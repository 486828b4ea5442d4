"""A table of our runs beside the published ones, from final_info.json files.

    python3 results/beside_known.py runs > results/beside_known.md

Published figures are in known_results.csv: one unseeded run each, from the experiment's public results. The rows
above them put every KL figure in its place: ± is a standard deviation; the floor is what 10,000 fresh true points score, and the exact score
what a perfect denoiser would under the same protocol (T = 100, linear schedule, start from N(0, I)).
"""
import csv
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DATASETS = ["circle", "dino", "line", "moons"]
# Mean and sd of 7 independent public runs of the baseline; of 3 draws of true points; one draw with the exact score.
BASELINES = {"circle": ".355 ± .010", "dino": "1.081 ± .052", "line": ".164 ± .009", "moons": ".090 ± .005"}
FLOOR = {"circle": ".025", "dino": "-.082", "line": ".015", "moons": "-.034"}
EXACT = {"circle": "~ .16", "dino": "-.068", "line": ".16", "moons": ".08"}


def read_known():
    with open(os.path.join(HERE, "known_results.csv"), newline="") as file:
        return {(row["run"], row["dataset"]): row for row in csv.DictReader(file)}


def read_ours(folder):
    found = {}
    for run in sorted(os.listdir(folder)):
        path = os.path.join(folder, run, "final_info.json")
        if os.path.exists(path):
            with open(path) as file:
                found[run] = json.load(file)
    return found


def value(info, metric, digits):
    if not info:
        return ""
    text = f"{info['means'][metric]:.{digits}f}"
    return text + (f" (standard error {info['stderrs'][metric]:.{digits}f})" if "stderrs" in info else "")


def table(title, ours, known, column, metric, digits, above=()):
    lines = [f"**{title}**", "", "| run | " + " | ".join(f"{d}, ours | {d}, published" for d in DATASETS) + " |",
             "|---" * (1 + 2 * len(DATASETS)) + "|"]
    lines += [f"| *{name}* | " + " | ".join(f" | {values[d]}" for d in DATASETS) + " |" for name, values in above]
    for run, info in ours.items():
        cells = []
        for d in DATASETS:
            row = known.get((run, d))
            cells += [value(info.get(d), metric, digits), f"{float(row[column]):.{digits}f}" if row else ""]
        lines.append(f"| {run} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    ours, known = read_ours(sys.argv[1]), read_known()
    print(table("KL divergence in bits (lower is better)", ours, known, "kl_divergence_bits", "kl_divergence", 3,
                [("floor: true points", FLOOR), ("exact score, this protocol", EXACT), ("run_0, 7 public runs", BASELINES)]))
    print(table("Evaluation loss (MSE on the training set, online parameters)", ours, known, "eval_loss", "eval_loss", 4))
    print(table("Training time in s", ours, known, "training_time_s", "training_time", 1))
    print(table("Time to sample 10,000 points in s", ours, known, "inference_time_s", "inference_time", 2))


main()
