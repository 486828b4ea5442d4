"""The finished runs that a `dualdiff` command passes to its helper programs."""
import functools
import os
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from configurations import read_configuration

MISSING_PACKAGE = 3  # exit status that tells the program: a package must be installed
DENSEST = 1032  # deflate, the strongest filter, packs at most so many bytes into one
# Keys of the first program. All that came later may be missing in a stored run, which then did what run_1.toml says, or BEFORE.
FIRST_KEYS = {f"{section}.{key}" for section, keys in {
    "model": "experts embedding_width input_scale time_scale hidden_width hidden_depth expert_head gate_layers activation",
    "diffusion": "timesteps schedule beta_start beta_end",
    "training": "steps batch learning_rate beta1 beta2 epsilon weight_decay clip_norm diversity_weight ema_decay ema_power ema_start ema_every checkpoint_every gate_every",
    "evaluation": "samples k heldout",
    "data": "points seed",
}.items() for key in keys.split()}
BEFORE = {"data.scale": "none", "data.heldout_share": 0.0}  # the column `before` of host/config/config.c
HERE = Path(__file__).resolve().parent
CONFIGS = next((folder for folder in (HERE / "configs", HERE.parent / "configs") if folder.is_dir()), HERE)  # installed, or in the source


def flat(sections):
    """{"section.key": value}"""
    return {f"{section}.{key}": value for section, keys in sections.items() for key, value in keys.items()}


@functools.cache
def before_key():
    """What runs did before there was a key: {"section.key": value}."""
    later = {key: value for key, value in flat(read_configuration(CONFIGS / "run_1.toml")).items() if key not in FIRST_KEYS}
    return later | BEFORE


def fail(message, status=1):
    """End with a message and an exit status."""
    print(f"{os.path.basename(sys.argv[0])}: {message}", file=sys.stderr)
    sys.exit(status)


os.environ.setdefault("HDF5_USE_FILE_LOCKING", "BEST_EFFORT")  # read also on a file system without locks
try:
    import h5py
    import numpy as np
except ImportError as missing:
    fail(missing, MISSING_PACKAGE)


INFORMATION = tuple(f"{source}_{what}" for source in ("data", "sampling") for what in ("region", "timestep"))
# Values of an analysis in tables (docs/analysis.md): column, array, and how the array becomes one number.
ANALYSIS = {
    **{column: (f"information/{column}", np.mean) for column in INFORMATION},
    "entropy": ("training/entropy", lambda course: course[-1]),
    "entropy_of_mean": ("training/entropy_of_mean", lambda course: course[-1]),
    "loss_gated": ("by_timestep/loss_gated", np.mean),
    "loss_equal": ("by_timestep/loss_equal", np.mean),
    "loss_alone": ("by_timestep/loss_alone", lambda loss: loss.mean(axis=0).min()),
    "disagreement": ("by_timestep/disagreement", np.mean),
}


# What a region of an analysis is called, for one and for several, by the attribute `regions` of the file.
REGIONS = {"modes": ("mode", "modes"), "subspaces": ("subspace", "subspaces"), "corners": ("corner", "corners"), "cells": ("grid cell", "grid cells")}


def open_result(path):
    """Open a file for reading, also on a file system without locks (ENOLCK, EOPNOTSUPP)."""
    try:
        return h5py.File(path, "r")
    except BlockingIOError:
        raise
    except OSError as problem:
        if "unable to lock file" not in str(problem):
            raise
        return h5py.File(path, "r", locking=False)


def claims_too_much(item):
    """Whether a dataset of an open file claims to have more values than its bytes can contain."""
    return item.nbytes > DENSEST * os.path.getsize(item.file.filename)


def words_of(problem):
    """An exception in a user's words."""
    if isinstance(problem, BlockingIOError):
        return "another program has it open for writing; close it there, then run the same command again"
    if isinstance(problem, OSError) and problem.strerror and problem.filename is not None:
        return f"{os.fsdecode(problem.filename)}: {problem.strerror}"
    return str(problem).strip("'\"") or type(problem).__name__


