"""The NumPy reference itself: known answers, finite differences, identities."""
import ctypes
import ctypes.util
import os

import numpy as np
import pytest

import reference as ref
from result_files import SOURCE, read_configuration

RUNS = [f"run_{i}" for i in range(6)]


def load(run):
    """A key that a file lacks has the value of run_1.toml."""
    whole, own = (read_configuration(SOURCE / "configs" / f"{name}.toml") for name in ("run_1", run))
    return {section: keys | own.get(section, {}) for section, keys in whole.items()}


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
    index = q / 65536, subsequence = q % 65536, q = i / 4; the subsequence is in the place of our step. Its
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
    assert np.abs(ref.normals_of(words[:, :2]) - normals[:, :2]).max() < 2e-6
    curand.curandDestroyGenerator(generator)


def test_normals_of_many_coordinates():
    """A point of more coordinates has those of fewer and new ones; all are N(0, 1) and independent."""
    most, n = ref.normals(5, ref.TRAIN, 7, np.arange(4000), 23), 4000
    assert np.array_equal(most[:, :2], ref.normals_of(ref.philox(5, ref.TRAIN, 7, np.arange(n))[:, :2]))
    for dimensions in range(1, 23):
        assert np.array_equal(ref.normals(5, ref.TRAIN, 7, np.arange(n), dimensions), most[:, :dimensions])
    assert len(np.unique(most)) > most.size * .99
    covariance = most.T @ most / n
    assert np.abs(covariance - np.eye(23)).max() < 5.5 * np.sqrt(2 / n)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 64, 1000, 4097])
def test_permutation_is_one(n):
    for epoch in range(3):
        assert np.array_equal(np.sort(ref.permutation(7, ref.PERMUTATION, epoch, n)), np.arange(n))


def test_permutations_differ_by_epoch_and_seed():
    orders = [ref.permutation(seed, ref.PERMUTATION, epoch, 1000) for seed in (1, 2) for epoch in (0, 1)]
    for i, a in enumerate(orders):
        for b in orders[:i]:
            assert (a == b).mean() < .02


# ---- the schedule ----

KINDS = ["linear", "quadratic", "cosine", "scaled_linear", "geometric"]
PREDICTIONS = ["noise", "x0", "v"]
X0, EPS = np.array([[1.5, -.3]]), np.array([[.2, 1.]])


def exact(s, t):
    """x_t and what the networks should say there of X0 and EPS, in float64."""
    said = {"noise": EPS, "x0": X0, "v": s.signal[t] * EPS - s.noise[t] * X0}
    return s.signal[t] * X0 + s.noise[t] * EPS, said[s.prediction]


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_ancestral_sampling_is_the_posterior(kind, prediction):
    """With all steps and eta = 1 the reverse step, given the true pair, has the mean and variance of Ho et al.'s
    q(x_{t-1} | x_t, x_0), here from the product of the two Gaussians that it is."""
    s = ref.Schedule(100, kind, prediction=prediction)
    assert ((s.beta > 0) & (s.beta <= .999)).all() and np.array_equal(s.timestep, np.arange(100))
    for t in (1, 50, 98, 99):
        x, said = exact(s, t)
        mean = s.reverse(x, said, t, np.zeros((1, 2)))
        variance = (s.reverse(x, said, t, np.ones((1, 2))) - mean)[0, 0] ** 2
        precision = 1 / (1 - s.alpha_bar[t - 1]) + (1 - s.beta[t]) / s.beta[t]
        expected = (s.signal[t - 1] * X0 / (1 - s.alpha_bar[t - 1]) + np.sqrt(1 - s.beta[t]) * x / s.beta[t]) / precision
        assert np.allclose(mean, expected, rtol=1e-9) and np.isclose(variance, 1 / precision, rtol=1e-9)
    x, said = exact(s, 0)
    assert np.allclose(s.reverse(x, said, 0, np.ones((1, 2))), X0)


@pytest.mark.parametrize("steps, eta", [(0, 1.), (0, 0.), (7, .5), (1, 0.)])
@pytest.mark.parametrize("terminal", ["kept", "zero"])
def test_predictions_of_one_pair_give_one_step(terminal, steps, eta):
    """The kind of prediction makes no difference, also with a factor on the noise. The noise says nothing
    about x_0 at the last timestep of a zero terminal signal-to-noise ratio, and then is left out."""
    for factor in (1., .9) if terminal == "kept" else (1.,):
        results = []
        for prediction in PREDICTIONS if terminal == "kept" else PREDICTIONS[1:]:
            s = ref.Schedule(50, "cosine", terminal_snr=terminal, prediction=prediction, steps=steps, eta=eta,
                             noise_factor=factor)
            pairs = [exact(s, t) for t in s.timestep]
            results.append([s.reverse(x, said, i, np.array([[.5, -2.]])) for i, (x, said) in enumerate(pairs)])
        assert np.allclose(results, results[0], rtol=1e-8)


