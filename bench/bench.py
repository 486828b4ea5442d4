"""Measure dualdiff and PyTorch on the same training step, sampling and evaluation, in turn.

    python3 bench/bench.py [--build build] [--config run_1 ...] [--rounds 7] [--out bench/results]

Every round visits all contestants, the machine's FMA peak beside each, so that a slow minute hits all alike; medians over
the rounds are compared. Writes <machine>.json, .csv and .md. Needs Python 3.11 and the build alone; the peers
(bench/setup.sh) are measured where they are installed, after a check that they compute the same: PyTorch's losses on
dualdiff's batches, scikit-learn's KL estimate on dualdiff's points.
"""
import argparse
import csv
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(HERE)
SAMPLES = 2560  # twenty of dualdiff's chunks, ten batches; enough for PyTorch to be at its best too


class Contestant:
    """A program that answers requests with numbers."""

    def __init__(self, name, threads, command, replicas=1):
        self.name, self.threads, self.replicas = name, threads, replicas
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=environment)
        self.version = self.process.stdout.readline().strip()
        if not self.version:
            sys.exit(f"{' '.join(command)} did not start")
        self.measured = {}

    def ask(self, request):
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"{self.name} on {self.threads} threads ended at: {request}")
        return float(answer)

    def measure(self, key, request):
        self.measured.setdefault(key, []).append(self.ask(request))

    def median(self, key):
        return statistics.median(self.measured[key])

    def spread(self, key):
        """Half the distance between the quartiles, relative to the median."""
        values = self.measured[key]
        low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
        return (high - low) / 2 / self.median(key)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def python_with(module, asked):
    """The interpreter that has the module: the one asked for, or that of bench/setup.sh; None where neither does."""
    path = asked or os.path.join(SOURCE, ".bench-venv/bin/python3")
    found = os.path.exists(path) and not subprocess.run([path, "-c", f"import {module}"], capture_output=True).returncode
    return path if found else None


def check_losses(build, python, name, config, steps=20):
    """Stop if PyTorch's losses on dualdiff's batches and initial parameters differ. Without ReLUs they agree to rounding
    for all steps. With them rounding flips a few and AdamW amplifies it, so that only the first step agrees so well."""
    configured = re.search(r'activation = "(\w+)"', open(config).read())[1]
    for activation, bound_first, bound in (("silu", 1e-5, 1e-4), (configured, 1e-5, 3e-3)):
        with tempfile.TemporaryDirectory() as folder:
            arrays = os.path.join(folder, "arrays.npz")
            commands = [[os.path.join(SOURCE, ".venv/bin/python3"), os.path.join(HERE, "losses.py"), build, config, activation,
                         str(steps), arrays],
                        [python, os.path.join(HERE, "peer_torch.py"), "--check", arrays, config, activation]]
            ours, theirs = (json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
                            for command in commands)
        far = [abs(a / b - 1) for a, b in zip(theirs, ours)]
        print(f"{name}, {activation}: PyTorch's losses differ by {far[0]:.1e} at the first step, by {max(far):.1e} at most in "
              f"{steps}", file=sys.stderr)
        if far[0] > bound_first or max(far) > bound:
            sys.exit(f"{name}: the two do not compute the same step")


def contest(build, python, config, compiled):
    """All contestants of one configuration, started."""
    server = os.path.join(build, "bench", "bench_server")
    cores = len(os.sched_getaffinity(0))
    threads = sorted({1, cores})
    found = [Contestant("dualdiff", n, [server, config, "cpu", str(n), "1"]) for n in threads]
    found.append(Contestant("dualdiff", cores, [server, config, "cpu", str(cores), str(cores)], replicas=cores))
    if python:
        peer = os.path.join(HERE, "peer_torch.py")
        for mode in ["eager"] + (["compiled"] if compiled else []):
            found += [Contestant(f"PyTorch {mode}", n, [python, peer, config, str(n), mode]) for n in threads]
    return found


def run(contestants, rounds, steps, sampling_rounds):
    for c in contestants:  # warm-up, compilation
        c.ask("train 8")
        c.ask("sample 64" if c.name == "dualdiff" else f"sample {SAMPLES}")
        if c.name == "PyTorch compiled":  # compiles again for other numbers of rows
            c.ask("evaluate")
    for turn in range(rounds):
        for c in contestants:
            if c.name == "dualdiff":
                c.measure("peak", "peak")
            c.measure("train", f"train {steps if c.name == 'dualdiff' else max(steps // 2, 1)}")
            if turn < sampling_rounds:
                c.measure("sample", f"sample {SAMPLES}")
                c.measure("evaluate", "evaluate")


def contest_knn(build, python, rounds):
    """The KL estimate on one thread: seconds by contestant, and lines for the table."""
    server = [os.path.join(build, "bench", "bench_server"), os.path.join(SOURCE, "configs", "run_0.toml"), "cpu", "1", "1"]
    contestants = [Contestant("dualdiff", 1, server)]
    if python:
        contestants.append(Contestant("scikit-learn", 1, [python, os.path.join(HERE, "peer_sklearn.py"),
                                                          os.path.join(build, "tests", "dump_dataset")]))
    bits = [c.ask("kl") for c in contestants]
    if max(bits) - min(bits) > 1e-9:
        sys.exit(f"the KL estimates differ: {bits}")
    for _ in range(rounds):
        for c in contestants:
            c.measure("knn", "knn")
    for c in contestants:
        c.close()
    return [{"config": "", "contestant": c.name, "threads": 1, "replicas": 1, "task": "knn", "seconds": c.median("knn"),
             "spread": c.spread("knn"), "gflops": None, "share_of_peak": None, "version": c.version} for c in contestants]


