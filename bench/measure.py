"""The rounds: every one visits all contestants, so that a slow minute of the machine affects all of them, and measures the
machine's limits with each.

Each function returns rows, one a contestant and task: {config, contestant, device, threads, replicas, task, unit, seconds (median
of the rounds), spread, gflops, share_of_peak, version, rounds (every round's seconds)}. Seconds are a replica's share.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from contestants import CORES, HERE, SOURCE, THREADS, Contestant, read_configuration, spread

SAMPLED, EVALUATED = 10000, 100000  # points that seconds are given for
UNITS = {"train": "step", "sample": f"{SAMPLED} points", "evaluate": f"{EVALUATED} points", "knn": "KL estimate",
         "result": "file", "whole": "run"}


def row(config, c, task, seconds, gflop=None, peak=None):
    middle = statistics.median(seconds)
    rate = gflop / middle if gflop else None
    return {"config": config, "contestant": c.name, "device": c.device, "threads": c.threads, "replicas": c.replicas,
            "task": task, "unit": UNITS[task], "seconds": middle, "spread": spread(seconds), "gflops": rate,
            "share_of_peak": rate / peak if rate and peak else None, "version": c.version, "rounds": seconds}


def points_for(device, replicas):
    """How many points to generate and to evaluate a replica: enough for every core, and for peers to be at their best."""
    if device == "cuda":
        return SAMPLED, 76800 if replicas == 1 else 25600
    return max(512 * CORES // replicas, 256), max(25600 // replicas // 1024, 1) * 1024


def requests(c):
    """{task: (request, factor to the unit's seconds)} of what it is asked in a round."""
    generated, evaluated = points_for(c.device, c.replicas)
    return {"train": (f"train {c.steps}", 1.), "sample": (f"sample {generated}", SAMPLED / generated),
            "evaluate": (f"evaluate {evaluated}", EVALUATED / evaluated)}


def warm_up(c, seconds):
    """Compile what is compiled, and find how many steps take `seconds`."""
    for task, (request, _) in requests(c).items():
        if task == "train" or c.device == "cuda" or not c.name.startswith("dualdiff"):
            c.ask(request)
    trial = c.ask("train 20")
    c.steps = min(max(int(seconds / trial / c.replicas / 10 + .5) * 10, 10), 1000)


def shared_out(contestants):
    """{contestant: tasks}: a peer that is there with several numbers of threads takes part in a task with the one that
    suits it best."""
    trials = {c: {task: c.ask(request) for task, (request, _) in requests(c).items()}
              for c in contestants if len(alike(c, contestants)) > 1}
    return {c: [task for task in requests(c)
                if c not in trials or trials[c][task] == min(trials[other][task] for other in alike(c, contestants))]
            for c in contestants}


def alike(c, contestants):
    if c.name.startswith("dualdiff"):
        return [c]
    return [other for other in contestants if (other.name, other.replicas) == (c.name, c.replicas)]


def assemble(field, config, seconds):
    """Who takes part in what, {contestant: tasks}. torch.compile uses the number of threads that is best for eager
    mode in training, because compiling takes long."""
    contestants = field.of_config(config)
    for c in contestants:
        warm_up(c, seconds)
    tasks = shared_out(contestants)
    if field.compiles:
        threads = next(c.threads for c in contestants if c.name == "PyTorch eager" and "train" in tasks[c])
        compiled = field.pytorch(config, "compiled", threads).ready()
        warm_up(compiled, seconds)
        tasks[compiled] = list(requests(compiled))
    return tasks


def contest(field, name, config, rounds, seconds):
    """Training, sampling and evaluation of one configuration. (rows, {threads: [peak]}, {threads: [bandwidth]})"""
    tasks = assemble(field, config, seconds)
    contestants = list(tasks)
    ceilings = {c.threads: c for c in contestants[:len(THREADS)] if c.device == "cpu"}
    peak, bandwidth = {n: [] for n in ceilings}, {n: [] for n in ceilings}
    for turn in range(rounds):
        for task in ("train", "sample", "evaluate"):
            if task != "train" and turn % 2:  # the longer tasks in every other round
                continue
            for c in contestants:
                if task not in tasks[c]:
                    continue
                if c.name == "dualdiff" and c.threads in ceilings:
                    peak[c.threads].append(ceilings[c.threads].ask("peak"))
                c.measure(task, *requests(c)[task])
        for n, c in ceilings.items():
            bandwidth[n].append(c.ask("bandwidth"))
    timesteps = read_configuration(config)["diffusion"]["timesteps"]
    point = contestants[0].ask("forward")
    gflop = {"train": contestants[0].ask("flops"), "sample": point * SAMPLED * timesteps, "evaluate": point * EVALUATED}
    middle = {n: statistics.median(values) for n, values in peak.items()}
    rows = [row(name, c, task, c.measured[task], gflop[task], middle.get(c.threads))
            for task in gflop for c in contestants if task in c.measured]
    for c in contestants:
        c.close()
    return rows, peak, bandwidth


def contest_knn(field, rounds):
    """The KL estimate of 100,000 points against 10,000; (rows, the greatest difference of the values in bits)."""
    config = os.path.join(SOURCE, "configs", "run_0.toml")
    contestants = [field.ours(config, n) for n in THREADS]
    if field.python["scikit-learn"]:
        contestants.append(Contestant("scikit-learn", 1, [field.python["scikit-learn"], os.path.join(HERE, "peer_sklearn.py"),
                                                          os.path.join(field.build, "tests", "dump_dataset")]))
    contestants = [c.ready() for c in contestants]
    bits = [c.ask("kl") for c in contestants]
    far = max(bits) - min(bits)
    if not far <= 1e-9:
        sys.exit(f"the KL estimates differ: {bits}")
    for _ in range(rounds):
        for c in contestants:
            c.measure("knn", "knn")
            if c.name == "dualdiff":  # short: three to a round
                c.measure("knn", "knn")
                c.measure("knn", "knn")
    rows = [row("", c, "knn", c.measured["knn"]) for c in contestants]
    for c in contestants:
        c.close()
    return rows, far


def contest_storing(field, name, config, rounds, scratch):
    """What logs and checkpoints add to training, on all threads, and the result file, compared with h5py's. (rows of the file,
    {plain, stored: seconds a step, by round, of training and of writing, steps: of each})"""
    training = read_configuration(config)["training"]
    steps = min(training["checkpoint_every"], training["steps"])  # so that each turn has its checkpoint
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        ours = field.ours(config, CORES, cwd=folder).ready()
        ours.ask(f"train {steps}")
        ours.ask(f"stored {steps}")
        for turn in range(rounds):
            for key, request in (("plain", "train"), ("stored", "stored"))[::1 if turn % 2 else -1]:
                ours.measure(key, f"{request} {steps}")
        ours.measure("result", "result")
        contestants = [ours]
        if field.python["h5py"]:
            contestants.append(Contestant("h5py", 1, [field.python["h5py"], os.path.join(HERE, "peer_h5py.py"), "run.h5"],
                                          cwd=folder).ready())
            contestants[1].ask("result")
            if contestants[1].ask("differences"):
                sys.exit("h5py's file is not ours")
        for _ in range(rounds):
            for c in contestants:
                c.measure("result", "result")
        rows = [row(name, c, "result", c.measured["result"]) for c in contestants]
        for c in contestants:
            c.close()
    return rows, {"config": name, "steps": steps, "plain": ours.measured["plain"], "stored": ours.measured["stored"]}


def whole_run(field, config, scratch):
    """`dualdiff train CONFIG --dataset dino`, from start to end of the process: seconds of it all, and the metrics that it
    stored."""
    program = os.path.join(field.build, "dualdiff")
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        began = time.perf_counter()
        subprocess.run([program, "train", config, "--dataset", "dino", "--backend", field.device, "--out", folder], check=True,
                       capture_output=True)
        seconds = time.perf_counter() - began
        stem = os.path.splitext(os.path.basename(config))[0]
        with open(os.path.join(folder, stem, "final_info.json")) as file:
            return {"config": stem, "seconds": seconds, **json.load(file)["dino"]["means"]}
