"""Finished results as a test writes them: the layout of docs/file-format.md, with contents of its choice."""
import json
import os
import sys
from pathlib import Path

import h5py
import numpy as np

SOURCE = Path(os.environ["DUALDIFF_SOURCE"])
sys.path.append(str(SOURCE / "python"))
from configurations import read_configuration  # noqa: E402


def config_text(name, settings):
    """A configuration of configs/ with other values of some keys, {"section.key": value}."""
    sections = read_configuration(SOURCE / "configs" / f"{name}.toml")
    for key, value in settings.items():
        section, word = key.split(".")
        sections.setdefault(section, {})[word] = value
    return "".join(f"[{section}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
                   for section, keys in sections.items())


def write_result(out, run, dataset, seed, metrics=None, gate=None, x=None, loss=None, mse=None, kind="result", settings=None,
                 **attributes):
    """Write OUT/run/dataset/seed_N.h5 and return its path. `gate` None: a run without a gate."""
    x = np.zeros((10, 2)) if x is None else x
    loss = np.ones(20) if loss is None else loss
    path = Path(out) / run / dataset / f"seed_{seed}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.attrs.update(
            dict(schema_version=1, kind=kind, program_version="0.1.0", git_commit="none", backend="cpu", device="test",
                 threads=1, config_name=run, dataset=dataset, points=1000, data_checksum="0" * 16, seed=seed,
                 replicas=1) | attributes)
        file["config"] = config_text("run_0" if gate is None else "run_1", settings or {})
        file["train/step"] = np.arange(len(loss), dtype=np.int32)
        file["train/loss"] = np.asarray(loss, dtype=np.float32)
        file["train/mse"] = np.asarray(loss if mse is None else mse, dtype=np.float32)
        file["samples/x"] = np.asarray(x, dtype=np.float32)
        if gate is not None:
            file["samples/gate"] = np.asarray(gate, dtype=np.float32)
        for name, value in (metrics or {}).items():
            file[f"metrics/{name}"] = float(value)
    return path
