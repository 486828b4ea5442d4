"""The same training step, sampling and evaluation in JAX, for bench.py to compare with dualdiff.

    peer_jax.py CONFIG THREADS REPLICAS cpu|cuda
    peer_jax.py --check ARRAYS.npz CONFIG ACTIVATION cpu|cuda     losses of given steps from given parameters, as JSON

Speaks bench_server's protocol: `train STEPS`, `sample N`, `evaluate N`, in seconds a replica. Training is one jitted
lax.scan over a block of steps, sampling one over the timesteps, replicas are a vmap inside; buffers are donated. XLA takes
all cores that the process may use, so THREADS sets the processors it is bound to. An epoch's short last batch is left out:
its other shape would be compiled apart, for one step of 391.
"""
import json
import math
import os
import sys
import time

os.environ["JAX_PLATFORMS"] = sys.argv[-1]
os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # others use the device too
if sys.argv[1] != "--check" and sys.argv[-1] == "cpu":  # before JAX counts the processors
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:int(sys.argv[2])])

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from peer_protocol import EVALUATED, batches, read_configuration, schedule, serve

ACTIVATIONS = {"relu": jax.nn.relu, "gelu": lambda x: jax.nn.gelu(x, approximate=False), "silu": jax.nn.silu,
               "tanh": jnp.tanh}
BLOCK = {"cpu": 10, "cuda": 50}  # steps a call


def towers_of(c):
    """{tower: [(position in the reference's names, inputs, outputs, activate, residual)]}"""
    inputs, width, depth = 3 * c["embedding_width"], c["hidden_width"], c["hidden_depth"]
    widths = [width, *c["expert_head"], 2]
    expert = [("0", inputs, width, False, False)]
    expert += [(f"{i}.ff", width, width, True, True) for i in range(1, depth + 1)]
    expert += [(str(depth + 2 + 2 * i), a, b, True, False) for i, (a, b) in enumerate(zip(widths, widths[1:]))]
    if c["experts"] == 1:
        return {"network": expert}
    widths = [inputs, *c["gate_layers"], 1]
    gate = [(str(2 * i), a, b, i > 0, False) for i, (a, b) in enumerate(zip(widths, widths[1:]))]
    return {"gating_network": gate, "expert1": expert, "expert2": expert}


class Denoiser:
    """Parameters are {tower: [(weight (outputs, inputs), bias)]}; this order is the faster one on a CPU."""

    def __init__(self, c):
        self.c, self.towers = c, towers_of(c)
        half = c["embedding_width"] // 2
        self.frequency = np.exp(-math.log(10000.) * np.arange(half) / (half - 1)).astype(np.float32)

    def initial(self, key):
        parameters = {}
        for name, layers in self.towers.items():
            parameters[name] = []
            for _, a, b, *_ in layers:
                key, one, two = jax.random.split(key, 3)
                bound = 1 / math.sqrt(a)
                parameters[name].append((jax.random.uniform(one, (b, a), minval=-bound, maxval=bound),
                                         jax.random.uniform(two, (b,), minval=-bound, maxval=bound)))
        return parameters

    def named(self, arrays):
        """Parameters from arrays under the reference's names."""
        return {name: [(jnp.asarray(arrays[f"{name}.{position}.weight"]), jnp.asarray(arrays[f"{name}.{position}.bias"]))
                       for position, *_ in layers] for name, layers in self.towers.items()}

    def tower(self, name, parameters, h):
        activation = ACTIVATIONS[self.c["activation"]]
        for (_, _, _, activate, residual), (weight, bias) in zip(self.towers[name], parameters[name]):
            y = (activation(h) if activate else h) @ weight.T + bias
            h = h + y if residual else y
        return h

    def __call__(self, parameters, x, t):
        parts = []
        for value, scale in ((x[:, 0], self.c["input_scale"]), (x[:, 1], self.c["input_scale"]), (t, self.c["time_scale"])):
            angle = (value * scale)[:, None] * self.frequency
            parts += [jnp.sin(angle), jnp.cos(angle)]
        embedded = jnp.concatenate(parts, axis=1)
        if self.c["experts"] == 1:
            return self.tower("network", parameters, embedded)
        g = jax.nn.sigmoid(self.tower("gating_network", parameters, embedded))
        return g * self.tower("expert1", parameters, embedded) + (1 - g) * self.tower("expert2", parameters, embedded)


