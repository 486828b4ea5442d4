"""losses.py BUILD BACKEND CONFIG ACTIVATION STEPS ARRAYS.npz: dualdiff's losses of the first steps, as JSON on standard output, and
in ARRAYS.npz what a peer needs to compute the same: initial parameters, and every step's noised points, timesteps and
noise, from the NumPy reference in tests/, which the tests hold against dualdiff.
"""
import json
import os
import subprocess
import sys
import tempfile

import h5py
import numpy as np

sys.path += [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", folder) for folder in ("tests", "python")]
import reference
from configurations import read_configuration


def main():
    build, backend, path, activation, count, arrays_path = sys.argv[1:]
    seed, steps = 1, int(count)
    with tempfile.TemporaryDirectory() as folder:
        dump = os.path.join(folder, "dump.h5")
        subprocess.run([os.path.join(build, "tests", "dump_training"), backend, path, dump, count, "1",
                        f"dino:5000:{seed}", f"model.activation={activation}", "training.precision=float32"], check=True)
        with h5py.File(dump) as file:
            losses, points = file["0/loss"][()].tolist(), file["0/points"][()]
    config = read_configuration(path)
    config["model"]["activation"] = activation
    trainer = reference.Trainer(config, points, seed)
    arrays = {f"parameter {name}": value.astype(np.float32) for name, value in trainer.parameters.items()}
    for step in range(steps):
        x, t, noise = trainer.batch(step)
        arrays |= {f"x {step}": x, f"t {step}": t, f"noise {step}": noise}
    np.savez(arrays_path, **arrays)
    print(json.dumps(losses))


main()