def test_without_added_noise_a_pair_stays():
    """DDIM (eta = 0) moves x_t along the line of one and the same x_0 and eps."""
    for steps in (1, 3, 10, 100):
        s = ref.Schedule(100, steps=steps, eta=0.)
        x, _ = exact(s, 99)
        for i in reversed(range(steps)):
            x = s.reverse(x, EPS, i, np.full((1, 2), np.nan))
            assert np.allclose(x, exact(s, s.timestep[i - 1])[0] if i else X0)


@pytest.mark.parametrize("eta", [.3, 1.])
def test_variances_of_sampling(eta):
    """From N(0, I) noise alone (x_0 = 0 for certain), every x_t keeps the variance 1 - alpha_bar that it should have."""
    s = ref.Schedule(100, "cosine", prediction="x0", terminal_snr="zero", steps=8, eta=eta)
    for i in range(1, 8):
        z, zero = np.ones((1, 2)), np.zeros((1, 2))
        along = s.reverse(s.noise[s.timestep[i]] * z, zero, i, zero)
        added = s.reverse(zero, zero, i, z)
        assert np.allclose(along ** 2 + added ** 2, 1 - s.alpha_bar[s.timestep[i - 1]])


@pytest.mark.parametrize("timesteps, steps", [(100, 100), (100, 10), (100, 7), (50, 49), (20, 3), (10, 1), (1, 1)])
def test_timesteps_of_sampling(timesteps, steps):
    chosen = ref.Schedule(timesteps, steps=steps).timestep
    assert len(chosen) == steps and chosen[-1] == timesteps - 1 and chosen[0] >= 0
    gaps = np.diff(np.append(-1, chosen))
    assert gaps.min() >= 1 and gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_zero_terminal_snr(kind):
    kept, s = ref.Schedule(60, kind), ref.Schedule(60, kind, terminal_snr="zero", prediction="v")
    assert s.alpha_bar[-1] == 0 and s.beta[-1] == 1
    assert np.isclose(s.alpha_bar[0], kept.alpha_bar[0], rtol=1e-14)
    assert (np.diff(s.alpha_bar) < 0).all() and np.allclose(np.cumprod(1 - s.beta), s.alpha_bar, rtol=1e-12)
    ratio = np.diff(s.signal) / np.diff(kept.signal)  # shifted and scaled: an affine map of the square roots
    assert np.allclose(ratio, ratio[0], rtol=1e-9)


def test_min_snr_weights():
    """Of one and the same error of x_0 all three make the same loss, min(SNR, gamma) times its square."""
    gamma, error = 5., np.array([[.3, -.2]])
    for kind in KINDS:
        for prediction in PREDICTIONS:
            s = ref.Schedule(100, kind, prediction=prediction, min_snr_gamma=gamma)
            snr = s.alpha_bar / (1 - s.alpha_bar)
            for t in (0, 20, 60, 99):
                x, said = exact(s, t)
                wrong = {"noise": (x - s.signal[t] * (X0 + error)) / s.noise[t], "x0": X0 + error}
                wrong["v"] = s.signal[t] * wrong["noise"] - s.noise[t] * wrong["x0"]
                loss = ref.losses(wrong[prediction], said, s.weight[[t]])["mse"]
                assert np.isclose(loss, min(snr[t], gamma) * (error ** 2).mean(), rtol=1e-8)
    assert (ref.Schedule(100, prediction="v").weight == 1).all()


def test_start_from_data():
    s = ref.Schedule(100, "linear")
    points = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32) * 10 + 50
    x = ref.start_from_data(s, points, 3, 4000)
    noise = ref.normals(3, ref.SAMPLE, 100, np.arange(4000), 2)
    said = (x - s.noise[99] * noise) / s.signal[99]
    nearest = np.abs(said[:, None] - points).sum(axis=2).argmin(axis=1)
    assert np.allclose(said, points[nearest], rtol=1e-4)
    assert np.bincount(nearest, minlength=30).min() > 80  # of 133


# ---- gradients ----

def small(run, activation):
    config = load(run)
    config["model"] |= {"embedding_width": 8, "hidden_width": 10, "hidden_depth": 2, "activation": activation}
    if config["model"]["expert_head"]:
        config["model"]["expert_head"] = [6]
    config["model"]["gate_layers"] = [10, 7][:len(config["model"]["gate_layers"])]
    config["training"]["batch"] = 16
    return config


