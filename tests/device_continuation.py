"""A stopped training resumes: with the same bits on the CUDA backend; within rounding from the CPU to CUDA and back."""
import os
import sys

import h5py
import numpy as np
import pytest

sys.path.insert(0, os.path.join(os.environ["DUALDIFF_SOURCE"], "tests"))
import small_job  # noqa: E402

SETTINGS = {"training.steps": 400, "training.checkpoint_every": 40, "model.activation": "silu"}


WIDE = {"data.dimensions": 10, "model.embedding": "fourier", "training.diversity_weight": 0.1}


def log(out, dataset="dino"):
    return out / f"run_3/{dataset}/seed_0.h5"


def command(out, backend, dataset="dino", settings=None):
    os.environ["DUALDIFF_BACKEND"] = backend
    return small_job.command(out, "--dataset", dataset, settings={**SETTINGS, **(settings or {})})


def stop_after(words, out, step, dataset="dino"):
    """Interrupt as soon as there is a checkpoint of at least that step. Returns the checkpoint's step, which is below the last one."""
    checkpoint = out / f"run_3/{dataset}/seed_0.checkpoint"

    def reached():
        try:
            with h5py.File(checkpoint) as file:
                return int(file.attrs["step"]) >= step
        except OSError:
            return False

    code, errors = small_job.interrupt(words, reached, small_job.SIGNALS["SIGINT"])
    assert code == 130, errors
    with h5py.File(checkpoint) as file:
        return int(file.attrs["step"])


@pytest.mark.parametrize("name, folder, settings", [("dino", "dino", {}), ("gaussians", "gaussians_d10", WIDE)],
                         ids=["two dimensions", "ten"])
def test_cuda_goes_on_bit_equal(tmp_path, name, folder, settings):
    cut, whole = (command(tmp_path / out, "cuda", name, settings) for out in ("cut", "whole"))
    step = stop_after(cut, tmp_path / "cut", 80, folder)
    assert 80 <= step < 400
    assert f"resuming from step {step}" in small_job.run(cut)
    small_job.run(whole)
    small_job.assert_equal_results(log(tmp_path / "cut", folder), log(tmp_path / "whole", folder))


@pytest.mark.parametrize("first, second", [("cpu", "cuda"), ("cuda", "cpu")])
def test_across_backends(tmp_path, first, second):
    """First, second, first again, against the first alone."""
    mixed, whole = tmp_path / "mixed", tmp_path / "whole"
    one = stop_after(command(mixed, first), mixed, 80)
    two = stop_after(command(mixed, second), mixed, one + 80)
    assert f"resuming from step {two}" in small_job.run(command(mixed, first))
    small_job.run(command(whole, first))
    a, b = small_job.contents(log(mixed)), small_job.contents(log(whole))
    assert a.keys() == b.keys()
    compared = 0
    for name, value in a.items():
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or value.ndim == 0 or not np.any(np.isfinite(value)):
            continue
        if name.startswith(("train/", "parameters/", "model/", "online/", "ema/", "gate/train")):
            compared += 1
            far = np.linalg.norm(np.nan_to_num(value - b[name])) / np.linalg.norm(np.nan_to_num(b[name]))
            assert far < 1e-3, f"{name}: {far:.1e}"
    assert compared > 20
