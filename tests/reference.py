"""The experiment in NumPy and float64, written from its description, to test the program against.

Random numbers are Philox4x32-10 with the counters that host/base/philox.h lists; they, the noised points and the
initial parameters are formed in float32 like the program's, everything after that in float64. Gradients are
derived by hand; test_reference.py checks them by finite differences.
"""
import functools
import math

import numpy as np

INIT, TRAIN, EVALUATE, HELDOUT, SAMPLE, PERMUTATION, EVAL_ORDER, DATA, SHAPE, FEATURES = range(1, 11)
U32 = np.uint64(0xFFFFFFFF)


# ---- random numbers ----

def philox(seed, purpose, step, index):
    """Words (n, 4) of the blocks with the given indices; step may be one number or one for each."""
    index = np.atleast_1d(np.asarray(index, dtype=np.uint64))
    counter = [index & U32, index >> np.uint64(32), np.full_like(index, step), np.full_like(index, purpose)]
    key = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        first, second = counter[0] * np.uint64(0xD2511F53), counter[2] * np.uint64(0xCD9E8D57)
        counter = [(second >> np.uint64(32)) ^ counter[1] ^ np.uint64(key[0]), second & U32,
                   (first >> np.uint64(32)) ^ counter[3] ^ np.uint64(key[1]), first & U32]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return np.stack(counter, axis=1).astype(np.uint32)


def uniform(word):
    return word.astype(np.float32) * np.float32(2.3283064e-10) + np.float32(1.1641532e-10)


def normals_of(words):
    """(n, 2) from two words (n, 2) by Box-Muller, in float32."""
    radius = np.sqrt(np.float32(-2) * np.log(uniform(words[:, 0])))
    angle = words[:, 1].astype(np.float32) * np.float32(1.4629180792671596e-9) + np.float32(7.3145903963357980e-10)
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1).astype(np.float32)


