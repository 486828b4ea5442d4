"""Programs that answer requests with numbers, and which of them take part.

Every one, ours (bench_server) and the peers, reads requests line by line and answers each with one number.
"""
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(HERE)
CORES = len(os.sched_getaffinity(0))
THREADS = sorted({1, min(2, CORES), CORES})  # of dualdiff and, but for 2 on larger machines, of the peers
REPLICAS = [2, 8]
PEERS = {"PyTorch": "torch", "JAX": "jax", "scikit-learn": "sklearn", "h5py": "h5py"}  # and their modules


class Unavailable(Exception):
    pass


class Contestant:
    def __init__(self, name, threads, command, replicas=1, **options):
        self.name, self.threads, self.replicas = name, threads, replicas
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "2"}
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        text=True, env=environment, **options)
        self.measured, self.steps = {}, 10  # steps of a training request; measure.py sets it
        self.version = ""

    def ready(self):
        """Wait until it takes requests."""
        self.version = self.process.stdout.readline().strip()
        if not self.version:
            raise Unavailable(self.last_words())
        return self

    def last_words(self):
        self.process.wait()
        self.errors.seek(0)
        return (self.errors.read().strip().splitlines() or ["no message"])[-1]

    def ask(self, request):
        try:
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"{self} ended at '{request}': {self.last_words()}")
        return float(answer)

    def measure(self, key, request, factor=1.):
        self.measured.setdefault(key, []).append(factor * self.ask(request))

    def median(self, key):
        return statistics.median(self.measured[key])

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def __str__(self):
        return label(self.name, self.threads, self.replicas)


def label(name, threads, replicas):
    used = "" if name.endswith("cuda") else f", {threads} thread{'s' * (threads > 1)}"
    return name + used + (f", {replicas} replicas" if replicas > 1 else "")


def spread(values):
    """Half the distance between the quartiles, relative to the median."""
    if len(values) < 2:
        return 0.
    low, middle, high = statistics.quantiles(values, n=4)
    return (high - low) / 2 / middle


def our_python():
    """The interpreter with h5py and matplotlib: setup.sh's, or the one that runs this."""
    path = os.path.join(SOURCE, ".venv/bin/python3")
    return path if os.path.exists(path) else sys.executable


class Field:
    """What takes part, and what was left out and why."""

    def __init__(self, build, python, leave_out):
        self.build, self.leave_out, self.left_out = build, leave_out, {}
        self.server = os.path.join(build, "bench", "bench_server")
        if not os.path.exists(self.server):
            sys.exit(f"{self.server} is missing; build first: cmake -S . -B build && cmake --build build --parallel")
        asked = python or os.path.join(SOURCE, ".bench-venv/bin/python3")
        self.python = {}
        for peer, module in PEERS.items():
            candidates = [our_python()] if peer == "h5py" else [asked]
            self.python[peer] = next((path for path in candidates if self.has(path, module)), None)
            if not self.wanted(peer):
                self.python[peer] = None
            elif not self.python[peer]:
                cure = "./setup.sh test installs it" if peer == "h5py" else "bench/setup.sh installs it"
                self.left_out[peer] = f"not installed ({cure})"
        self.compiles = self.python["PyTorch"] and self.wanted("torch.compile")
        try:
            self.ours(os.path.join(SOURCE, "configs/run_0.toml"), 1, backend="cuda").ready().close()
            self.cuda = True
        except Unavailable as reason:
            self.cuda, self.left_out["dualdiff on CUDA"] = False, str(reason).removeprefix("bench_server: ")

    @staticmethod
    def has(path, module):
        found = f"import importlib.util, sys; sys.exit(importlib.util.find_spec('{module}') is None)"
        return os.path.exists(path) and not subprocess.run([path, "-c", found]).returncode

    def wanted(self, what):
        """False, and noted, if the user wants to do without."""
        if what.lower() in self.leave_out:
            self.left_out[what] = "as asked"
        return what.lower() not in self.leave_out

    def ours(self, config, threads, replicas=1, backend="cpu", overrides=(), **options):
        name = "dualdiff" if backend == "cpu" else f"dualdiff {backend}"
        return Contestant(name, threads, [self.server, config, backend, str(threads), str(replicas), *overrides], replicas,
                          **options)

    def of_config(self, config):
        """Everybody who trains this configuration, but for torch.compile: ours first, with one replica and rising threads."""
        found = [self.ours(config, n) for n in THREADS]
        found += [self.ours(config, min(CORES, r) if r == 2 else CORES, r) for r in REPLICAS]
        if self.cuda:
            found += [self.ours(config, 1, r, "cuda") for r in (1, *REPLICAS)]
        if self.python["PyTorch"]:
            found += [self.pytorch(config, "eager", n) for n in sorted({1, CORES})]
        if self.python["JAX"]:
            peer = [self.python["JAX"], os.path.join(HERE, "peer_jax.py"), config]
            found += [Contestant("JAX", n, [*peer, str(n), "1"]) for n in sorted({1, CORES})]
            found += [Contestant("JAX", n, [*peer, str(n), str(r)], r)
                      for r, n in ((r, min(CORES, r) if r == 2 else CORES) for r in REPLICAS)]
        return [c.ready() for c in found]

    def pytorch(self, config, mode, threads):
        command = [self.python["PyTorch"], os.path.join(HERE, "peer_torch.py"), config, str(threads), mode]
        return Contestant(f"PyTorch {mode}", threads, command)
