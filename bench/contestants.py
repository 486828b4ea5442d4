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
sys.path.append(os.path.join(SOURCE, "python"))
from configurations import read_configuration  # noqa: E402, F401 (for the other scripts here)

CORES = len(os.sched_getaffinity(0))
THREADS = sorted({1, min(2, CORES), CORES})  # of dualdiff and, but for 2 on larger machines, of the peers
REPLICAS = {"cpu": [2, 8], "cuda": [8]}
PEERS = {"PyTorch": "torch", "JAX": "jax", "scikit-learn": "sklearn", "h5py": "h5py"}  # and their modules


class Unavailable(Exception):
    pass


class Contestant:
    def __init__(self, name, threads, command, replicas=1, device="cpu", **options):
        self.name, self.threads, self.replicas, self.device = name, threads, replicas, device
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
        return label(self.name, self.threads, self.replicas, self.device)


def label(name, threads, replicas, device):
    used = "" if device == "cuda" else f", {threads} thread{'s' * (threads > 1)}"
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

    def __init__(self, build, python, leave_out, device="cpu"):
        self.build, self.leave_out, self.left_out, self.device = build, leave_out, {}, device
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
                self.left_out[peer] = f"not installed{', or not for the device' * (device == 'cuda')} ({cure})"
        self.compiles = self.python["PyTorch"] and self.wanted("torch.compile")
        self.threads = THREADS if device == "cpu" else [1]
        self.replicas = REPLICAS[device]
        try:
            ours = self.ours(os.path.join(SOURCE, "configs/run_0.toml"), 1).ready()
        except Unavailable as reason:
            sys.exit(str(reason).removeprefix("bench_server: "))
        self.name = ours.version  # of processor or device
        ours.close()

    def has(self, path, module):
        """The module; on a device one that can use it."""
        found = f"import importlib.util, sys; sys.exit(importlib.util.find_spec('{module}') is None)"
        if self.device == "cuda":
            found = {"torch": "import sys, torch; sys.exit(not torch.cuda.is_available())",
                     "jax": "import jax; jax.devices('cuda')"}.get(module, found)
        return os.path.exists(path) and not subprocess.run([path, "-c", found], capture_output=True).returncode

    def wanted(self, what):
        """False, and noted, if the user wants to leave it out."""
        if what.lower() in self.leave_out:
            self.left_out[what] = "as asked"
        return what.lower() not in self.leave_out

    def ours(self, config, threads, replicas=1, overrides=(), **options):
        return Contestant("dualdiff", threads, [self.server, config, self.device, str(threads), str(replicas), *overrides],
                          replicas, self.device, **options)

    def of_config(self, config):
        """All that train this configuration, except torch.compile: ours first, with one replica and rising threads."""
        alone = sorted({self.threads[0], self.threads[-1]})  # a peer's numbers of threads
        together = [(min(self.threads[-1], r) if r == 2 else self.threads[-1], r) for r in self.replicas]
        found = [self.ours(config, n) for n in self.threads] + [self.ours(config, n, r) for n, r in together]
        if self.python["PyTorch"]:
            found += [self.pytorch(config, "eager", n) for n in alone]
        if self.python["JAX"]:
            peer = [self.python["JAX"], os.path.join(HERE, "peer_jax.py"), config]
            found += [Contestant("JAX", n, [*peer, str(n), str(r), self.device], r, self.device)
                      for n, r in [*((n, 1) for n in alone), *together]]
        return [c.ready() for c in found]

    def pytorch(self, config, mode, threads):
        command = [self.python["PyTorch"], os.path.join(HERE, "peer_torch.py"), config, str(threads), mode, self.device]
        return Contestant(f"PyTorch {mode}", threads, command, device=self.device)
