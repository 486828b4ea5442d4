"""Check and measure the CUDA backend on a machine with a GPU, in at most eight minutes.

    python3 bench/device.py [--build build-gpu] [--out bench/results] [--seconds 480] [--stages build tests ...] [--fill FILE]

`./setup.sh gpu` installs what it needs and calls it. It builds for the device alone, runs the tests on it, and measures; the
stages are listed below. Figures are written after every stage, to OUT/<device>.json and OUT/<device>.md, so a run that is
cut short leaves what it had. A stage whose tool is missing, that fails, or that takes too long is told, and the next one
runs. With --fill bench/SPEED.md the last column of the table of estimates there gets what was measured.

    python3 bench/device.py --rehearse build --out DIR

does the same on a machine without a GPU, with small sizes, on the substitute runtime of a finished build
(tests/substitute); its times mean nothing.
"""
import argparse
import csv
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from contestants import HERE, SOURCE
from report import digits, stem_of, table

CONFIGS, REPLICAS = ["run_1", "run_3"], [1, 20, 100]
# How products are computed; the first is compared with the estimates.
KINDS = {"own, 3xTF32": ["training.precision=tf32x3"], "own, float32": [], "cuBLAS, float32": ["training.products=cublas"],
         "cuBLAS, TF32": ["training.precision=tf32"]}
TINY = ["training.batch=8", "model.hidden_width=16", "model.embedding_width=8", "diffusion.timesteps=10"]

# From a review of the code, before anything of it was measured (SPEED.md, "What the fused step should take"). What, how it is
# called below, its unit, estimates without and with programmatic launches and 3xTF32.
ESTIMATES = [("run_1, R = 1, a step", ("run_1", 1, "train"), "us", "45 to 57", "35 to 43"),
             ("run_3, R = 1, a step", ("run_3", 1, "train"), "us", "55 to 68", "43 to 53"),
             ("run_1, R = 20, a step", ("run_1", 20, "train"), "us", "470 to 520", "380 to 420"),
             ("run_1, R = 100, a step", ("run_1", 100, "train"), "us", "2300 to 2500", "1900 to 2100"),
             ("run_1, 10,000 samples", ("run_1", 1, "sample"), "ms", "25 to 28", "16 to 19")]


class LeftOut(Exception):
    """The stage cannot run here; not a failure."""


class Machine:
    """The device, the build, and the time that is left."""

    def __init__(self, args):
        self.rehearsal = bool(args.rehearse)
        self.build = os.path.abspath(args.rehearse or args.build)
        self.ends = time.monotonic() + args.seconds
        folder = "tests/substituted" if self.rehearsal else "cuda"
        self.library = os.path.join(self.build, folder, "libdualdiff_cuda.so")
        self.bench = os.path.join(self.build, "tests/substituted" if self.rehearsal else "bench", "device_bench")
        self.environment = {**os.environ, "DUALDIFF_CUDA_LIBRARY": self.library}
        self.measured = {}  # by (configuration, replicas, task): s
        self.configs = CONFIGS[:1] if self.rehearsal else CONFIGS
        self.replicas = [1, 2] if self.rehearsal else REPLICAS
        self.settings = TINY if self.rehearsal else []
        self.name, self.capability = ("substitute runtime", "90") if self.rehearsal else device()

    def path(self, *parts):
        return os.path.join(self.build, *parts)

    def run(self, words, limit, **options):
        """What the command prints. It and what it started end with the limit, or with the time of the whole script."""
        limit = min(limit, self.ends - time.monotonic())
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
                                   **{"env": self.environment, "cwd": SOURCE, **options})
        try:
            said, _ = process.communicate(timeout=max(limit, 1))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
            raise RuntimeError(f"stopped after {limit:.0f} s; its last line: {last_line(said)}") from None
        if process.returncode:
            raise RuntimeError(f"exit status {process.returncode}: {last_line(said)}")
        return said


def last_line(text):
    return (text.strip().splitlines() or ["it said nothing"])[-1][:200]


