"""How dualdiff's time grows with batch, width, replicas and timesteps: compared with a straight line in FLOPs.

    python3 bench/scaling.py [--build build] [--config run_1] [--rounds 5] [--out bench/results]

bench.py runs this as its last part; run directly, it writes <machine>_scaling.json, .csv and .png. Theory: a step takes a
fixed time (barriers, the optimiser) and one in proportion to its dense operations, seconds = fixed + FLOPs / rate. The two
numbers are fitted to each axis and the greatest deviation from the line is compared with the bar.
"""
import argparse
import os
import statistics
import sys

import report
from contestants import CORES, HERE, SOURCE, Field, spread

# axis: (what is changed, its values, task)
AXES = {
    "batch": (["training.batch={}"], [32, 64, 128, 256, 512, 1024, 2048], "train"),
    "width": (["model.hidden_width={}", "model.gate_layers=[{}]"], [64, 128, 256, 512, 1024], "train"),
    "replicas": ([], [1, 2, 4, 8, 16], "train"),
    "timesteps": (["diffusion.timesteps={}"], [25, 50, 100, 200, 400], "sample"),
}


def fit(values):
    """(fixed seconds, GFLOP/s, greatest relative deviation) of seconds = fixed + gflop / rate, by least squares of the
    relative deviations."""
    rows = [(1 / v["seconds"], v["gflop"] / v["seconds"]) for v in values]  # times (fixed, 1 / rate) should be 1
    aa, ab, bb = (sum(r[i] * r[j] for r in rows) for i, j in ((0, 0), (0, 1), (1, 1)))
    a, b = (sum(r[i] for r in rows) for i in (0, 1))
    determinant = aa * bb - ab * ab
    fixed, per = (a * bb - b * ab) / determinant, (b * aa - a * ab) / determinant
    return fixed, 1 / per, max(abs(r[0] * fixed + r[1] * per - 1) for r in rows)


def start(field, config, axis, value):
    changes = [change.format(value) for change in AXES[axis][0]]
    return field.ours(config, CORES, value if axis == "replicas" else 1, overrides=changes)


def ask(c, axis, value, seconds):
    """(request, factor to the seconds of all its replicas, GFLOP of those)"""
    if AXES[axis][2] == "sample":
        points = 512 * CORES
        return f"sample {points}", 1., points * value * c.ask("forward")
    trial = c.ask("train 4")
    steps = min(max(int(seconds / trial / c.replicas), 2), 1000)
    return f"train {steps}", c.replicas, c.replicas * c.ask("flops")


def measure(field, config, rounds, seconds=.3, axes=AXES):
    """[{axis, task, threads, peak (GFLOP/s), fixed, rate, deviation, values: [{value, gflop, seconds, spread, rounds}]}]"""
    found = []
    for axis in axes:
        contestants = {value: start(field, config, axis, value).ready() for value in axes[axis][1]}
        asked = {value: ask(c, axis, value, seconds) for value, c in contestants.items()}
        peaks = []
        for _ in range(rounds):
            for value, c in contestants.items():
                peaks.append(c.ask("peak"))
                c.measure("seconds", asked[value][0], asked[value][1])
        values = [{"value": value, "gflop": asked[value][2], "seconds": c.median("seconds"),
                   "spread": spread(c.measured["seconds"]), "rounds": c.measured["seconds"]}
                  for value, c in contestants.items()]
        for c in contestants.values():
            c.close()
        fixed, rate, deviation = fit(values)
        found.append({"axis": axis, "task": AXES[axis][2], "threads": CORES, "peak": statistics.median(peaks),
                      "fixed": fixed, "rate": rate, "deviation": deviation, "values": values})
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default=os.path.join(SOURCE, "build"))
    parser.add_argument("--config", default="run_1", help="name in configs/, or a file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", default=os.path.join(HERE, "results"))
    args = parser.parse_args()
    field = Field(os.path.abspath(args.build), None, {"pytorch", "jax", "scikit-learn", "h5py"})
    scaling = measure(field, report.config_path(args.config), args.rounds)
    machine = report.machine(field)
    stem = os.path.join(args.out, report.stem_of(machine))
    os.makedirs(args.out, exist_ok=True)
    path = stem + "_scaling"
    report.write_json(path + ".json", {"machine": machine, "scaling": scaling})
    report.write_scaling_csv(path + ".csv", scaling)
    report.draw(path + ".json", stem)
    for axis in scaling:
        print(f"{axis['axis']}: {1e3 * axis['fixed']:.2f} ms + GFLOP / {axis['rate']:.0f}, at most "
              f"{100 * axis['deviation']:.0f} % off", file=sys.stderr)
    print(path + ".png")


if __name__ == "__main__":
    main()
