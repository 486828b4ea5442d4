"""What a perfect network would score: the exact denoiser on the experiment's four sets under four schedules, and fresh true
points, next to values from outside of this project.

    python3 results/oracle.py build/dualdiff > results/oracle.md       # about five minutes on two cores

Needs only the program.
"""
import os
import subprocess
import sys

DATASETS = ("circle", "dino", "line", "moons")
CONFIG = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "configs", "run_1.toml")
DRAWS = 5

# By a calculation from outside of this project: one draw each, ± .015; the floor: mean of three draws, ± .001 to .003.
SCHEDULES = [
    ("T = 100, linear (the experiment's)", [], ("~ .16", "-.068", ".16", ".08")),
    ("T = 100, quadratic", ["diffusion.schedule=quadratic"], ("~ .21", ".064", ".330", ".228")),
    ("T = 100, cosine", ["diffusion.schedule=cosine"], ("< .27", ".074", ".010", "-.051")),
    ("T = 250, cosine", ["diffusion.schedule=cosine", "diffusion.timesteps=250"], ("~ .085", "-.152", ".011", "-.045")),
]
KNOWN_FLOOR = (".025", "-.082", ".015", "-.034")


def kl(program, command, dataset, draws, sets):
    """(mean, standard deviation) over draws."""
    words = [program, command, CONFIG, "--dataset", dataset, "--draws", str(draws)]
    words += ["--set", *sets] if sets else []
    text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    row = next(line.split() for line in text.splitlines() if line.startswith("kl_divergence"))
    return float(row[1]), float(row[2])


def short(value):
    return f"{value:.3f}".replace("0.", ".", 1)


def main():
    program = sys.argv[1]
    print(f"KL divergence in bits, mean ± standard deviation over {DRAWS} draws of 10,000 points, for true points over\n"
          f"{4 * DRAWS} draws. In brackets is a calculation from outside of this project: one draw each, ± .015; for true\n"
          "points the mean of three draws, ± .001 to .003.\n")
    print("| | " + " | ".join(DATASETS) + " |\n|---|" + "---|" * len(DATASETS))
    for label, sets, known in SCHEDULES:
        cells = [f"{short(mean)} ± {short(sd)} ({before})" for (mean, sd), before in
                 zip((kl(program, "oracle", dataset, DRAWS, sets) for dataset in DATASETS), known)]
        print(f"| exact denoiser, {label} | " + " | ".join(cells) + " |", flush=True)
    cells = [f"{short(mean)} ± {short(sd)} ({before})" for (mean, sd), before in
             zip((kl(program, "floor", dataset, 4 * DRAWS, []) for dataset in DATASETS), KNOWN_FLOOR)]
    print("| fresh true points | " + " | ".join(cells) + " |")


main()