@dataclass(eq=False)
class Result:
    """One seed of one run on one dataset."""

    run: str
    dataset: str
    seed: int
    path: str

    def read(self, name):
        """A whole dataset of the file as an array; None if it does not exist."""
        with open_result(self.path) as file:
            if name not in file:
                return None
            if claims_too_much(file[name]):
                raise OSError(f"{self.path}: damaged: {name} claims {file[name].nbytes} bytes, more than the file can hold")
            return np.asarray(file[name])

    @functools.cached_property
    def metrics(self):
        """{name: value}"""
        with open_result(self.path) as file:
            return {name: float(item[()]) for name, item in file["/metrics"].items()} if "/metrics" in file else {}

    def has(self, name):
        with open_result(self.path) as file:
            return name in file

    @functools.cached_property
    def untrained(self):
        """What the points of a result without a network are: "exact denoiser", "fresh true points", or "resampled" (by a run's network with
        other settings); "" for a result with a network."""
        if self.has("/train"):
            return ""
        said = self.long_names("/samples")["x"]
        return "exact denoiser" if "denoiser" in said else "resampled" if "averaged parameters" in said else "fresh true points"

    @functools.cached_property
    def config_text(self):
        return self.read("/config")[()].decode()

    @functools.cached_property
    def config(self):
        """{"section.key": value}"""
        return settings_of(self.config_text)

    @property
    def experts(self):
        return self.config["model.experts"]

    @functools.cached_property
    def dimensions(self):
        """Coordinates of a point."""
        with open_result(self.path) as file:
            return file["/samples/x"].shape[1]

    @property
    def no_gate(self):
        """Why there are no weights: "no gate" or "fixed gate"; "" if a gate is learned."""
        return "no gate" if self.experts == 1 else "fixed gate" if self.config["model.gate"] == "fixed" else ""

    def sample_weights(self):
        """Weights of the experts (n, experts) at timestep 0 on the samples, None without a learned gate."""
        gate = self.read("/samples/gate")
        return np.stack([gate, 1 - gate], axis=1) if gate is not None and gate.ndim == 1 else gate

    @functools.cached_property
    def scaling(self):
        """(shift, scale) of the columns: networks see (value - shift) / scale. None where nothing was scaled."""
        shift, scale = self.read("/data/shift"), self.read("/data/scale")
        return None if shift is None or scale is None or not (shift.any() or (scale != 1).any()) else (shift, scale)

    def in_units(self, points):
        """Points of the analysis, which are as networks see them, in the units of the data."""
        return points if self.scaling is None else self.scaling[0] + self.scaling[1] * points

    @property
    def aspect(self):
        """How high a unit of the second column is drawn for a wide one of the first, so that what networks see is not stretched."""
        return 1.0 if self.scaling is None else float(self.scaling[1][0] / self.scaling[1][1])

    def attributes(self, name="/"):
        """The attributes of a group; {} if it does not exist."""
        with open_result(self.path) as file:
            return dict(file[name].attrs) if name in file else {}

    def long_names(self, group):
        """{dataset of the group: its long_name}"""
        with open_result(self.path) as file:
            return {name: str(item.attrs.get("long_name", "")) for name, item in file[group].items()} if group in file else {}

    def analysis(self, name):
        """An array of `dualdiff analyze`; None if the run was not analysed."""
        return self.read(f"/analysis/{name}")

    def analysis_number(self, column):
        """One number of ANALYSIS; None if there is none."""
        name, reduce = ANALYSIS[column]
        values = self.analysis(name)
        return None if values is None else float(reduce(values.astype(float)))


def settings_of(config_text):
    """{"section.key": value} of a stored configuration, with what older programs did where they had no such key."""
    found = flat(tomllib.loads(config_text))  # its order is kept: descriptions of runs follow it
    return found | {key: value for key, value in before_key().items() if key not in found}


def read_list(stream):
    """Results from a binary stream: run, dataset, seed and path of each, each followed by a NUL."""
    fields = stream.read().split(b"\0")[:-1]
    return [
        Result(run.decode("utf-8", "replace"), dataset.decode("utf-8", "replace"), int(seed), os.fsdecode(path))
        for run, dataset, seed, path in zip(*[iter(fields)] * 4, strict=True)
    ]


def in_order(values):
    """Each value once, in order of first appearance."""
    return list(dict.fromkeys(values))


def lowest_seeds(results):
    """{(run, dataset): its result with the lowest seed}."""
    lowest = {}
    for result in results:
        key = result.run, result.dataset
        if key not in lowest or result.seed < lowest[key].seed:
            lowest[key] = result
    return lowest