def normals(seed, purpose, step, index, dimensions):
    """(n, dimensions), one for each coordinate: the first two are words 0 and 1 of a point's block, then there are four
    in each further block, whose number is in the upper half of the index."""
    index = np.asarray(index, dtype=np.uint64)
    words = [philox(seed, purpose, step, index)[:, :2]]
    for block in range(1, 1 + (dimensions + 1) // 4):
        words.append(philox(seed, purpose, step, index + np.uint64(block << 32)))
    words = np.concatenate(words, axis=1)[:, :2 * ((dimensions + 1) // 2)]
    pairs = [normals_of(words[:, i:i + 2]) for i in range(0, words.shape[1], 2)]
    return np.concatenate(pairs, axis=1)[:, :dimensions]


@functools.lru_cache(maxsize=8)
def permutation(seed, purpose, epoch, n):
    """The whole order of an epoch."""
    half = 1
    while half < 16 and 4 ** half < n:
        half += 1
    keys = philox(seed, purpose, epoch, [0, 1]).reshape(-1)
    mask = (1 << half) - 1
    value = np.arange(n, dtype=np.uint32)
    todo = np.ones(n, dtype=bool)
    while todo.any():
        left, right = value[todo] >> half, value[todo] & mask
        for key in keys:
            f = right ^ key
            f ^= f >> 16
            f *= np.uint32(0x85EBCA6B)
            f ^= f >> 13
            f *= np.uint32(0xC2B2AE35)
            f ^= f >> 16
            left, right = right, left ^ (f & mask)
        value[todo] = left << half | right
        todo = value >= n
    return value


# ---- noise schedule ----

class Schedule:
    """Ho et al. 2020 in the notation of Song et al. 2021: x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) eps."""

    def __init__(self, timesteps, kind="linear", start=1e-4, end=.02, terminal_snr="kept", prediction="noise",
                 min_snr_gamma=0., steps=0, eta=1., noise_factor=1.):
        fraction = np.linspace(0, 1, timesteps)
        if kind == "linear":
            beta = start + (end - start) * fraction
        elif kind == "quadratic":
            beta = (math.sqrt(start) + (math.sqrt(end) - math.sqrt(start)) * fraction) ** 2
        elif kind == "scaled_linear":
            beta = (start + (end - start) * fraction) * 1000 / timesteps
        elif kind == "geometric":
            beta = np.exp((1 - fraction) * math.log(start) + fraction * math.log(end))
        elif kind == "cosine":
            bar = np.cos((np.arange(timesteps + 1) / timesteps + .008) / 1.008 * math.pi / 2) ** 2
            beta = np.minimum(1 - bar[1:] / bar[:-1], .999)
        alpha_bar = np.cumprod(1 - beta)
        if terminal_snr == "zero":  # Lin et al. 2024, algorithm 1
            root = np.sqrt(alpha_bar)
            root = (root - root[-1]) * root[0] / (root[0] - root[-1])
            alpha_bar = root ** 2
            beta = 1 - alpha_bar / np.append(1., alpha_bar[:-1])
        self.T, self.beta, self.alpha_bar = timesteps, beta, alpha_bar
        self.signal, self.noise = np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)
        self.prediction, self.eta, self.noise_factor = prediction, eta, noise_factor
        count = steps or timesteps
        self.timestep = np.floor(np.arange(1, count + 1) * timesteps / count + .5).astype(int) - 1
        self.weight = np.ones(timesteps)
        if min_snr_gamma:  # Hang et al. 2023
            snr = alpha_bar / (1 - alpha_bar)
            self.weight = np.minimum(snr, min_snr_gamma) / {"noise": snr, "x0": 1, "v": snr + 1}[prediction]

    @classmethod
    def of(cls, config):
        d, s = config["diffusion"], config["sampling"]
        return cls(d["timesteps"], d["schedule"], d["beta_start"], d["beta_end"], d["terminal_snr"], d["prediction"],
                   config["training"]["min_snr_gamma"], s["steps"], s["eta"], s["noise_factor"])

    def noised(self, x0, noise, t):
        """x_t in float32, as the networks see it."""
        signal, sigma = self.signal.astype(np.float32)[t, None], self.noise.astype(np.float32)[t, None]
        return signal * x0 + sigma * noise

    def target(self, x0, noise, t):
        """What the networks learn to predict; v is Salimans and Ho's (2022)."""
        signal, sigma = self.signal.astype(np.float32)[t, None], self.noise.astype(np.float32)[t, None]
        return {"noise": noise, "x0": x0, "v": signal * noise - sigma * x0}[self.prediction]

    def pair(self, x, prediction, t):
        """The x_0 and eps that follow from a prediction at x_t; t is one number, or one for each point."""
        signal, sigma = (np.asarray(table[t])[..., None] for table in (self.signal, self.noise))
        if self.prediction == "noise":
            return (x - sigma * prediction) / signal, prediction
        if self.prediction == "x0":
            return prediction, (x - signal * prediction) / sigma
        return signal * x - sigma * prediction, sigma * x + signal * prediction

    def reverse(self, x, prediction, i, z):
        """From x at timestep[i] to timestep[i - 1], or to x_0: equation 12 of Song et al. 2021 with the variance of
        equation 16."""
        t = self.timestep[i]
        here, before = self.alpha_bar[t], self.alpha_bar[self.timestep[i - 1]] if i else 1.
        x0, eps = self.pair(x, prediction, t)
        if self.noise_factor != 1:  # x_0 is what is left of x when that noise is taken away
            eps = self.noise_factor * eps
            x0 = (x - self.noise[t] * eps) / self.signal[t]
        variance = self.eta ** 2 * (1 - before) / (1 - here) * (1 - here / before)
        mean = math.sqrt(before) * x0 + math.sqrt(max(1 - before - variance, 0)) * eps
        return mean if i == 0 or self.eta == 0 else mean + math.sqrt(max(variance, 1e-20)) * z


# ---- activations ----

def erf(x):
    return np.vectorize(math.erf, otypes=[float])(x)


def act(name, x):
    return {"relu": lambda: np.maximum(x, 0), "tanh": lambda: np.tanh(x), "silu": lambda: x / (1 + np.exp(-x)),
            "gelu": lambda: .5 * x * (1 + erf(x / math.sqrt(2)))}[name]()


def act_derivative(name, x):
    if name == "relu":
        return (x > 0).astype(float)
    if name == "tanh":
        return 1 - np.tanh(x) ** 2
    if name == "silu":
        s = 1 / (1 + np.exp(-x))
        return s * (1 + x * (1 - s))
    return .5 * (1 + erf(x / math.sqrt(2))) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


# ---- the network ----

class Layer:
    def __init__(self, tower, position, fan_in, out, activate, residual):
        self.name = f"{tower}.{position}"
        self.fan_in, self.out, self.activate, self.residual = fan_in, out, activate, residual


def frequencies(count):
    return 10000. ** (-np.arange(count) / (count - 1))


def features(config, seed, dimensions):
    """Directions (features / 2, D) whose sines and cosines are a point's Fourier features."""
    half = config["fourier_features"] // 2
    normal = normals(seed, FEATURES, 0, np.arange(half), dimensions).astype(float)
    unit = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    return config["input_scale"] * frequencies(half)[:, None] * unit


class Model:
    """config: the [model] section as a dictionary; dimensions: coordinates of a point; seed: of the Fourier features."""

    def __init__(self, config, dimensions=2, seed=0):
        self.config, self.dimensions = config, dimensions
        self.directions = features(config, seed, dimensions)
        self.activation = config["activation"]
        hidden, depth = config["hidden_width"], config["hidden_depth"]
        inputs = self.embed(np.zeros((1, dimensions)), np.zeros(1)).shape[1]
        experts = config["experts"]
        self.towers = []
        for e in range(experts):
            name = "network" if experts == 1 else f"expert{e + 1}"
            layers = [Layer(name, "0", inputs, hidden, False, False)]
            layers += [Layer(name, f"{i}.ff", hidden, hidden, True, True) for i in range(1, depth + 1)]
            widths = [hidden, *config["expert_head"], dimensions]
            layers += [Layer(name, depth + 2 + 2 * i, widths[i], widths[i + 1], True, False)
                       for i in range(len(widths) - 1)]
            self.towers.append(layers)
        # With two experts the gate has one logit, with more one for each.
        self.gates = 0 if experts == 1 or config["gate"] == "fixed" else 1 if experts == 2 else experts
        if self.gates:
            widths = [inputs, *config["gate_layers"], self.gates]
            self.towers.append([Layer("gating_network", 2 * i, widths[i], widths[i + 1], i > 0, False)
                                for i in range(len(widths) - 1)])
        self.experts = experts
        self.shapes: dict[str, tuple[int, ...]] = {}
        for layer in (layer for tower in self.towers for layer in tower):
            self.shapes[f"{layer.name}.weight"] = (layer.out, layer.fan_in)
            self.shapes[f"{layer.name}.bias"] = (layer.out,)
        self.fan_in = {f"{layer.name}.{kind}": layer.fan_in for tower in self.towers for layer in tower
                       for kind in ("weight", "bias")}

    def initial(self, seed):
        parameters = {}
        for number, (name, shape) in enumerate(self.shapes.items()):
            count = math.prod(shape)
            u = uniform(philox(seed, INIT, number, np.arange((count + 3) // 4)).reshape(-1)[:count])
            bound = np.float32(1) / np.sqrt(np.float32(self.fan_in[name]))
            parameters[name] = ((np.float32(2) * u - np.float32(1)) * bound).astype(float).reshape(shape)
        return parameters

    def split(self, flat):
        """A flat vector as named tensors, in float64."""
        tensors, at = {}, 0
        for name, shape in self.shapes.items():
            count = math.prod(shape)
            tensors[name] = np.asarray(flat[at:at + count], dtype=float).reshape(shape)
            at += count
        assert at == len(flat)
        return tensors

    def embed(self, x, t):
        width, kind = self.config["embedding_width"], self.config["embedding"]
        parts = []
        if kind == "linear":
            parts.append(np.asarray(x, dtype=float))
        elif kind == "fourier":
            angle = np.asarray(x, dtype=float) @ self.directions.T
            parts += [np.sin(angle), np.cos(angle)]
        else:
            for value in np.transpose(x):
                angle = np.asarray(value, dtype=float)[:, None] * (self.config["input_scale"] * frequencies(width // 2))
                parts += [np.sin(angle), np.cos(angle)]
        angle = np.asarray(t, dtype=float)[:, None] * (self.config["time_scale"] * frequencies(width // 2))
        return np.concatenate([*parts, np.sin(angle), np.cos(angle)], axis=1)

    def forward(self, parameters, x, t):
        """Prediction (n, D) and everything the backward pass needs. The hidden values of a layer are its
        outputs before the activation."""
        embedded = self.embed(x, t)
        hidden, inputs = [], []
        for tower in self.towers:
            h, hs, ins = embedded, [], []
            for layer in tower:
                a = act(self.activation, h) if layer.activate else h
                out = a @ parameters[f"{layer.name}.weight"].T + parameters[f"{layer.name}.bias"]
                h = h + out if layer.residual else out
                ins.append(a)
                hs.append(h)
            hidden.append(hs)
            inputs.append(ins)
        experts = [hidden[e][-1] for e in range(self.experts)]
        soft = self.soft(hidden[-1][-1] if self.gates else None, len(x))
        weight = soft
        if self.config["gate"] == "hard":
            weight = np.eye(self.experts)[soft.argmax(axis=1)]  # the first if several are equal
        prediction = sum(weight[:, [k]] * experts[k] for k in range(self.experts))
        gate = weight[:, :self.gates] if self.gates else None
        return prediction, {"hidden": hidden, "inputs": inputs, "experts": experts, "soft": soft, "weight": weight,
                            "gate": gate}

    def soft(self, logits, n):
        """All experts' weights (n, K) from the gate's logits (n, 1 or K); None: equal ones."""
        if logits is None:
            return np.full((n, self.experts), 1 / self.experts)
        if self.gates == 1:
            first = 1 / (1 + np.exp(-logits))
            return np.concatenate([first, 1 - first], axis=1)
        power = np.exp(logits - logits.max(axis=1, keepdims=True))
        return power / power.sum(axis=1, keepdims=True)

    def representations(self, saved):
        """Each expert's last hidden layer after the activation, (n, width)."""
        return [saved["inputs"][k][-1] for k in range(self.experts)]

    def backward(self, parameters, saved, d_prediction, d_representations=None):
        """Gradient of every tensor, from the gradients of the prediction and (if given) of the representations. A hard
        gate's logits get it as if its weights were soft (Bengio, Leonard and Courville 2013)."""
        outputs = [saved["weight"][:, [k]] * d_prediction for k in range(self.experts)]
        if self.gates:
            soft = saved["soft"]
            d_weight = np.stack([(d_prediction * expert).sum(axis=1) for expert in saved["experts"]], axis=1)
            d_logit = soft * (d_weight - (soft * d_weight).sum(axis=1, keepdims=True))
            # sigmoid(z) is the softmax of (z, 0)
            outputs.append(d_logit[:, :self.gates])
        gradient = {}
        for k, (tower, hs, ins, d) in enumerate(zip(self.towers, saved["hidden"], saved["inputs"], outputs)):
            for i in reversed(range(len(tower))):
                layer = tower[i]
                gradient[f"{layer.name}.weight"] = d.T @ ins[i]
                gradient[f"{layer.name}.bias"] = d.sum(axis=0)
                if i:
                    below = d @ parameters[f"{layer.name}.weight"]
                    if d_representations is not None and k < self.experts and i == len(tower) - 1:
                        below = below + d_representations[k]
                    below = below * act_derivative(self.activation, hs[i - 1])
                    d = below + d if layer.residual else below
        return gradient


# ---- losses ----

def pair_distance(kind, difference, scale):
    """Distance (n, n) and its gradient at the first point (n, n, d) for differences (n, n, d)."""
    square = (difference ** 2).sum(axis=2, keepdims=True)
    if kind == "euclidean":
        length = np.sqrt(square)
        distance, slope = length, np.divide(difference, length, out=np.zeros_like(difference), where=length > 0)
    elif kind == "squared":
        distance, slope = square, 2 * difference
    elif kind == "l1":
        distance, slope = np.abs(difference).sum(axis=2, keepdims=True), np.sign(difference)
    elif kind == "rbf":
        kernel = np.exp(-square / (2 * scale ** 2))
        distance, slope = 1 - kernel, kernel * difference / scale ** 2
    elif kind == "log":
        distance, slope = np.log1p(square / scale ** 2), 2 * difference / (scale ** 2 + square)
    return distance[:, :, 0], slope


def mean_distance(points, kind, scale):
    """Over all pairs of points (n, d), and its gradient (n, d)."""
    length, slope = pair_distance(kind, points[:, None, :] - points[None, :, :], scale)
    return length.mean(), 2 / len(points) ** 2 * slope.sum(axis=1)


def losses(prediction, target, weight=1., diversity_weight=0., distance="euclidean", scale=1., representations=None):
    """Values of one batch and the gradient at the predictions. weight: of each point's squared error. representations:
    where the distances are those of the experts' hidden layers, these; then there is a gradient at them too."""
    n = len(prediction)
    weight = np.broadcast_to(weight, n)[:, None]
    error = prediction - target
    mse, d_prediction, d_representations = (weight * error ** 2).mean(), 2 * weight * error / error.size, None
    if representations is None:
        diversity, slope = mean_distance(prediction, distance, scale)
        d_prediction = d_prediction - diversity_weight * slope
    else:
        each = [mean_distance(h, distance, scale) for h in representations]
        diversity = sum(value for value, _ in each) / len(each)
        d_representations = [-diversity_weight / len(each) * slope for _, slope in each]
    return {"loss": mse - diversity_weight * diversity, "mse": mse, "diversity": diversity,
            "d_prediction": d_prediction, "d_representations": d_representations}


# ---- training ----

class Trainer:
    """One replica. config: dictionaries by section; points (n, D) float32."""

    def __init__(self, config, points, seed):
        self.t, self.points, self.seed = config["training"], points, seed
        self.model = Model(config["model"], points.shape[1], seed)
        self.schedule = Schedule.of(config)
        self.parameters = self.model.initial(seed)
        self.ema = {name: value.copy() for name, value in self.parameters.items()}
        self.m = {name: np.zeros_like(value) for name, value in self.parameters.items()}
        self.v = {name: np.zeros_like(value) for name, value in self.parameters.items()}

    def draw(self, purpose, order_purpose, number, epoch, first, points):
        """Batch `number`: noised points, timesteps and what is to be predicted; its rows begin at `first` in the epoch's
        order."""
        rows = min(self.t["batch"], len(points) - first)
        x0 = points[permutation(self.seed, order_purpose, epoch, len(points))[first:first + rows]]
        words = philox(self.seed, purpose, number, np.arange(rows))
        noise = normals(self.seed, purpose, number, np.arange(rows), points.shape[1])
        t = (words[:, 2].astype(np.uint64) * np.uint64(self.schedule.T) >> np.uint64(32)).astype(int)
        return self.schedule.noised(x0, noise, t), t, self.schedule.target(x0, noise, t)

    def batch(self, step):
        size = self.t["batch"]
        epoch, position = divmod(step, -(-len(self.points) // size))
        return self.draw(TRAIN, PERMUTATION, step, epoch, position * size, self.points)

    def diversity_weight(self, step):
        share = .5 * (1 + math.cos(math.pi * step / self.t["steps"])) if self.t["diversity_course"] == "cosine" else 1
        return self.t["diversity_weight"] * share

    def losses(self, step, prediction, t, target, saved):
        inside = self.model.representations(saved) if self.t["diversity_layer"] == "hidden" else None
        return losses(prediction, target, self.schedule.weight[t], self.diversity_weight(step),
                      self.t["diversity_distance"], self.t["diversity_scale"], inside)

    def gradient(self, step):
        x, t, target = self.batch(step)
        prediction, saved = self.model.forward(self.parameters, x, t)
        result = self.losses(step, prediction, t, target, saved)
        gradient = self.model.backward(self.parameters, saved, result["d_prediction"], result["d_representations"])
        return {**result, "saved": saved, "gate": saved["gate"], "gradient": gradient, "timestep": t}

    def step(self, step):
        c, result = self.t, self.gradient(step)
        norm = math.sqrt(sum((g ** 2).sum() for g in result["gradient"].values()))
        scale = min(1, c["clip_norm"] / (norm + 1e-6))
        rate = .5 * c["learning_rate"] * (1 + math.cos(math.pi * step / c["steps"]))
        for name, p in self.parameters.items():
            g = result["gradient"][name] * scale
            p *= 1 - rate * c["weight_decay"]
            self.m[name] = c["beta1"] * self.m[name] + (1 - c["beta1"]) * g
            self.v[name] = c["beta2"] * self.v[name] + (1 - c["beta2"]) * g * g
            m_hat = self.m[name] / (1 - c["beta1"] ** (step + 1))
            v_hat = self.v[name] / (1 - c["beta2"] ** (step + 1))
            p -= rate * m_hat / (np.sqrt(v_hat) + c["epsilon"])
        self.average(step)
        return {**result, "grad_norm": norm}

    def average(self, step):
        c = self.t
        if step % c["ema_every"]:
            return
        if step - c["ema_every"] <= c["ema_start"]:
            self.ema = {name: value.copy() for name, value in self.parameters.items()}
        else:
            decay = min(max(1 - (1 + step - c["ema_start"]) ** -c["ema_power"], 0), c["ema_decay"])
            for name, value in self.parameters.items():
                self.ema[name] += (1 - decay) * (value - self.ema[name])

    def squared_errors(self, parameters, purpose, points):
        """Of the predicted noise, summed over the coordinates, in the batches of one pass through the points."""
        for number, first in enumerate(range(0, len(points), self.t["batch"])):
            x, t, target = self.draw(purpose, EVAL_ORDER, number, 0, first, points)
            prediction, _ = self.model.forward(parameters, x, t)
            noise = self.schedule.pair(x, target, t)[1]
            yield ((self.schedule.pair(x, prediction, t)[1] - noise) ** 2).sum(axis=1)

    def evaluate(self, parameters, purpose, points):
        """Mean squared error of the predicted noise: the unweighted mean of the batches' means."""
        squares = self.squared_errors(parameters, purpose, points)
        return float(np.mean([batch.mean() / points.shape[1] for batch in squares]))


def start_from_data(schedule, points, seed, n):
    """x_T (n, D) in float32 as training makes it: drawn points, noised to the last timestep."""
    words = philox(seed, SAMPLE, schedule.T, np.arange(n))
    which = (words[:, 2].astype(np.uint64) * np.uint64(len(points)) >> np.uint64(32)).astype(int)
    noise = normals(seed, SAMPLE, schedule.T, np.arange(n), points.shape[1])
    return schedule.noised(points[which], noise, np.full(n, schedule.T - 1))


def sample(model, schedule, parameters, seed, n, start=None):
    """Points (n, D), x_T, and gates (S, n, gates) or None, all steps in float64. start: x_T, else drawn."""
    index = np.arange(n)
    if start is None:
        start = normals(seed, SAMPLE, schedule.T, index, model.dimensions)
    x = start = start.astype(float)
    gates = []
    for i in reversed(range(len(schedule.timestep))):
        t = schedule.timestep[i]
        prediction, saved = model.forward(parameters, x, np.full(n, t))
        z = normals(seed, SAMPLE, t, index, model.dimensions)
        x = schedule.reverse(x, prediction, i, z)
        gates.append(saved["gate"])
    return x, start, None if gates[0] is None else np.stack(gates[::-1])
