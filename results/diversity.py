"""Does the diversity loss do more than stretch the predicted noise? From the study's table and the maps of `dualdiff analyze`:

    .venv/bin/python3 results/diversity.py runs > results/diversity.md

Needs results/study/study.csv with run_3, the configurations of LOSSES and those of stretched_noise, and of run_3 and run_4 the result files;
results/knobs.sh makes all.
"""
import math
import sys
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
from configurations import read_configuration
from study import Group, markdown, read_table, spread

RESULTS = Path(__file__).resolve().parent
FACTORS = {"run_3": "1", "stretched_noise": "1.09", "stretched_noise_14": "1.14", "stretched_noise_19": "1.19"}
LOSSES = {"run_4": "run 4", "diversity_l1": "l1", "diversity_log": "log", "diversity_rbf": "rbf", "diversity_squared": "squared",
          "diversity_annealed": "annealed"}
# Of two predictions whose distance is r; that of l1 is a mean over directions.
DISTANCES = {"euclidean": lambda r: r, "squared": lambda r: r * r, "l1": lambda r: 4 / math.pi * r, "rbf": lambda r: 1 - np.exp(-r * r / 2),
             "log": lambda r: np.log1p(r * r)}

HEAD = """# What the diversity loss does

Made by `.venv/bin/python3 results/diversity.py runs > results/diversity.md` from
[study/study.csv](study/study.csv) and the analyses of run 3 and run 4.

**Stretch.** The prediction of run 3 has a variance of sigma^2 = 1 - MSE for each coordinate, if it
is the mean of the noise given the noised point. Multiplied by s, its MSE grows by (s - 1)^2
sigma^2, while the loss rewards the mean distance d between predictions with the weight w.

- *Expected*: the s that minimises (s - 1)^2 sigma^2 - w E[d] if predictions are normal. For run 4's
  distance E[d] = s sigma sqrt(pi) and s = 1 + .1 sqrt(pi) / (2 sigma). The mean squared distance of
  a batch is 4 sigma^2 s^2 for any predictions, so squared distances stretch every prediction by s =
  1 / (1 - 4 w).
- *Found*: how much a loss really stretches, computed from how much larger the held-out MSE is than
  run 3's, if stretching is its only effect: s = 1 + sqrt((MSE with the loss - MSE of run 3) /
  sigma^2).
- *Annealed*: run 4's loss with a weight that is 0 at the end of training."""

LENGTHS = (0, 0.25, 0.5, 1, 2, 4)


def predictions(folder, config, dataset):
    """The noise that a run predicts at every place of its analysis' maps (place, 2), mean over seeds."""
    seeds = []
    for path in sorted(Path(folder, config, dataset).glob("seed_?.h5")):
        with h5py.File(path) as file:
            seeds.append((file["analysis/map/weight"][()][..., None] * file["analysis/map/noise"][()]).sum(axis=-2).reshape(-1, 2))
    return np.mean(seeds, axis=0, dtype=float)


def stretch_by_length(folder, dataset):
    """The length of run 4's predictions, in the direction of run 3's, divided by that of run 3's: by the length of run 3's."""
    one, other = (predictions(folder, config, dataset) for config in ("run_3", "run_4"))
    length = np.linalg.norm(one, axis=1)
    chosen = [(length >= low) & (length < high) for low, high in zip(LENGTHS, LENGTHS[1:])]
    return [np.sum(one[these] * other[these]) / np.sum(one[these] ** 2) for these in chosen]


def expected(config, sigma):
    """By which factor a configuration's loss would stretch normal predictions with a standard deviation of sigma."""
    training = read_configuration(RESULTS.parent / "configs" / f"{config}.toml")["training"]
    weight = training["diversity_weight"] if training["diversity_course"] == "constant" else 0
    v = np.linspace(0, 7, 3001)  # a distance is 2 sigma s v, and v has the density 2 v exp(-v^2)
    stretch = np.linspace(1, 2, 2001)
    mean = np.trapezoid(DISTANCES[training["diversity_distance"]](2 * sigma * stretch[:, None] * v) * 2 * v * np.exp(-v * v), v, axis=1)
    return stretch[np.argmin((stretch - 1) ** 2 * sigma**2 - weight * mean)]


def table(head, rows):
    return markdown([head, ["---"] + ["---:"] * (len(head) - 1), *rows])


def main():
    rows = read_table(RESULTS / "study" / "study.csv")
    datasets = sorted({row["dataset"] for row in rows if row["config"] == "run_4"})

    def values(config, dataset, metric):
        return Group([row for row in rows if (row["config"], row["dataset"]) == (config, dataset)]).values(metric)

    loss = {config: np.array([values(config, dataset, "heldout_loss").mean() for dataset in datasets]) for config in ("run_3", *LOSSES)}
    sigma = np.sqrt(1 - loss["run_3"])
    found = [("sigma", sigma)]
    for config, name in LOSSES.items():
        found += [(f"{name}: expected", [expected(config, value) for value in sigma]),
                  (f"{name}: found", 1 + np.sqrt(np.maximum(loss[config] - loss["run_3"], 0)) / sigma)]
    print(HEAD + "\n\n" + table(["", *datasets], [[name, *(f"{value:.3f}" for value in numbers)] for name, numbers in found]))

    print("\n**By length.** The loss stretches short predictions more than long ones, because short ones lie\n"
          "between the others. The table has the length of run 4's predictions divided by that of run 3's, by\n"
          "the length of run 3's, on the plane of the maps of the analysis (six timesteps; seeds are averaged\nfirst):\n")
    lengths = [f"{low:g} to {high:g}" for low, high in zip(LENGTHS, LENGTHS[1:])]
    print(table(["length of run 3's prediction", *lengths],
                [[dataset, *(f"{value:.2f}" for value in stretch_by_length(sys.argv[1], dataset))] for dataset in datasets]))

    print("\n**Samples.** KL divergence in bits, mean ± standard deviation over seeds (for the exact denoiser:\n"
          "over draws). Run 3's networks, with their predicted noise multiplied while sampling, compared with\n"
          "networks that were trained with a diversity loss.\n")
    exact = ["oracle_" + config.replace("run_3", "run_1") for config in FACTORS]  # run 3's protocol is run 1's
    print(table(["predicted noise times", *FACTORS.values(), *LOSSES.values()],
                [[dataset, *(spread(values(config, dataset, "kl_divergence")) for config in (*FACTORS, *LOSSES))] for dataset in datasets]
                + [[f"exact denoiser, {dataset}", *(spread(values(config, dataset, "kl_divergence")) for config in exact), *["–"] * len(LOSSES)]
                   for dataset in datasets]))


main()
