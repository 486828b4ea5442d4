"""A table that compares our runs with the published ones, from final_info.json files.

    python3 results/comparison_with_known.py runs > results/comparison_with_known.md

Published figures are in known_results.csv: one unseeded run each, from the experiment's public results. Three rows above them
help to judge a KL figure, each a mean ± standard deviation:
- the floor, which 10,000 fresh true points score, and the exact denoiser, which a perfect network would score under the same
  protocol (T = 100, linear schedule, start from N(0, I)), both by this program: oracle.md has them and their numbers of draws;
- three public runs of run 0 (public_baselines.csv): those of the papers adaptive_dual_scale_denoising, dual_expert_denoiser
  and gan_diffusion in SakanaAI/AI-Scientist, example_papers/<paper>/run_0/final_info.json.
"""
import csv
import json
import os
import re
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DATASETS = ["circle", "dino", "line", "moons"]


def read_baselines():
    found = {dataset: [] for dataset in DATASETS}
    with open(os.path.join(HERE, "public_baselines.csv"), newline="") as file:
        for row in csv.DictReader(file):
            found[row["dataset"]].append(float(row["kl_divergence_bits"]))
    return {d: f"{statistics.mean(kl):.3f} ± {statistics.stdev(kl):.3f}".replace("0.", ".") for d, kl in found.items()}


def read_oracle(label):
    """One row of oracle.md, without what is in brackets there."""
    with open(os.path.join(HERE, "oracle.md")) as file:
        (row,) = (line for line in file if line.startswith(f"| {label} |"))
    return dict(zip(DATASETS, (re.sub(r" \(.*\)", "", cell.strip()) for cell in row.split("|")[2:-1])))


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
    for name, values, ours_too in above:
        lines.append(f"| *{name}* | " + " | ".join(f"{values[d]} | " if ours_too else f" | {values[d]}" for d in DATASETS) + " |")
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
                [("fresh true points, 20 draws", read_oracle("fresh true points"), True),
                 ("exact denoiser, 5 draws", read_oracle("exact denoiser, T = 100, linear (the experiment's)"), True),
                 ("run_0, 3 public runs", read_baselines(), False)]))
    print(table("Evaluation loss (MSE on the training set, online parameters)", ours, known, "eval_loss", "eval_loss", 4))
    print(table("Training time in s", ours, known, "training_time_s", "training_time", 1))
    print(table("Time to sample 10,000 points in s", ours, known, "inference_time_s", "inference_time", 2))


main()