def device():
    """Name and compute capability ("90") of the first device."""
    try:
        said = subprocess.run(["nvidia-smi", "--query-gpu=name,compute_cap", "--format=csv,noheader"], capture_output=True,
                              text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"device.py: no NVIDIA driver answers here ({error}); --rehearse BUILD runs without a device")
    name, capability = said.splitlines()[0].rsplit(",", 1)
    return name.strip(), capability.strip().replace(".", "")


def tool(name):
    path = shutil.which(name) or shutil.which(name, path="/usr/local/cuda/bin")
    if not path:
        raise LeftOut(f"{name} is not installed")
    return path


# ---- stages: each returns {title: (header, rows)} ----

def build(m):
    if m.rehearsal:
        raise LeftOut("the rehearsal takes a finished build")
    m.run(["cmake", "-S", ".", "-B", m.build, "-DCMAKE_BUILD_TYPE=Release", "-DDD_CUDA=ON", "-DDD_GPU_TESTS=ON",
           f"-DDD_CUDA_ARCHITECTURES={m.capability}"], 60)
    m.run(["cmake", "--build", m.build, "--parallel"], 180)
    return {}


def tests(m):
    names = ["-R", "^substitute_runtime$"] if m.rehearsal else ["-L", "gpu"]
    said = m.run(["ctest", "--test-dir", m.build, "--output-on-failure", "--parallel", "8", *names], 150)
    found = re.search(r"(\d+)% tests passed, (\d+) tests failed out of (\d+)", said)
    if not found or found[3] == "0":
        raise RuntimeError(f"no test ran: {last_line(said)}")
    return {"Tests on the device": (["tests", "failed"], [[found[3], found[2]]])}


def graphs(m):
    nodes = 20 if m.rehearsal else 1000
    ordinary, early = m.run([m.bench, "graph", str(nodes)], 30).split()
    return {f"A graph of {nodes} nodes, one after another": (
        ["launches", "us a node"], [["ordinary", ordinary], ["programmatic", early]])}


def products(m):
    """Each alone. The error is relative to the norms of the row and the column, compared with float64."""
    size, counts = (16, [1]) if m.rehearsal else (256, REPLICAS)
    rows: list[list] = []
    for replicas in counts:
        said = m.run([m.bench, "products", str(size), str(replicas)], 30)
        rows += [[replicas, *line.split(";")] for line in said.splitlines()]
    return {f"Products {size} x {size} x {size} of two members of R replicas": (["R", "form", "who", "us", "error"], rows)}


class Server:
    """A bench_server, which answers requests with numbers."""

    def __init__(self, m, config, replicas, settings):
        self.process = subprocess.Popen(
            [m.path("bench", "bench_server"), os.path.join(SOURCE, "configs", config + ".toml"), "cuda", "1", str(replicas),
             *m.settings, *settings], env=m.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)
        self.answers = {}

    def line(self):
        text = self.process.stdout.readline()
        if not text:
            raise RuntimeError(last_line(self.process.stderr.read()))
        return text

    def ask(self, request):
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        self.answers.setdefault(request.split()[0], []).append(float(self.line()))

    def close(self):
        self.process.kill()
        self.process.wait()


