"""Measure dualdiff, PyTorch, JAX, scikit-learn and h5py on the same work, in turn, and report the results.

    python3 bench/bench.py [--config run_1 ...] [--rounds 7] [--leave-out torch.compile ...] [--out bench/results]
    python3 bench/bench.py --device cuda ...

Every round visits all contestants and measures the machine's FMA peak before each, so that a slow minute affects all of
them; medians over the rounds are compared. Writes <machine>.json, .csv, .md and .png. Needs Python 3.11 and the build; the peers
(bench/setup.sh) are measured where they are installed, after a check that they compute the same.
"""
import argparse
import datetime
import os
import statistics
import subprocess
import sys
import time

import measure
import report
import scaling
from checks import check_losses
from contestants import CORES, HERE, SOURCE, Field, spread
from verdicts import verdicts

LEAVABLE = ["pytorch", "torch.compile", "jax", "scikit-learn", "h5py", "storing", "scaling", "whole"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default=os.path.join(SOURCE, "build"))
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where all train, sample and evaluate")
    parser.add_argument("--config", nargs="+", default=[f"run_{i}" for i in range(6)], help="names in configs/, or files")
    parser.add_argument("--whole", default="run_1", metavar="CONFIG", help="of the whole run, of storing and of scaling")
    parser.add_argument("--rounds", type=int, default=7, help="sampling and evaluation are in every other one")
    parser.add_argument("--seconds", type=float, default=.5, help="of training a contestant and round")
    parser.add_argument("--python", help="interpreter that has the peers; default: .bench-venv")
    parser.add_argument("--leave-out", nargs="+", default=[], choices=LEAVABLE, metavar="WHAT", help=", ".join(LEAVABLE))
    parser.add_argument("--out", default=os.path.join(HERE, "results"), help="also holds what storing writes for a while")
    return parser.parse_args()


def say(began, what):
    print(f"{time.perf_counter() - began:6.0f} s  {what}", file=sys.stderr, flush=True)


def commit():
    done = subprocess.run(["git", "-C", SOURCE, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def summary(values):
    return {n: {"median": statistics.median(v), "spread": spread(v)} for n, v in values.items()}


def main():
    args, began = arguments(), time.perf_counter()
    field = Field(os.path.abspath(args.build), args.python, set(args.leave_out), args.device)
    for what, why in field.left_out.items():
        say(began, f"left out: {what}, {why}")
    os.makedirs(args.out, exist_ok=True)
    result = {"machine": report.machine(field), "device": args.device, "cores": CORES, "date": datetime.date.today().isoformat(),
              "command": "python3 " + " ".join(["bench/bench.py", *sys.argv[1:]]), "commit": commit(),
              "rounds": args.rounds, "left_out": field.left_out, "checks": [], "rows": [], "storing": None, "scaling": [],
              "whole": None}
    peak, bandwidth = {}, {}
    for given in args.config:
        config = report.config_path(given)
        name = os.path.splitext(os.path.basename(config))[0]
        say(began, f"{name}: the peers' losses")
        result["checks"] += check_losses(field, name, config)
        say(began, f"{name}: training, sampling, evaluation")
        rows, peaks, bandwidths = measure.contest(field, name, config, args.rounds, args.seconds)
        result["rows"] += rows
        for n in peaks:
            peak.setdefault(str(n), []).extend(peaks[n])
            bandwidth.setdefault(str(n), []).extend(bandwidths[n])
    result["peak"], result["bandwidth"] = summary(peak), summary(bandwidth)
    if args.device == "cpu":  # the search runs on the host, also if a device trains
        say(began, "KL estimate")
        rows, result["knn_difference"] = measure.contest_knn(field, args.rounds)
        result["rows"] += rows
    config = report.config_path(args.whole)
    name = os.path.splitext(os.path.basename(config))[0]
    if field.wanted("storing"):
        say(began, f"{name}: storing")
        rows, result["storing"] = measure.contest_storing(field, name, config, args.rounds, args.out)
        result["rows"] += rows
    if args.device == "cpu" and field.wanted("scaling"):
        say(began, f"{name}: growth of cost")
        result["scaling"] = scaling.measure(field, config, max(args.rounds // 2, 1))
    if field.wanted("whole"):
        say(began, f"{name}: a whole run")
        result["whole"] = measure.whole_run(field, config, args.out)
    result["verdicts"], result["cases"] = verdicts(result)
    result["seconds"] = time.perf_counter() - began
    path = report.write(result, args.out)
    for v in result["verdicts"]:
        met = {True: "met", False: "NOT MET", None: "open"}[v["met"]]
        print(f"{v['line']} {v['what']}: {v['figure']} [bar: {v['bar']}] {met}")
    say(began, path)


if __name__ == "__main__":
    main()
