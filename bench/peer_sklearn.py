"""peer_sklearn.py DUMP_DATASET: the KL estimate by scikit-learn's k-d tree on bench_server's points, for bench.py to compare
with dualdiff's. Speaks bench_server's protocol: `knn` answers with the seconds of both searches, trees included, `kl`
with the estimate in bits. One thread: this tree knows no more.
"""
import math
import subprocess
import sys
import time

import numpy as np
import sklearn
from sklearn.neighbors import KDTree

K = 5


def points(dump_dataset, n, seed, stream):
    run = subprocess.run([dump_dataset, "dino", str(n), str(seed), str(stream)], check=True, capture_output=True)
    return np.frombuffer(run.stdout, dtype=np.float32).reshape(-1, 2)


def distances(real, generated):
    """To the K-th other real point and the K-th generated one, from each real point."""
    rho, _ = KDTree(real, metric="chebyshev").query(real, k=K + 1)  # the nearest is the point itself
    nu, _ = KDTree(generated, metric="chebyshev").query(real, k=K)
    return rho[:, -1], nu[:, -1]


def main():
    real, generated = points(sys.argv[1], 100000, 42, 0), points(sys.argv[1], 10000, 7, 1)
    print(f"scikit-learn {sklearn.__version__}", flush=True)
    for line in sys.stdin:
        began = time.perf_counter()
        rho, nu = distances(real, generated)
        seconds = time.perf_counter() - began
        n, m = len(real), len(generated)
        bits = (math.log(m) - math.log(n - 1) + 2 / n * (np.log(nu) - np.log(rho)).sum()) / math.log(2)
        print(seconds if line.strip() == "knn" else f"{bits:.17g}", flush=True)


main()