def race(m, config, replicas, rounds):
    """{kind: {"train": s of a step of all replicas, "sample": s of 10,000 samples of each}}, medians of rounds in turn."""
    steps = 2 if m.rehearsal else max(50, 2000 // replicas // 50 * 50)
    points = 50 if m.rehearsal else 10000 if replicas == 1 else 1000
    servers = {kind: Server(m, config, replicas, settings) for kind, settings in KINDS.items()}
    try:
        for server in servers.values():
            server.line()
        for turn in range(rounds + 1):  # the first warms up
            for server in servers.values():
                if turn == 1:
                    server.answers.clear()
                server.ask(f"train {steps}")
                server.ask(f"sample {points}")
        return {kind: {"train": replicas * statistics.median(server.answers["train"]),
                       "sample": replicas * statistics.median(server.answers["sample"]) * 10000 / points}
                for kind, server in servers.items()}
    finally:
        for server in servers.values():
            server.close()


def speed(m):
    rows = []
    for config in m.configs:
        for replicas in m.replicas:
            found = race(m, config, replicas, 1 if m.rehearsal else 3)
            m.measured.update({(config, replicas, task): seconds for task, seconds in next(iter(found.values())).items()})
            rows += [[config, replicas, kind, digits(1e6 * times["train"]), digits(1e3 * times["sample"])]
                     for kind, times in found.items()]
    header = ["", "R", "products", "us a step", "ms for 10,000 samples of each"]
    return {"Training and sampling, in turn": (header, rows), "Compared with the estimates": compared(m.measured)}


def compared(measured):
    rows = []
    for what, key, unit, fused, all_of_it in ESTIMATES:
        seconds = measured.get(key)
        rows.append([what, f"{fused} {unit}", f"{all_of_it} {unit}",
                     "" if seconds is None else f"{digits(seconds * {'us': 1e6, 'ms': 1e3}[unit])} {unit}"])
    return ["", "fused, float32: estimate", "with early launches and 3xTF32: estimate", "measured"], rows


def fill(path, rows):
    """Put the last cell of each row into the line of the file that begins like the row, as its last cell."""
    with open(path) as file:
        lines = file.read().split("\n")
    for *known, measured in rows:
        begin = "| " + " | ".join(known) + " |"
        lines = [f"{begin} {measured} |" if measured and line.startswith(begin) else line for line in lines]
    with open(path, "w") as file:
        file.write("\n".join(lines))


def profile(m):
    """Microseconds of each kernel of one step: of the second call, since the first also loads kernels."""
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "ncu.csv")
        words = [tool("ncu"), "--clock-control", "none", "--csv", "--log-file", log, "--metrics", "gpu__time_duration.sum",
                 m.path("bench", "bench_server"), "configs/run_1.toml", "cuda", "1", "1"]
        with open(os.path.join(folder, "requests"), "w+") as requests:
            requests.write("train 1\ntrain 1\n")
            requests.seek(0)
            m.run(words, 60, stdin=requests)
        with open(log) as file:
            lines = [line for line in file if line.startswith('"')]
    kernels = [(row["Kernel Name"], row["Metric Value"], row["Metric Unit"]) for row in csv.DictReader(lines)]
    begins = [i for i, kernel in enumerate(kernels) if "counter_kernel" in kernel[0]]
    factor = {"ns": 1e-3, "nsecond": 1e-3, "us": 1, "usecond": 1, "ms": 1e3, "msecond": 1e3}
    rows = [[re.sub(r"\([^()]*\)$", "", re.sub(r"\((?:int|bool)\)", "", name)), f"{float(value.replace(',', '')) * factor[unit]:.2f}"]
            for name, value, unit in kernels[begins[-1] + 1:]]
    return {"A step of run_1, R = 1, kernel by kernel, each alone (ncu)": (["kernel", "us"], rows)}


def storing(m):
    """Where the time of many networks with checkpoints goes, except for their steps."""
    datasets = ["circle", "moons"] if m.rehearsal else ["circle", "dino", "line", "moons"]
    seeds, steps, every = ("0", 4, 2) if m.rehearsal else ("0-19", 2000, 200)
    with tempfile.TemporaryDirectory(dir=m.build) as folder:
        file = os.path.join(folder, "calls")
        began = time.monotonic()
        settings = [*m.settings, f"training.steps={steps}", f"training.checkpoint_every={every}", "evaluation.samples=500",
                    "evaluation.heldout=512", *(["data.points=600"] if m.rehearsal else [])]
        m.run([m.path("dualdiff"), "train", "configs/run_1.toml", "--dataset", *datasets, "--seeds", seeds, "--backend", "cuda",
               "--out", folder, "--set", *settings], 60, env={**m.environment, "LD_PRELOAD": m.path("bench", "timed_calls.so"), "TIMED_CALLS": file})
        wall = time.monotonic() - began
        with open(file) as text:
            rows = [line.split() for line in text]
    meaning = {"wait": "waiting for steps", "copy": "copies of states, and waiting for them", "append": "rows of logs",
               "hdf5": "other writing by HDF5", "fsync": "fsync and rename"}
    title = f"{len(datasets)} datasets x seeds {seeds}, {steps} steps, {steps // every} checkpoints: {wall:.1f} s"
    return {title: (["calls", "s", "number"], [[meaning[kind], f"{float(s):.2f}", n] for kind, s, n in rows])}


