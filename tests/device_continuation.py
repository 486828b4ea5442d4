"""A stopped training resumes: with the same bits on the CUDA backend; within rounding from the CPU to CUDA and back."""
import os
import sys

import h5py
import numpy as np
import pytest

sys.path.insert(0, os.path.join(os.environ["DUALDIFF_SOURCE"], "tests"))
import small_job  # noqa: E402

SETTINGS = {"training.steps": 400, "training.checkpoint_every": 40, "model.activation": "silu"}


def log(out):
    return out / "run_3/dino/seed_0.h5"


def command(out, backend):
    os.environ["DUALDIFF_BACKEND"] = backend
    return small_job.command(out, "--dataset", "dino", settings=SETTINGS)


def stop_after(words, out, step):
    """Interrupt as soon as there is a checkpoint of at least that step. Returns the checkpoint's step, which is below the last one."""
    checkpoint = out / "run_3/dino/seed_0.checkpoint"

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


def test_cuda_goes_on_bit_equal(tmp_path):
    step = stop_after(command(tmp_path / "cut", "cuda"), tmp_path / "cut", 80)
    assert 80 <= step < 400
    assert f"resuming from step {step}" in small_job.run(command(tmp_path / "cut", "cuda"))
    small_job.run(command(tmp_path / "whole", "cuda"))
    small_job.assert_equal_results(log(tmp_path / "cut"), log(tmp_path / "whole"))


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