def rows_of(name, contestants, step_gflop, point_gflop, timesteps=100):
    """One row a contestant and task, with its share of the FMA peak of the threads it uses."""
    peak = {c.threads: c.median("peak") for c in contestants if c.name == "dualdiff"}
    work = {"train": step_gflop, "sample": point_gflop * SAMPLES * timesteps, "evaluate": point_gflop * 100000}
    for c in contestants:
        for task, gflop in work.items():
            seconds = c.median(task)
            rate = gflop / seconds  # seconds are a replica's share already
            yield {"config": name, "contestant": c.name, "threads": c.threads, "replicas": c.replicas, "task": task,
                   "seconds": seconds, "spread": c.spread(task), "gflops": rate,
                   "share_of_peak": rate / peak[c.threads], "version": c.version}


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
                 platform.machine())
    return model, re.sub(r"[^a-z0-9]+", "-", f"{model} {len(os.sched_getaffinity(0))} cores".lower()).strip("-")


def table(rows, peaks):
    unit = {"train": ("ms a step", 1e3), "sample": (f"s for {SAMPLES} points", 1), "evaluate": ("s for 100,000 points", 1)}
    lines = ["FMA peak: " + ", ".join(f"{value:.0f} GFLOP/s on {n} thread{'s' * (n > 1)}" for n, value in peaks.items())]
    for task, (label, factor) in unit.items():
        chosen = [row for row in rows if row["task"] == task]
        if not chosen:
            continue
        lines += ["", f"**{task}**, {label} (share of peak), median of rounds; replicas beside the threads where more than one",
                  "", "| configuration | " + " | ".join(column(row) for row in chosen if row["config"] == chosen[0]["config"])
                  + " | best PyTorch / dualdiff |"]
        lines.append("|---" * (lines[-1].count("|") - 1) + "|")
        for name in dict.fromkeys(row["config"] for row in chosen):
            mine = [row for row in chosen if row["config"] == name]
            ours = [row["seconds"] for row in mine if row["contestant"] == "dualdiff" and row["replicas"] == 1]
            peers = [row["seconds"] for row in mine if row["contestant"] != "dualdiff"]
            ratio = f"{min(peers) / min(ours):.2f}" if peers else "PyTorch not installed"
            cells = [f"{row['seconds'] * factor:.3g} ({100 * row['share_of_peak']:.0f} %)" for row in mine]
            lines.append(f"| {name} | " + " | ".join(cells) + f" | {ratio} |")
    searches = [row for row in rows if row["task"] == "knn"]
    if searches:
        lines += ["", "**KL estimate**, 100,000 against 10,000 points, one thread: " + ", ".join(
            f"{row['contestant']} {row['seconds']:.3g} s" for row in searches)]
    return "\n".join(lines) + "\n"


def column(row):
    replicas = f", {row['replicas']} replicas" if row["replicas"] > 1 else ""
    return f"{row['contestant']}, {row['threads']} thread{'s' * (row['threads'] > 1)}{replicas}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default=os.path.join(SOURCE, "build"))
    parser.add_argument("--config", nargs="+", default=[f"run_{i}" for i in range(6)])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--python", help="interpreter that has the peers; default: .bench-venv")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--out", default=os.path.join(HERE, "results"))
    args = parser.parse_args()
    build = os.path.abspath(args.build)
    python, sklearn = python_with("torch", args.python), python_with("sklearn", args.python)
    left_out = [name for name, found in (("PyTorch", python), ("scikit-learn", sklearn)) if not found]
    if python and args.no_compile:
        left_out.append("torch.compile")
    if left_out:
        print(f"left out: {', '.join(left_out)} (bench/setup.sh installs the peers)", file=sys.stderr)
    rows, peaks = [], {}
    for name in args.config:
        config = os.path.join(SOURCE, "configs", f"{name}.toml")
        if python:
            check_losses(build, python, name, config)
        contestants = contest(build, python, config, not args.no_compile)
        run(contestants, args.rounds, args.steps, min(args.rounds, 3))
        ours = contestants[0]
        rows += rows_of(name, contestants, ours.ask("flops"), ours.ask("forward"))
        for c in contestants:
            if c.name == "dualdiff" and c.replicas == 1:
                peaks.setdefault(c.threads, []).append(c.median("peak"))
            c.close()
        print(table([row for row in rows if row["config"] == name],
                    {n: statistics.median(values) for n, values in peaks.items()}), file=sys.stderr)
    rows += contest_knn(build, sklearn, args.rounds)
    model, stem = machine()
    os.makedirs(args.out, exist_ok=True)
    path = os.path.join(args.out, stem)
    with open(path + ".json", "w") as file:
        json.dump({"machine": model, "rounds": args.rounds, "left_out": left_out, "rows": rows}, file, indent=1)
    with open(path + ".csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    with open(path + ".md", "w") as file:
        file.write(f"# {model}, {len(os.sched_getaffinity(0))} cores\n\nMade by `python3 bench/bench.py`.\n\n")
        if left_out:
            file.write(f"Left out: {', '.join(left_out)}.\n\n")
        file.write(table(rows, {n: statistics.median(values) for n, values in peaks.items()}))
    print(path + ".md")


main()
