"""A training job that is small enough to finish in a second or two; it runs the program."""
import os
import re
import signal
import subprocess
import time

import h5py
import numpy as np

BUILD = os.environ["DUALDIFF_BUILD"]
SOURCE = os.environ["DUALDIFF_SOURCE"]
PROGRAM = os.path.join(BUILD, "dualdiff")
CONFIG = os.path.join(SOURCE, "configs", "run_3.toml")

SMALL = {
    "model.hidden_width": 24, "model.hidden_depth": 1, "model.embedding_width": 12, "model.expert_head": "[8]",
    "model.gate_layers": "[16,8]", "diffusion.timesteps": 12, "training.batch": 32, "training.steps": 1200,
    "training.checkpoint_every": 90, "evaluation.samples": 100, "evaluation.heldout": 96, "data.points": 500,
}


def sanitized():
    """Whether the program was built with the sanitizers: slower, with another allocator, and other contracted operations."""
    with open(os.path.join(BUILD, "CMakeCache.txt")) as cache:
        return re.search("DD_SANITIZE:BOOL=(ON|1|TRUE)", cache.read()) is not None


# Enough steps to stop a training in the middle. A step takes three times as long under the sanitizers.
LONG = 800 if sanitized() else 2500


def command(out, *more, settings=None, config=CONFIG):
    """The train command; `settings` changes SMALL. One thread, because the machine runs other tests at the same time."""
    chosen = {**SMALL, **(settings or {})}
    threads = [] if "--threads" in more else ["--threads", "1"]
    sets = [word for key, value in chosen.items() for word in ("--set", f"{key}={value}")]
    return [PROGRAM, "train", config, *sets, *threads, "--backend", os.environ.get("DUALDIFF_BACKEND", "cpu"), "--out", str(out),
            *more]


def run(words, expect=0, timeout=120, **options):
    """Run to the end; returns what it printed on standard error."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, **options)
    assert done.returncode == expect, f"{words}: exit code {done.returncode} instead of {expect}\n{done.stderr}"
    return done.stderr


def appears(path):
    """A condition: there is a new file `path`, not the one that is there now. A log is new when training begins or resumes."""
    def number():
        return os.stat(path).st_ino if os.path.exists(path) else None

    before = number()
    return lambda: number() not in (None, before)


# A shell that started the tests in its background had SIGINT ignored, and the program would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def interrupt(words, after, number):
    """Start, send a signal and wait. `after` is a time in seconds, or a condition to wait for.
    Returns (exit code, standard error)."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if isinstance(after, (int, float)):
        try:
            process.wait(timeout=after)
        except subprocess.TimeoutExpired:
            pass
    else:
        while process.poll() is None and not after():
            time.sleep(.005)
    if process.poll() is None:
        process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


def contents(path):
    """Every dataset of a result except measured times."""
    found = {}
    with h5py.File(path) as file:
        assert file.attrs["kind"] == "result", path

        def visit(name, item):
            if isinstance(item, h5py.Dataset) and not name.endswith("_time"):
                found[name] = item[()]

        file.visititems(visit)
    return found


def assert_equal_results(one, other):
    a, b = contents(one), contents(other)
    assert a.keys() == b.keys()
    for name, value in a.items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            assert value.tobytes() == b[name].tobytes(), f"{name} of {one} and {other}"
        else:
            assert np.array_equal(value, b[name]), f"{name} of {one} and {other}"


SIGNALS = {"SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM, "SIGKILL": signal.SIGKILL}