def small_trainer(config, chance, dimensions=2):
    return ref.Trainer(config, chance.normal(size=(50, dimensions)).astype(np.float32), seed=3)


def difference(value, i, loss, h=1e-6):
    """Central difference of loss() in element i of an array."""
    flat = value.reshape(-1)
    keep, flat[i] = flat[i], flat[i] + h
    above = loss()
    flat[i] = keep - h
    below = loss()
    flat[i] = keep
    return (above - below) / (2 * h)


def check_gradient(config, step, entries, chance, tolerance, leave_out=(), dimensions=2):
    """Central differences of the loss at random entries of every tensor."""
    trainer = small_trainer(config, chance, dimensions)
    gradient = trainer.gradient(step)["gradient"]
    for name, value in trainer.parameters.items():
        g = gradient[name].reshape(-1)
        for i in chance.choice(value.size, min(entries, value.size), replace=False):
            if name.startswith(leave_out):
                continue
            found = difference(value, i, lambda: trainer.gradient(step)["loss"])
            assert abs(found - g[i]) < tolerance * np.abs(g).max() + 1e-9, f"{name}[{i}]"


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu", "tanh"])
@pytest.mark.parametrize("run", RUNS)
def test_gradients_by_finite_differences(run, activation):
    check_gradient(small(run, activation), 0, 6, np.random.default_rng(1), 1e-5)


@pytest.mark.parametrize("run", RUNS)
def test_gradients_by_finite_differences_at_full_width(run):
    config = load(run)
    config["training"]["batch"] = 16
    check_gradient(config, 1, 1, np.random.default_rng(2), 1e-4)


SETTINGS: dict[str, dict] = {
    "four experts": {"model.experts": 4},
    "eight experts": {"model.experts": 8},
    "two experts, equal": {"model.gate": "fixed"},
    "five experts, equal": {"model.experts": 5, "model.gate": "fixed"},
    "x0": {"diffusion.prediction": "x0"},
    "v": {"diffusion.prediction": "v"},
    "v without signal at the end": {"diffusion.prediction": "v", "diffusion.terminal_snr": "zero"},
    "x0 without signal at the end": {"diffusion.prediction": "x0", "diffusion.terminal_snr": "zero"},
    **{f"min-SNR, {p}": {"diffusion.prediction": p, "training.min_snr_gamma": 5.} for p in PREDICTIONS},
    **{f"diversity {d}": {"training.diversity_weight": .3, "training.diversity_distance": d, "training.diversity_scale": .7}
       for d in ("euclidean", "squared", "l1", "rbf", "log")},
    **{f"diversity inside, {d}": {"training.diversity_layer": "hidden", "training.diversity_weight": .3,
                                  "training.diversity_distance": d, "training.diversity_scale": .7}
       for d in ("euclidean", "squared", "rbf", "log")},
    "diversity inside four experts": {"model.experts": 4, "training.diversity_layer": "hidden", "training.diversity_weight": .1},
    "diversity inside one network": {"model.experts": 1, "model.expert_head": [], "training.diversity_layer": "hidden",
                                     "training.diversity_weight": .1},
    "diversity by a cosine": {"training.diversity_weight": .3, "training.diversity_course": "cosine", "training.steps": 5},
    "everything": {"model.experts": 3, "diffusion.prediction": "v", "training.min_snr_gamma": 2.,
                   "training.diversity_weight": .2, "training.diversity_distance": "log", "training.diversity_scale": .3,
                   "training.diversity_course": "cosine", "training.steps": 4},
}


@pytest.mark.parametrize("dimensions, embedding", [(1, "sinusoidal"), (3, "sinusoidal"), (10, "sinusoidal"), (2, "fourier"),
                                                   (10, "fourier"), (2, "linear"), (10, "linear")])
def test_gradients_of_other_dimensions(dimensions, embedding):
    config = changed(small("run_4", "silu"), {"training.diversity_weight": .3, "model.embedding": embedding,
                                              "model.fourier_features": 12})
    check_gradient(config, 1, 6, np.random.default_rng(6), 1e-5, dimensions=dimensions)


def test_fourier_features():
    """In one dimension they are the sinusoidal embedding, up to the signs of sines. In more, directions are uniform, and
    their lengths are the embedding's frequencies."""
    config = load("run_1")["model"] | {"embedding_width": 16, "fourier_features": 16}
    x, t = np.random.default_rng(0).normal(size=(9, 1)), np.arange(9)
    plain, features = (ref.Model(config | {"embedding": kind}, 1, seed=4).embed(x, t) for kind in ("sinusoidal", "fourier"))
    assert np.allclose(np.abs(features[:, :8]), np.abs(plain[:, :8])) and np.allclose(features[:, 8:], plain[:, 8:])
    many = ref.features(config | {"fourier_features": 8000}, 4, 3)
    length = np.linalg.norm(many, axis=1)
    assert np.allclose(length, 25 * ref.frequencies(4000))
    unit = many / length[:, None]
    assert np.abs(unit.mean(axis=0)).max() < .05 and np.abs(unit.T @ unit / 4000 - np.eye(3) / 3).max() < .03


