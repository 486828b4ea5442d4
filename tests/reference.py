"""The experiment in NumPy and float64, written from its description, to test the program against.

Random numbers are Philox4x32-10 with the counters that host/philox.h lists; they, the noised points and the
initial parameters are formed in float32 like the program's, everything after that in float64. Gradients are
derived by hand; test_reference.py checks them by finite differences.
"""
import functools
import math

import numpy as np

INIT, TRAIN, EVALUATE, HELDOUT, SAMPLE, PERMUTATION, EVAL_ORDER, DATA = range(1, 9)
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


def normals(words):
    """(n, 2) from words 0 and 1 by Box-Muller, in float32."""
    radius = np.sqrt(np.float32(-2) * np.log(uniform(words[:, 0])))
    angle = words[:, 1].astype(np.float32) * np.float32(1.4629180792671596e-9) + np.float32(7.3145903963357980e-10)
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1).astype(np.float32)


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
    def __init__(self, timesteps, kind="linear", start=1e-4, end=.02):
        fraction = np.linspace(0, 1, timesteps)
        if kind == "linear":
            beta = start + (end - start) * fraction
        elif kind == "quadratic":
            beta = (math.sqrt(start) + (math.sqrt(end) - math.sqrt(start)) * fraction) ** 2
        elif kind == "scaled_linear":
            beta = (start + (end - start) * fraction) * 1000 / timesteps
        elif kind == "cosine":
            bar = np.cos((np.arange(timesteps + 1) / timesteps + .008) / 1.008 * math.pi / 2) ** 2
            beta = np.minimum(1 - bar[1:] / bar[:-1], .999)
        self.T, self.beta = timesteps, beta
        self.alpha_bar = np.cumprod(1 - beta)
        self.signal, self.noise = np.sqrt(self.alpha_bar), np.sqrt(1 - self.alpha_bar)

    def noised(self, x0, noise, t):
        """x_t in float32, as the networks see it."""
        signal, sigma = self.signal.astype(np.float32)[t, None], self.noise.astype(np.float32)[t, None]
        return signal * x0 + sigma * noise

    def reverse(self, x, prediction, t, z):
        """x_{t-1} from x_t: the posterior of the predicted x_0, plus its noise."""
        bar, before = self.alpha_bar[t], self.alpha_bar[t - 1] if t else 1.
        x0 = (x - math.sqrt(1 - bar) * prediction) / math.sqrt(bar)
        mean = (self.beta[t] * math.sqrt(before) * x0 + (1 - before) * math.sqrt(1 - self.beta[t]) * x) / (1 - bar)
        if t == 0:
            return mean
        return mean + math.sqrt(max(self.beta[t] * (1 - before) / (1 - bar), 1e-20)) * z


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


