"""What the peers that train share: configurations, the linear schedule, and bench_server's protocol."""
import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "python"))
from configurations import read_configuration  # noqa: F401 (for the peers)

EVALUATED = {"cpu": 1024, "cuda": 25600}  # points a batch where only the mean counts


def schedule(diffusion):
    """signal (T,), noise (T,) of x_t, and the reverse step's factors (T, 3): x_(t-1) = keep x - remove eps + sigma z."""
    beta = np.linspace(diffusion["beta_start"], diffusion["beta_end"], diffusion["timesteps"])
    bar = np.cumprod(1 - beta)
    before = np.concatenate([[1.], bar[:-1]])
    c1, c2 = beta * np.sqrt(before) / (1 - bar), (1 - before) * np.sqrt(1 - beta) / (1 - bar)
    signal, noise = np.sqrt(bar), np.sqrt(1 - bar)
    sigma = np.sqrt(beta * (1 - before) / (1 - bar))  # 0 at t = 0
    return signal, noise, np.stack([c1 / signal + c2, c1 * noise / signal, sigma], axis=1)


def batches(data):
    """(x, t, noise) of every step that losses.py wrote."""
    for i in range(sum(name.startswith("x ") for name in data)):
        yield [data[f"{name} {i}"] for name in ("x", "t", "noise")]


def serve(peer, version):
    """Say who it is, then answer each request, a method's name and a number, with the number that the method returns."""
    print(version, flush=True)
    for line in sys.stdin:
        word, number = line.split()
        print(getattr(peer, word)(int(number)), flush=True)
