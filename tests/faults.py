"""Faults of the machine, one at a time: a call of the C library that fails, or a kill right before or within it (faults.c)."""
import collections
import os
import shutil
import signal
import subprocess
from pathlib import Path

import h5py
import pytest

import small_job

TINY = {"model.hidden_width": 8, "model.hidden_depth": 0, "model.embedding_width": 8, "model.expert_head": "[]", "model.gate_layers": "[8]",
        "diffusion.timesteps": 6, "training.batch": 16, "training.steps": 60, "training.checkpoint_every": 20, "evaluation.samples": 40,
        "evaluation.heldout": 16, "data.points": 200}
JOB = ["--dataset", "line", "--quiet"]
CRASHED = b"dualdiff: a crash."  # host/cli/main.c


def library(folder):
    path = folder / "faults.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", path, Path(__file__).with_name("faults.c"), "-ldl"], check=True)
    return path


def environment(preloaded, kind, at, mode, count=None):
    return os.environ | {"LD_PRELOAD": str(preloaded), "FAULT_KIND": kind, "FAULT_AT": str(at), "FAULT_MODE": mode} | (
        {"FAULT_COUNT": str(count)} if count else {})


def run(words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, timeout=120, **options)


def calls(preloaded, words, kind, folder):
    """How many calls of a kind the command makes when nothing fails."""
    done = run(words, env=environment(preloaded, kind, 0, "once", folder / "count"))
    assert done.returncode == 0, done.stderr
    return int((folder / "count").read_text())


def train(out):
    return small_job.command(out, *JOB, settings=TINY)


def result_of(out):
    return Path(out) / "run_3/line/seed_0.h5"


class Bench:
    """A finished run, one that was killed at its second checkpoint, and the commands that are tried on copies of them."""

    def __init__(self, folder):
        if b"__asan_init" in Path(small_job.PROGRAM).read_bytes():
            pytest.skip("the sanitizer replaces malloc")
        self.folder = folder
        self.preloaded = library(folder)
        self.finished = folder / "finished"
        small_job.run(train(self.finished))
        self.stopped = folder / "stopped"
        self.stop_after_a_checkpoint()
        self.work = folder / "work"

    def stop_after_a_checkpoint(self):
        """Killed halfway through its renames: there are checkpoints, and no result."""
        spare = self.folder / "spare"
        renames = calls(self.preloaded, train(spare), "rename", self.folder)
        run(train(self.stopped), env=environment(self.preloaded, "rename", renames // 2 + 1, "kill"))
        assert not self.is_finished(result_of(self.stopped))

    def is_finished(self, path):
        try:
            with h5py.File(path) as file:
                return file.attrs["kind"] == "result"
        except OSError:
            return False

    def commands(self):
        """{name: (folder it starts from, words)}"""
        run_file, out = result_of(self.work), self.work / "out"
        program = small_job.PROGRAM
        return {
            "train": (None, train(self.work)),
            "resume": (self.stopped, train(self.work)),
            "sample": (self.finished, [program, "sample", run_file, "--n", 50, "--threads", 1, "--out", f"{out}.npy"]),
            "sample h5": (self.finished, [program, "sample", run_file, "--n", 50, "--threads", 1, "--out", f"{out}.h5"]),
            "analyze": (self.finished, [program, "analyze", run_file, "--threads", 1]),
            "compare": (self.finished, [program, "compare", self.work, "--output", f"{out}.md"]),
            "evaluate": (self.finished, [program, "evaluate", run_file, "--threads", 1, "--out", out]),
        }

    def prepare(self, start):
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(start, self.work) if start else self.work.mkdir()

    def nothing_lost(self, name, start):
        """All earlier files exist and are complete; a training ends with the same bits as the undisturbed one."""
        if name in ("train", "resume"):
            small_job.run(train(self.work))
        if name != "analyze" and start:
            for path in result_of(start).parent.glob("seed_0.h5"):
                if name != "resume":
                    assert (self.work / path.relative_to(start)).read_bytes() == path.read_bytes(), path
        whole, now = small_job.contents(result_of(self.finished)), small_job.contents(result_of(self.work))
        for key, value in whole.items():
            assert key in now and value.tobytes() == now[key].tobytes() if hasattr(value, "tobytes") else value == now[key], key

    def outcome(self, name, kind, at, mode):
        """How the command ended: "held" (no error), "told" (a message and a status), "library" (a crash, with a message
        and a status), "killed" where it was, or what must not be: "silent", "crash"."""
        start, words = self.commands()[name]
        self.prepare(start)
        done = run(words, env=environment(self.preloaded, kind, at, mode))
        self.nothing_lost(name, start)
        said = b"dualdiff: " in done.stderr
        if CRASHED in done.stderr:
            return "library"
        if mode in ("kill", "torn") and done.returncode == -signal.SIGKILL:
            return "killed"
        if done.returncode < 0:
            return f"crash: signal {-done.returncode}: {done.stderr[-200:]}"
        return "held" if done.returncode == 0 else "told" if said else f"silent: status {done.returncode}: {done.stderr[-200:]}"


def try_all(bench, kinds, points, modes=("once",), names=None):
    """Faults at `points` places of each command and kind (None: at all), evenly spaced. Returns {(name, kind): Counter of outcomes}; a line
    of a table for each is printed."""
    table = {}
    for name, (start, words) in bench.commands().items():
        if names and name not in names:
            continue
        for kind in kinds:
            bench.prepare(start)
            count = calls(bench.preloaded, words, kind, bench.folder)
            step = max(1, -(-count // points)) if points else 1
            ends = collections.Counter()
            for mode in modes:
                for at in range(1, count + 1, step):
                    end = bench.outcome(name, kind, at, mode)
                    ends[end] += 1
                    if end not in ("held", "told", "library", "killed"):
                        print(f"{name}, {mode} {kind} {at}: {end}")
            table[name, kind] = ends
            print(f"{name:10} {kind:7} {count:6} calls  {dict(ends)}", flush=True)
    return table


def assert_told(table):
    for key, ends in table.items():
        assert set(ends) <= {"held", "told", "library"}, (key, ends)