class Model:
    """config: the [model] section as a dictionary."""

    def __init__(self, config):
        self.config = config
        self.activation = config["activation"]
        inputs, hidden, depth = 3 * config["embedding_width"], config["hidden_width"], config["hidden_depth"]
        experts = config["experts"]
        self.towers = []
        for e in range(experts):
            name = "network" if experts == 1 else f"expert{e + 1}"
            layers = [Layer(name, "0", inputs, hidden, False, False)]
            layers += [Layer(name, f"{i}.ff", hidden, hidden, True, True) for i in range(1, depth + 1)]
            widths = [hidden, *config["expert_head"], 2]
            layers += [Layer(name, depth + 2 + 2 * i, widths[i], widths[i + 1], True, False)
                       for i in range(len(widths) - 1)]
            self.towers.append(layers)
        if experts > 1:
            widths = [inputs, *config["gate_layers"], 1]
            self.towers.append([Layer("gating_network", 2 * i, widths[i], widths[i + 1], i > 0, False)
                                for i in range(len(widths) - 1)])
        self.experts = experts
        self.shapes = {}
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
        half = self.config["embedding_width"] // 2
        frequency = 10000. ** (-np.arange(half) / (half - 1))
        scales = [self.config["input_scale"]] * 2 + [self.config["time_scale"]]
        parts = []
        for value, scale in zip((x[:, 0], x[:, 1], t), scales):
            angle = np.asarray(value, dtype=float)[:, None] * (scale * frequency)
            parts += [np.sin(angle), np.cos(angle)]
        return np.concatenate(parts, axis=1)

    def forward(self, parameters, x, t):
        """Prediction (n, 2) and everything the backward pass needs. The hidden values of a layer are its
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
        gate = None
        prediction = experts[0]
        if self.experts > 1:
            gate = 1 / (1 + np.exp(-hidden[-1][-1]))
            prediction = gate * experts[0] + (1 - gate) * experts[1]
        return prediction, {"hidden": hidden, "inputs": inputs, "experts": experts, "gate": gate}

    def backward(self, parameters, saved, d_prediction):
        """Gradient of every tensor from that of the prediction."""
        outputs = [d_prediction]
        if self.experts > 1:
            g, (one, two) = saved["gate"], saved["experts"]
            d_gate = (d_prediction * (one - two)).sum(axis=1, keepdims=True)
            outputs = [g * d_prediction, (1 - g) * d_prediction, d_gate * g * (1 - g)]
        gradient = {}
        for tower, hs, ins, d in zip(self.towers, saved["hidden"], saved["inputs"], outputs):
            for i in reversed(range(len(tower))):
                layer = tower[i]
                gradient[f"{layer.name}.weight"] = d.T @ ins[i]
                gradient[f"{layer.name}.bias"] = d.sum(axis=0)
                if i:
                    below = d @ parameters[f"{layer.name}.weight"] * act_derivative(self.activation, hs[i - 1])
                    d = below + d if layer.residual else below
        return gradient


def loss_and_gradient(model, parameters, x, t, noise, diversity_weight):
    """Values of one batch: total, mse, diversity, gate and the gradient of the total."""
    prediction, saved = model.forward(parameters, x, t)
    n = len(x)
    difference = prediction[:, None, :] - prediction[None, :, :]
    distance = np.sqrt((difference ** 2).sum(axis=2))
    mse, diversity = ((prediction - noise) ** 2).mean(), distance.mean()
    unit = np.divide(difference, distance[:, :, None], out=np.zeros_like(difference), where=distance[:, :, None] > 0)
    d_prediction = (prediction - noise) / n - diversity_weight * 2 / n ** 2 * unit.sum(axis=1)
    return {"loss": mse - diversity_weight * diversity, "mse": mse, "diversity": diversity, "saved": saved,
            "d_prediction": d_prediction, "gate": saved["gate"], "gradient": model.backward(parameters, saved, d_prediction)}


# ---- training ----

class Trainer:
    """One replica. config: dictionaries by section; points (n, 2) float32."""

    def __init__(self, config, points, seed):
        self.t, self.points, self.seed = config["training"], points, seed
        self.model = Model(config["model"])
        d = config["diffusion"]
        self.schedule = Schedule(d["timesteps"], d["schedule"], d["beta_start"], d["beta_end"])
        self.parameters = self.model.initial(seed)
        self.ema = {name: value.copy() for name, value in self.parameters.items()}
        self.m = {name: np.zeros_like(value) for name, value in self.parameters.items()}
        self.v = {name: np.zeros_like(value) for name, value in self.parameters.items()}

    def draw(self, purpose, order_purpose, number, epoch, first, points):
        """Batch `number`: noised points, timesteps and noise; its rows begin at `first` in the epoch's order."""
        rows = min(self.t["batch"], len(points) - first)
        x0 = points[permutation(self.seed, order_purpose, epoch, len(points))[first:first + rows]]
        words = philox(self.seed, purpose, number, np.arange(rows))
        noise = normals(words)
        t = (words[:, 2].astype(np.uint64) * np.uint64(self.schedule.T) >> np.uint64(32)).astype(int)
        return self.schedule.noised(x0, noise, t), t, noise

    def batch(self, step):
        size = self.t["batch"]
        epoch, position = divmod(step, -(-len(self.points) // size))
        return self.draw(TRAIN, PERMUTATION, step, epoch, position * size, self.points)

    def gradient(self, step):
        x, t, noise = self.batch(step)
        result = loss_and_gradient(self.model, self.parameters, x, t, noise, self.t["diversity_weight"])
        return {**result, "timestep": t}

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

    def evaluate(self, parameters, purpose, points):
        """Unweighted mean over the batches of one pass through the points."""
        means = []
        for number, first in enumerate(range(0, len(points), self.t["batch"])):
            x, t, noise = self.draw(purpose, EVAL_ORDER, number, 0, first, points)
            prediction, _ = self.model.forward(parameters, x, t)
            means.append(((prediction - noise) ** 2).mean())
        return float(np.mean(means))


def sample(model, schedule, parameters, seed, n):
    """Points (n, 2), x_T, and gates (T, n) or None, all steps in float64."""
    index = np.arange(n)
    x = start = normals(philox(seed, SAMPLE, schedule.T, index)).astype(float)
    gates = []
    for t in reversed(range(schedule.T)):
        prediction, saved = model.forward(parameters, x, np.full(n, t))
        z = normals(philox(seed, SAMPLE, t, index))
        x = schedule.reverse(x, prediction, t, z)
        gates.append(saved["gate"])
    return x, start, None if gates[0] is None else np.concatenate(gates[::-1], axis=1).T
