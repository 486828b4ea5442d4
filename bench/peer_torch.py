"""The same training step, sampling and evaluation in PyTorch, for bench.py to measure beside dualdiff.

    peer_torch.py CONFIG THREADS eager|compiled
    peer_torch.py --check ARRAYS.npz CONFIG ACTIVATION     losses of given steps from given parameters, as JSON

Speaks bench_server's protocol: `train STEPS`, `sample N`, `evaluate N`. Nothing is held back: one forward pass for both
experts and the gate, AdamW in its fused form, no data loader, no synchronisation, no logging.
"""
import json
import math
import sys
import time

import numpy as np
import torch
from torch import nn

from peer_protocol import batches, read, serve

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}
EVALUATED = 1024  # points a batch where only the mean counts


class Residual(nn.Module):
    def __init__(self, width, activation):
        super().__init__()
        self.ff, self.act = nn.Linear(width, width), activation()

    def forward(self, x):
        return x + self.ff(self.act(x))


class Denoiser(nn.Module):
    def __init__(self, c):
        super().__init__()
        activation, half = ACTIVATIONS[c["activation"]], c["embedding_width"] // 2
        frequency = torch.exp(-math.log(10000.) * torch.arange(half, dtype=torch.float64) / (half - 1))
        self.register_buffer("frequency", frequency.float(), persistent=False)
        self.scales = [c["input_scale"], c["input_scale"], c["time_scale"]]
        inputs, width = 3 * c["embedding_width"], c["hidden_width"]

        def head(widths):
            layers = []
            for a, b in zip(widths, widths[1:]):
                layers += [activation(), nn.Linear(a, b)]
            return layers

        def expert():
            trunk = [Residual(width, activation) for _ in range(c["hidden_depth"])]
            return nn.Sequential(nn.Linear(inputs, width), *trunk, *head([width, *c["expert_head"], 2]))

        if c["experts"] == 1:
            self.network = expert()
        else:
            gate = c["gate_layers"]
            self.gating_network = nn.Sequential(nn.Linear(inputs, gate[0]), *head([*gate, 1]), nn.Sigmoid())
            self.expert1, self.expert2 = expert(), expert()
        self.single = c["experts"] == 1

    def forward(self, x, t):
        parts = []
        for value, scale in zip((x[:, 0], x[:, 1], t), self.scales):
            angle = (value * scale).unsqueeze(1) * self.frequency
            parts += [torch.sin(angle), torch.cos(angle)]
        embedded = torch.cat(parts, dim=1)
        if self.single:
            return self.network(embedded)
        g = self.gating_network(embedded)
        return g * self.expert1(embedded) + (1 - g) * self.expert2(embedded)


class Peer:
    def __init__(self, config, compiled=False, points=None):
        self.c = config
        self.model = Denoiser(config["model"])
        self.average = [p.detach().clone() for p in self.model.parameters()]
        self.parameters = list(self.model.parameters())
        t = config["training"]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=t["learning_rate"], betas=(t["beta1"], t["beta2"]),
                                           eps=t["epsilon"], weight_decay=t["weight_decay"], fused=True)
        T = config["diffusion"]["timesteps"]
        self.beta = torch.linspace(config["diffusion"]["beta_start"], config["diffusion"]["beta_end"], T,
                                   dtype=torch.float64)
        bar = torch.cumprod(1 - self.beta, 0)
        self.bar, self.signal, self.noise = bar, bar.sqrt().float(), (1 - bar).sqrt().float()
        self.points = torch.randn(100000, 2) if points is None else points
        self.order, self.place, self.step = torch.randperm(len(self.points)), 0, 0
        self.loss = torch.compile(self.plain_loss) if compiled else self.plain_loss
        self.predict = torch.compile(self.model) if compiled else self.model

    def plain_loss(self, x, t, noise):
        prediction = self.model(x, t)
        loss = nn.functional.mse_loss(prediction, noise)
        weight = self.c["training"]["diversity_weight"]
        if weight:
            loss = loss - weight * torch.cdist(prediction, prediction).mean()
        return loss

    def train_on(self, x, t, noise):
        c = self.c["training"]
        for group in self.optimizer.param_groups:
            group["lr"] = .5 * c["learning_rate"] * (1 + math.cos(math.pi * self.step / c["steps"]))
        loss = self.loss(x, t, noise)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, c["clip_norm"])
        self.optimizer.step()
        if self.step % c["ema_every"] == 0:
            since = self.step - c["ema_start"]
            decay = 0 if since <= c["ema_every"] else min(1 - (1 + since) ** -c["ema_power"], c["ema_decay"])
            with torch.no_grad():
                torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - decay)
        self.step += 1
        return loss

    def batch(self):
        size = self.c["training"]["batch"]
        if self.place >= len(self.points):
            self.order, self.place = torch.randperm(len(self.points)), 0
        chosen = self.points[self.order[self.place:self.place + size]]
        self.place += size
        t = torch.randint(0, self.c["diffusion"]["timesteps"], (len(chosen),))
        noise = torch.randn_like(chosen)
        return self.signal[t, None] * chosen + self.noise[t, None] * noise, t, noise

    def train(self, steps):
        began = time.perf_counter()
        for _ in range(steps):
            self.train_on(*self.batch())
        return (time.perf_counter() - began) / steps

    def evaluate(self, n):
        """Batches larger than in training, which is faster and leaves the mean what it is."""
        began, size, losses = time.perf_counter(), min(n, EVALUATED), []
        with torch.inference_mode():
            for first in range(0, n // size * size, size):
                x0 = self.points[first:first + size]
                t = torch.randint(0, self.c["diffusion"]["timesteps"], (len(x0),))
                noise = torch.randn_like(x0)
                x = self.signal[t, None] * x0 + self.noise[t, None] * noise
                losses.append(nn.functional.mse_loss(self.predict(x, t), noise))
            torch.stack(losses).mean()
        return time.perf_counter() - began

    def sample(self, n):
        began = time.perf_counter()
        with torch.inference_mode():
            x = torch.randn(n, 2)
            for t in reversed(range(len(self.beta))):
                bar, before, beta = self.bar[t], self.bar[t - 1] if t else torch.tensor(1.), self.beta[t]
                c1 = float(beta * before.sqrt() / (1 - bar))
                c2 = float((1 - before) * (1 - beta).sqrt() / (1 - bar))
                prediction = self.predict(x, torch.full((n,), t))
                x = c1 * (x - self.noise[t] * prediction) / self.signal[t] + c2 * x
                if t:
                    x += float((beta * (1 - before) / (1 - bar)).sqrt()) * torch.randn_like(x)
        return time.perf_counter() - began


def check(arrays, path, activation):
    """Losses of the given batches from the given parameters."""
    data, config = np.load(arrays), read(path)
    config["model"]["activation"] = activation
    peer = Peer(config)
    with torch.no_grad():
        for name, parameter in peer.model.named_parameters():
            parameter.copy_(torch.from_numpy(data[f"parameter {name}"]))
    losses = []
    for batch in batches(data):
        losses.append(float(peer.train_on(*map(torch.from_numpy, batch)).detach()))
    print(json.dumps(losses))


def main():
    if sys.argv[1] == "--check":
        check(*sys.argv[2:])
        return
    torch.set_num_threads(int(sys.argv[2]))
    peer = Peer(read(sys.argv[1]), compiled=sys.argv[3] == "compiled")
    serve(peer, f"PyTorch {torch.__version__}")


main()
