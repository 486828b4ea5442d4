"""The NumPy reference itself: known answers, finite differences, identities."""
import ctypes
import ctypes.util
import os
import tomllib

import numpy as np
import pytest

import reference as ref

SOURCE = os.environ["DUALDIFF_SOURCE"]
RUNS = [f"run_{i}" for i in range(6)]


def load(run):
    with open(os.path.join(SOURCE, "configs", f"{run}.toml"), "rb") as file:
        return tomllib.load(file)


def test_philox_known_answers():
    """From the Random123 distribution (kat_vectors, philox4x32 10)."""
    def block(counter, key):
        return [f"{w:08x}" for w in ref.philox(key[0] | key[1] << 32, counter[3], counter[2],
                                               counter[0] | counter[1] << 32)[0]]
    assert block([0] * 4, [0] * 2) == ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]
    ones = 0xFFFFFFFF
    assert block([ones] * 4, [ones] * 2) == ["408f276d", "41c83b0e", "a20bc7c6", "6d5451fd"]
    assert block([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]) == \
        ["d16cfe09", "94fdcceb", "5001e420", "24126ea1"]


def test_numbers_are_curands():
    """Output i of a cuRAND host generator of this kind is word i % 4 of the block with counter (index, subsequence),
    index = q / 65536, subsequence = q % 65536, q = i / 4; the subsequence stands where a step does here. Its
    uniform numbers are ours to the bit, its normals within the rounding of logarithm, root and sine."""
    name = next((path for path in ("/usr/local/cuda/lib64/libcurand.so", ctypes.util.find_library("curand"))
                 if path and (os.path.exists(path) or not path.startswith("/"))), None)
    if name is None:
        pytest.skip("no cuRAND library here")
    curand = ctypes.CDLL(name)
    generator, n, seed = ctypes.c_void_p(), 4 * 70000, 0x123456789ABCDEF
    philox4_32_10 = 161
    if curand.curandCreateGeneratorHost(ctypes.byref(generator), philox4_32_10):
        pytest.skip("this cuRAND makes no host generator")

    def generate(function, kind, *more):
        out = np.empty(n, dtype=kind)
        curand.curandSetPseudoRandomGeneratorSeed(generator, ctypes.c_ulonglong(seed))
        curand.curandSetGeneratorOffset(generator, ctypes.c_ulonglong(0))
        assert function(generator, out.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(n), *more) == 0
        return out.reshape(-1, 4)

    q = np.arange(n // 4, dtype=np.uint64)
    words = ref.philox(seed, 0, q % 65536, q // 65536)
    assert np.array_equal(words, generate(curand.curandGenerate, np.uint32))
    assert np.array_equal(ref.uniform(words), generate(curand.curandGenerateUniform, np.float32))
    normals = generate(curand.curandGenerateNormal, np.float32, ctypes.c_float(0), ctypes.c_float(1))
    assert np.abs(ref.normals(words[:, :2]) - normals[:, :2]).max() < 2e-6
    curand.curandDestroyGenerator(generator)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 64, 1000, 4097])
def test_permutation_is_one(n):
    for epoch in range(3):
        assert np.array_equal(np.sort(ref.permutation(7, ref.PERMUTATION, epoch, n)), np.arange(n))


def test_permutations_differ_by_epoch_and_seed():
    orders = [ref.permutation(seed, ref.PERMUTATION, epoch, 1000) for seed in (1, 2) for epoch in (0, 1)]
    for i, a in enumerate(orders):
        for b in orders[:i]:
            assert (a == b).mean() < .02


@pytest.mark.parametrize("kind", ["linear", "quadratic", "cosine", "scaled_linear"])
def test_schedule_identities(kind):
    """The reverse step, given the true noise, has the mean and variance of q(x_{t-1} | x_t, x_0)."""
    s = ref.Schedule(100, kind)
    assert ((s.beta > 0) & (s.beta <= .999)).all()
    x0, eps = np.array([[1.5, -.3]]), np.array([[.2, 1.]])
    for t in (1, 50, 98):
        x = s.signal[t] * x0 + s.noise[t] * eps
        mean = s.reverse(x, eps, t, np.zeros((1, 2)))
        variance = (s.reverse(x, eps, t, np.ones((1, 2))) - mean)[0, 0] ** 2
        precision = 1 / (1 - s.alpha_bar[t - 1]) + (1 - s.beta[t]) / s.beta[t]
        expected = (s.signal[t - 1] * x0 / (1 - s.alpha_bar[t - 1]) + np.sqrt(1 - s.beta[t]) * x / s.beta[t]) / precision
        assert np.allclose(mean, expected, rtol=1e-9) and np.isclose(variance, 1 / precision, rtol=1e-9)
    x = s.signal[0] * x0 + s.noise[0] * eps
    assert np.allclose(s.reverse(x, eps, 0, None), x0)


def small(run, activation):
    config = load(run)
    config["model"] |= {"embedding_width": 8, "hidden_width": 10, "hidden_depth": 2, "activation": activation}
    if config["model"]["expert_head"]:
        config["model"]["expert_head"] = [6]
    config["model"]["gate_layers"] = [10, 7][:len(config["model"]["gate_layers"])]
    config["training"]["batch"] = 16
    return config


def check_gradient(config, step, entries, chance, tolerance):
    """Central differences of the loss at random entries of every tensor."""
    points = chance.normal(size=(50, 2)).astype(np.float32)
    trainer = ref.Trainer(config, points, seed=3)
    gradient = trainer.gradient(step)["gradient"]
    for name, value in trainer.parameters.items():
        flat, g = value.reshape(-1), gradient[name].reshape(-1)
        for i in chance.choice(flat.size, min(entries, flat.size), replace=False):
            keep, h = flat[i], 1e-6
            flat[i] = keep + h
            above = trainer.gradient(step)["loss"]
            flat[i] = keep - h
            below = trainer.gradient(step)["loss"]
            flat[i] = keep
            scale = np.abs(g).max()
            assert abs((above - below) / (2 * h) - g[i]) < tolerance * scale + 1e-9, f"{name}[{i}]"


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu", "tanh"])
@pytest.mark.parametrize("run", RUNS)
def test_gradients_by_finite_differences(run, activation):
    check_gradient(small(run, activation), 0, 6, np.random.default_rng(1), 1e-5)


@pytest.mark.parametrize("run", RUNS)
def test_gradients_by_finite_differences_at_full_width(run):
    config = load(run)
    config["training"]["batch"] = 16
    check_gradient(config, 1, 1, np.random.default_rng(2), 1e-4)


def test_parameter_counts():
    counts = [sum(np.prod(shape) for shape in ref.Model(load(run)["model"]).shapes.values()) for run in RUNS]
    assert counts == [296450, 691717, 724485, 789765, 789765, 789765]