def mean_distance(p):
    square = ((p[:, None] - p[None]) ** 2).sum(axis=-1)
    apart = square > 0
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, square, 1.)), 0.).mean()


class Recipe:
    """What one step, one reverse step and one evaluated batch do, for one replica."""

    def __init__(self, config):
        self.model, self.training, d = Denoiser(config["model"]), config["training"], config["diffusion"]
        self.T = d["timesteps"]
        self.signal, self.noise, self.reverse = (a.astype(np.float32) for a in schedule(d))

    def loss(self, parameters, x, t, noise):
        prediction = self.model(parameters, x, t.astype(jnp.float32))
        loss = ((prediction - noise) ** 2).mean()
        weight = self.training["diversity_weight"]
        return loss - weight * mean_distance(prediction) if weight else loss

    def start(self, parameters):
        zeros = jax.tree.map(jnp.zeros_like, parameters)
        return {"online": parameters, "ema": jax.tree.map(jnp.copy, parameters), "m": zeros,
                "v": jax.tree.map(jnp.copy, zeros)}

    def step(self, state, step, x, t, noise):
        c = self.training
        loss, gradient = jax.value_and_grad(self.loss)(state["online"], x, t, noise)
        norm = jnp.sqrt(sum((g * g).sum() for g in jax.tree.leaves(gradient)))
        clip = jnp.minimum(1., c["clip_norm"] / (norm + 1e-6))
        rate = .5 * c["learning_rate"] * (1 + jnp.cos(math.pi * step / c["steps"]))
        count = (step + 1).astype(jnp.float32)
        size = rate / (1 - c["beta1"] ** count)
        root = jnp.sqrt(1 - c["beta2"] ** count)

        def adamw(p, g, m, v):
            g = clip * g
            m = m + (1 - c["beta1"]) * (g - m)
            v = c["beta2"] * v + (1 - c["beta2"]) * g * g
            return (1 - rate * c["weight_decay"]) * p - size * m / (jnp.sqrt(v) / root + c["epsilon"]), m, v

        moved = jax.tree.map(adamw, state["online"], gradient, state["m"], state["v"])
        online, m, v = jax.tree.transpose(jax.tree.structure(gradient), jax.tree.structure((0, 0, 0)), moved)
        since = step - c["ema_start"]
        decay = jnp.clip(1 - (1 + jnp.maximum(since, 0).astype(jnp.float32)) ** -c["ema_power"], 0, c["ema_decay"])
        factor = jnp.where(since <= c["ema_every"], 1., 1 - decay)
        ema = lax.cond(step % c["ema_every"] == 0,
                       lambda: jax.tree.map(lambda a, p: a + factor * (p - a), state["ema"], online), lambda: state["ema"])
        return {"online": online, "ema": ema, "m": m, "v": v}, loss

    def noised(self, key, x0):
        one, two = jax.random.split(key)
        t = jax.random.randint(one, x0.shape[:1], 0, self.T)
        noise = jax.random.normal(two, x0.shape)
        return jnp.asarray(self.signal)[t, None] * x0 + jnp.asarray(self.noise)[t, None] * noise, t, noise

    def evaluated(self, parameters, key, x0):
        x, t, noise = self.noised(key, x0)
        return ((self.model(parameters, x, t.astype(jnp.float32)) - noise) ** 2).mean()

    def sampled(self, parameters, key, n):
        start, key = jax.random.split(key)

        def reverse(x, given):
            t, key, (keep, remove, sigma) = given
            prediction = self.model(parameters, x, jnp.full(n, t, jnp.float32))
            return keep * x - remove * prediction + sigma * jax.random.normal(key, x.shape), None

        given = (jnp.arange(self.T), jax.random.split(key, self.T), jnp.asarray(self.reverse))
        return lax.scan(reverse, jax.random.normal(start, (n, 2)), given, reverse=True)[0]


