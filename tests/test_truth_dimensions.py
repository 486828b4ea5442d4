"""Sets of any dimensions: their points against their definition, written again here."""
import numpy as np
import pytest
from scipy import stats

from datasets import P, normal, points, run

MASK = 0xFFFFFFFF


def philox(seed, purpose, step, index):
    """Words (n, 4) of Philox4x32-10 for an array of block numbers."""
    index = np.atleast_1d(np.asarray(index, np.uint64))
    c = [index & MASK, index >> 32, np.full_like(index, step), np.full_like(index, purpose)]
    k0, k1 = seed & MASK, seed >> 32
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(p1 >> 32) ^ c[1] ^ k0, p1 & MASK, (p0 >> 32) ^ c[3] ^ k1, p0 & MASK]
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return np.stack(c, axis=1)


def uniforms(high, low):
    return (((high << np.uint64(21)) ^ (low >> np.uint64(11))).astype(float) + .5) * 2.**-53


class Shape:
    """The random numbers of a component's distribution, in order."""

    def __init__(self, seed, component):
        self.seed, self.component, self.block = seed, component, 0

    def words(self, blocks):
        words = philox(self.seed, 9, self.component, self.block + np.arange(blocks))
        self.block += blocks
        return words

    def uniform(self):
        w = self.words(1)
        return uniforms(w[:, 0], w[:, 1])[0]

    def normals(self, count):
        w = self.words((count + 1) // 2)
        radius, angle = np.sqrt(-2 * np.log(uniforms(w[:, 0], w[:, 1]))), 2 * np.pi * uniforms(w[:, 2], w[:, 3])
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()[:count]

    def axes(self, rank, dimensions):
        """Gram and Schmidt: the Q of a QR decomposition whose R has a positive diagonal."""
        q, r = np.linalg.qr(np.stack([self.normals(dimensions) for _ in range(rank)]).T)
        return (q * np.sign(np.diag(r))).T


def mixture(name, seed, dimensions, modes, rank=None):
    """weights (K), centres (K, D), covariances (K, D, D)."""
    weight, centre, covariance = [], [], []
    for k in range(modes):
        r = Shape(seed, k)
        if name == "gaussians":
            weight.append(.5 + r.uniform())
            centre.append(1.5 * r.normals(dimensions))
            variance = (.05 * 10 ** np.array([r.uniform() for _ in range(dimensions)])) ** 2
            axes = r.axes(dimensions, dimensions)
            covariance.append(axes.T * variance @ axes)
        else:
            axes = r.axes(rank, dimensions)
            weight.append(1.)
            centre.append(np.zeros(dimensions))
            covariance.append(axes.T @ axes + .0025 * np.eye(dimensions))
    return np.array(weight) / np.sum(weight), np.array(centre), np.array(covariance)


def normals_of(seed, stream, n, block):
    """The two normals (n, 2) of a block of each of the first n points."""
    w = philox(seed, 8, stream + 16 * (block // 4), 4 * np.arange(n) + block % 4)
    radius, angle = np.sqrt(-2 * np.log(uniforms(w[:, 0], w[:, 1]))), 2 * np.pi * uniforms(w[:, 2], w[:, 3])
    return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def settings(**data):
    return [f"data.{key}={value}" for key, value in data.items()]


@pytest.mark.parametrize("name, dimensions, modes, rank", [
    ("gaussians", 1, 3, 0), ("gaussians", 3, 16, 0), ("gaussians", 8, 1, 0), ("gaussians", 32, 5, 0), ("subspaces", 3, 8, 2),
    ("subspaces", 8, 1, 4), ("subspaces", 32, 3, 7)])
def test_mixtures(name, dimensions, modes, rank):
    """Points are seen from the component of the greatest posterior weight: shares, means and covariances."""
    x = points(name, 40_000, settings=settings(dimensions=dimensions, modes=modes, rank=rank, seed=5))
    weight, centre, covariance = mixture(name, 5, dimensions, modes, rank)
    assert x.shape == (40_000, dimensions)
    logs = np.stack([np.log(w) + stats.multivariate_normal(c, s).logpdf(x) for w, c, s in zip(weight, centre, covariance)])
    posterior = np.exp(logs - logs.max(axis=0))
    posterior /= posterior.sum(axis=0)
    bound = stats.norm.isf(P / 2)
    for k in range(modes):
        share = posterior[k].mean()
        assert abs(share - weight[k]) < bound * np.sqrt(weight[k] / len(x)), (k, share, weight[k])
        # The posterior's weights make the points of each component a sample of it, also where components overlap.
        white = (x - centre[k]) @ np.linalg.inv(np.linalg.cholesky(covariance[k])).T
        effective = len(x) * weight[k]
        mean = posterior[k] @ white / effective
        square = (white.T * posterior[k]) @ white / effective
        assert np.abs(mean).max() < 5.5 / np.sqrt(effective), k
        assert np.abs(square - np.eye(dimensions) * share / weight[k]).max() < 6.5 * np.sqrt(2 / effective), k
    if modes == 1:
        for c in range(dimensions):
            normal(white[:, c], 1.)


def test_hypercube():
    x = points("hypercube", 50_000, settings=settings(dimensions=5, modes=8))
    corner = np.sign(x[:, :3])
    shares = np.unique(corner, axis=0, return_counts=True)[1]
    assert len(shares) == 8 and stats.chisquare(shares).pvalue > P
    noise = x - np.pad(corner, ((0, 0), (0, 2)))
    for c in range(5):
        normal(noise[:, c], .1)
    assert np.abs(np.corrcoef(noise.T) - np.eye(5)).max() < 5 / np.sqrt(len(x))


@pytest.mark.parametrize("name, dimensions", [("dino", 16), ("moons", 3), ("checkerboard", 128)])
def test_embedded(name, dimensions):
    """Rotated back: NAME's own points, and noise in the other directions."""
    data = settings(dimensions=dimensions, seed=9)
    x = points(f"embedded:{name}", 5000, seed=42, settings=data)
    rotation = Shape(9, 0).axes(dimensions, dimensions)
    back = x @ rotation.T
    assert np.abs(back[:, :2] - points(name, 5000, seed=42)).max() < 1e-5  # float32 of several coordinates
    outside = back[:, 2:]
    first = normals_of(42, 0, 5000, 4)[:, :dimensions - 2]  # blocks 0 to 3 are those of the plane
    assert np.abs(outside[:, :2] - .02 * first).max() < 1e-5
    assert abs(outside.std() / .02 - 1) < 4 / np.sqrt(2 * outside.size)
    for c in range(min(dimensions - 2, 6)):
        normal(outside[:, c], .02)
    assert np.abs(np.cov(outside.T) / 4e-4 - np.eye(dimensions - 2)).max() < 6.5 / np.sqrt(5000)


def test_normals_of_a_point():
    """Block j of point i is (step = stream + 16 (j / 4), index = 4 i + j % 4), two normals each, from block 4 on."""
    n, dimensions = 50, 128
    x = points("hypercube", n, seed=3, stream=1, settings=settings(dimensions=dimensions, modes=1))
    for c in range(0, dimensions, 2):
        assert np.allclose(x[:, c:c + 2], .1 * normals_of(3, 1, n, 4 + c // 2), rtol=1e-6)


def test_seeds():
    """data.seed decides the distribution, the other seed only the points."""
    def drawn(seed, shape):
        return points("subspaces", 4000, seed, settings=settings(seed=shape, modes=1, dimensions=6, rank=1))
    first, other_points, other_shape = drawn(1, 7), drawn(2, 7), drawn(1, 8)
    axis = [np.linalg.svd(x, full_matrices=False)[2][0] for x in (first, other_points, other_shape)]
    assert abs(axis[0] @ axis[1]) > .999 and abs(axis[0] @ axis[2]) < .95
    assert not np.any(first == other_points)


@pytest.mark.parametrize("name, data, label", [
    ("gaussians", {}, "gaussians_d8"), ("gaussians", {"dimensions": 2}, "gaussians_d2"), ("hypercube", {}, "hypercube_d3"),
    ("embedded:dino", {}, "embedded_dino_d16"), ("dino", {"dimensions": 2}, "dino")])
def test_labels(name, data, label):
    done = run(name, 10, settings=settings(**data))
    assert done.stderr.decode().split()[0] == label


@pytest.mark.parametrize("name, data, words", [
    ("dino", {"dimensions": 3}, "dino has 2 dimensions; embedded:dino has any"), ("dino", {"modes": 4}, "data.modes"),
    ("moons", {"rank": 1}, "data.rank"), ("gaussians", {"rank": 2}, "gaussians has no rank"),
    ("hypercube", {"rank": 2}, "hypercube has no rank"), ("hypercube", {"modes": 6}, "2^m corners"),
    ("hypercube", {"dimensions": 2, "modes": 8}, "m at most 2"), ("subspaces", {"dimensions": 1}, "at least 2"),
    ("subspaces", {"dimensions": 4, "rank": 4}, "below data.dimensions = 4"), ("embedded", {}, "embedded:dino"),
    ("embedded:", {}, "embedded:dino"), ("embedded:dion", {}, "did you mean 'dino'"),
    ("embedded:gaussians", {}, "not a set of the plane"), ("embedded:embedded:dino", {}, "not a set of the plane"),
    ("embedded:dino", {"dimensions": 2}, "at least 3"), ("embedded:dino", {"modes": 2}, "data.modes")])
def test_refused(name, data, words):
    done = run(name, 10, settings=settings(**data))
    assert done.returncode and words in done.stderr.decode(), done.stderr