def changed(config, settings):
    for key, value in settings.items():
        section, name = key.split(".")
        config[section][name] = value
    return config


@pytest.mark.parametrize("name", SETTINGS)
def test_gradients_of_every_setting(name):
    config = changed(small("run_3", "silu"), SETTINGS[name])
    check_gradient(config, 2, 6, np.random.default_rng(4), 1e-5)


def test_the_weight_of_diversity():
    """Constant, or from its full weight at step 0 down a half cosine to none at the last step."""
    config = changed(small("run_4", "silu"), {"training.steps": 8})
    for course, expected in (("constant", [.1] * 4), ("cosine", [.1, .05 * (1 + np.sqrt(.5)), .05, 0])):
        trainer = small_trainer(changed(config, {"training.diversity_course": course}), np.random.default_rng(0))
        for step, weight in zip((0, 2, 4, 8), expected):
            result = trainer.gradient(step)
            assert np.isclose(result["mse"] - result["loss"], weight * result["diversity"], rtol=1e-12)


@pytest.mark.parametrize("experts", [2, 3, 4])
def test_gradients_of_a_hard_gate(experts):
    """Of the experts by finite differences. The loss is a step function of the gate's parameters, so that its finite
    differences are 0 or nothing; their gradient is checked against what it is defined as: the loss's derivative at each
    weight, where they are (0 or 1), times the soft weight's derivative at the parameter."""
    config = changed(small("run_3", "silu"), {"model.experts": experts, "model.gate": "hard", "training.diversity_weight": .1})
    check_gradient(config, 0, 6, np.random.default_rng(5), 1e-5, leave_out="gating_network")

    trainer = small_trainer(config, np.random.default_rng(5))
    model, (x, t, target) = trainer.model, trainer.batch(0)
    logits = [name for name in trainer.parameters if name.startswith("gating_network")][-2:]
    trainer.parameters[logits[0]] *= 5
    trainer.parameters[logits[1]] *= 0  # so that not one expert has all points, as it would in the beginning
    trainer.parameters[logits[1]] -= (model.forward(trainer.parameters, x, t)[1]["hidden"][-1][-1]).mean(axis=0)
    _, saved = model.forward(trainer.parameters, x, t)
    weight, outputs = saved["weight"].copy(), np.stack(saved["experts"], axis=1)
    assert np.array_equal(np.sort(weight, axis=1)[:, :-1], np.zeros((16, experts - 1))) and (weight.sum(axis=1) == 1).all()
    assert np.array_equal(weight.argmax(axis=1), saved["soft"].argmax(axis=1)) and len(set(weight.argmax(axis=1))) > 1

    def loss():
        return trainer.losses(0, (weight[:, :, None] * outputs).sum(axis=1), t, target, saved)["loss"]

    toward = np.array([difference(weight, i, loss) for i in range(weight.size)]).reshape(weight.shape)
    gradient = trainer.gradient(0)["gradient"]
    for name, value in trainer.parameters.items():
        if not name.startswith("gating_network"):
            continue
        g = gradient[name].reshape(-1)
        for i in range(0, value.size, max(1, value.size // 6)):
            found = difference(value, i, lambda: (toward * model.forward(trainer.parameters, x, t)[1]["soft"]).sum())
            assert abs(found - g[i]) < 1e-5 * np.abs(g).max() + 1e-9, f"{name}[{i}]"


def test_softmax_of_two_is_the_sigmoid():
    """What makes one logit of two experts and two of a softmax the same."""
    model = ref.Model(load("run_1")["model"] | {"experts": 3})
    z = np.linspace(-700, 700, 41)[:, None]
    sigmoid = 1 / (1 + np.exp(-z[:, 0]))
    soft = model.soft(np.concatenate([z, np.zeros_like(z), np.full_like(z, -np.inf)], axis=1), 41)
    assert np.allclose(soft[:, 0], sigmoid, rtol=1e-13, atol=0) and np.allclose(soft.sum(axis=1), 1, rtol=1e-14)


def test_parameter_counts():
    counts = [sum(np.prod(shape) for shape in ref.Model(load(run)["model"]).shapes.values()) for run in RUNS]
    assert counts == [296450, 691717, 724485, 789765, 789765, 789765]