class Peer:
    """Replicas that train together; they are the first axis of every array, except if there is only one."""

    def __init__(self, config, replicas, device):
        self.steps, self.evaluated = BLOCK[device], EVALUATED[device]
        self.recipe, self.replicas, self.size = Recipe(config), replicas, config["training"]["batch"]
        self.key, self.step = jax.random.key(0), 0
        self.state = self.each(lambda key: self.recipe.start(self.recipe.model.initial(key)), self.keys())
        self.points = jax.random.normal(jax.random.key(1), (100000, 2))
        self.batches = len(self.points) // self.size
        self.shuffle = jax.jit(lambda keys: self.each(lambda key: jax.random.permutation(key, self.points), keys))
        self.block = jax.jit(self.train_block, donate_argnums=0)
        self.evaluation = jax.jit(self.evaluate_all, static_argnums=2)
        self.sampling = jax.jit(self.sample_all, static_argnums=2)

    def each(self, function, *arguments):
        return (jax.vmap(function) if self.replicas > 1 else function)(*arguments)

    def keys(self):
        self.key, used = jax.random.split(self.key)
        return jax.random.split(used, self.replicas) if self.replicas > 1 else used

    def train_block(self, state, points, keys, first_step):
        def one(state, step):
            first = step % self.batches * self.size

            def alone(state, points, key):
                x0 = lax.dynamic_slice_in_dim(points, first, self.size)
                return self.recipe.step(state, step, *self.recipe.noised(jax.random.fold_in(key, step), x0))

            return self.each(alone, state, points, keys)

        return lax.scan(one, state, first_step + jnp.arange(self.steps))

    def train(self, steps):
        """A whole number of blocks, at least `steps`."""
        began, first = time.perf_counter(), self.step
        while self.step < first + steps:
            if self.step % self.batches < self.steps or self.step == 0:
                self.shuffled = self.shuffle(self.keys())
            self.state, losses = self.block(self.state, self.shuffled, self.keys(), self.step)
            self.step += self.steps
        losses.block_until_ready()
        return (time.perf_counter() - began) / (self.step - first) / self.replicas

    def evaluate_all(self, state, keys, n):
        size = min(n, self.evaluated)
        batches = self.points[:n // size * size].reshape(-1, size, 2)

        def alone(state, key):
            def one(_, given):
                return None, self.recipe.evaluated(state["online"], *given)
            return lax.scan(one, None, (jax.random.split(key, len(batches)), batches))[1].mean()

        return self.each(alone, state, keys)

    def sample_all(self, state, keys, n):
        return self.each(lambda state, key: self.recipe.sampled(state["ema"], key, n), state, keys)

    def timed(self, function, n):
        began = time.perf_counter()
        function(self.state, self.keys(), n).block_until_ready()
        return (time.perf_counter() - began) / self.replicas

    def evaluate(self, n):
        return self.timed(self.evaluation, n)

    def sample(self, n):
        return self.timed(self.sampling, n)


def check(arrays, path, activation, device):
    """Losses of the given batches from the given parameters."""
    data, config = np.load(arrays), read_configuration(path)
    set_precision("float32")
    config["model"]["activation"] = activation
    recipe = Recipe(config)
    state = recipe.start(recipe.model.named({key.removeprefix("parameter "): data[key] for key in data}))
    step, losses = jax.jit(recipe.step), []
    for i, batch in enumerate(batches(data)):
        state, loss = step(state, jnp.int32(i), *map(jnp.asarray, batch))
        losses.append(float(loss))
    print(json.dumps(losses))


def set_precision(precision):
    """On a device JAX multiplies in TF32 unless it is told otherwise."""
    jax.config.update("jax_default_matmul_precision", {"tf32": "tensorfloat32", "tf32x3": "float32"}.get(precision, precision))


def main():
    if sys.argv[1] == "--check":
        check(*sys.argv[2:])
        return
    _, path, _, replicas, device = sys.argv
    config = read_configuration(path)
    set_precision(config["training"]["precision"])
    serve(Peer(config, int(replicas), device), f"JAX {jax.__version__}")


main()