def sanitizer(m):
    """compute-sanitizer on a tiny network. What a tool did not finish is told in its row."""
    path, rows = tool("compute-sanitizer"), []
    with tempfile.NamedTemporaryFile("w+") as requests:
        requests.write("train 2\nsample 16\nevaluate 16\n")
        requests.flush()
        for name in ("memcheck", "initcheck", "racecheck"):
            words = [path, "--tool", name, "--error-exitcode", "9", m.path("bench", "bench_server"), "configs/run_1.toml", "cuda",
                     "1", "1", *TINY]
            try:
                with open(requests.name) as text:
                    rows.append([name, last_line(m.run(words, 40, stdin=text)).lstrip("= ")])
            except RuntimeError as error:
                rows.append([name, str(error)])
    return {"compute-sanitizer, a tiny network": (["tool", "outcome"], rows)}


STAGES = {"build": build, "tests": tests, "graphs": graphs, "products": products, "speed": speed, "profile": profile, "storing": storing,
          "sanitizer": sanitizer}


# ---- the files ----

def markdown(result):
    lines = [f"# CUDA backend on {result['device']}", "", f"`python3 bench/device.py`, commit {result['commit']}.", "",
             *table(["stage", "outcome", "s"], [[s["name"], s["outcome"], f"{s['seconds']:.0f}"] for s in result["stages"]])]
    for stage in result["stages"]:
        for title, part in stage["tables"].items():
            lines += [f"## {title}", "", *table(part["header"], part["rows"])]
    return "\n".join(lines)


def write(result, out):
    stem = os.path.join(out, "device-" + stem_of(result["device"]))
    for ending, text in (".json", json.dumps(result, indent=1) + "\n"), (".md", markdown(result)):
        with open(stem + ending + ".next", "w") as file:
            file.write(text)
        os.replace(stem + ending + ".next", stem + ending)
    return stem


def run_stage(m, name):
    began = time.monotonic()
    tables = {}
    try:
        if m.ends - began < 1:
            raise LeftOut("no time is left")
        tables, outcome = STAGES[name](m), "done"
    except LeftOut as reason:
        outcome = f"left out: {reason}"
    except Exception as error:  # whatever it was, the next stage runs
        outcome = f"failed: {error}"
    return {"name": name, "outcome": outcome, "seconds": time.monotonic() - began,
            "tables": {title: {"header": header, "rows": rows} for title, (header, rows) in tables.items()}}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default=os.path.join(SOURCE, "build-gpu"))
    parser.add_argument("--out", default=os.path.join(HERE, "results"))
    parser.add_argument("--seconds", type=float, default=480, help="for all stages together")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--fill", metavar="FILE", help="a document with the table of estimates, to get what was measured")
    parser.add_argument("--rehearse", metavar="BUILD", help="without a device, on the substitute runtime of this build")
    return parser.parse_args()


def main():
    args = arguments()
    m = Machine(args)
    os.makedirs(args.out, exist_ok=True)
    commit = subprocess.run(["git", "-C", SOURCE, "describe", "--always", "--dirty"], capture_output=True, text=True)
    stages = []
    result = {"device": m.name, "commit": commit.stdout.strip() or "unknown", "stages": stages}
    for name in args.stages:
        print(f"device.py: {name} ...", file=sys.stderr, flush=True)
        stage = run_stage(m, name)
        print(f"device.py: {name}: {stage['outcome']} ({stage['seconds']:.0f} s)", file=sys.stderr, flush=True)
        stages.append(stage)
        stem = write(result, args.out)
    if args.fill:
        fill(args.fill, compared(m.measured)[1])
    print(stem + ".md")
    return any(stage["outcome"].startswith("failed") for stage in stages)


if __name__ == "__main__":
    sys.exit(main())
