"""The same training step, sampling and evaluation in PyTorch, for bench.py to compare with dualdiff.

    peer_torch.py CONFIG THREADS eager|compiled cpu|cuda
    peer_torch.py --check ARRAYS.npz CONFIG ACTIVATION cpu|cuda     losses of given steps from given parameters, as JSON

Speaks bench_server's protocol: `train STEPS`, `sample N`, `evaluate N`. Nothing is held back: one forward pass for both
experts and the gate, AdamW in its fused form, no data loader, no synchronisation, no logging. Compiled on a device, a
whole step (batch, loss, gradient, clip, update) is one CUDA graph, and so is all of sampling: eager mode there waits for
its kernels to be started.
"""
import json
import math
import sys
import time

import numpy as np
import torch
from torch import nn

from peer_protocol import EVALUATED, batches, read_configuration, schedule, serve

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}


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
    def __init__(self, config, compiled=False, device="cpu"):
        self.c, self.device = config, device
        self.graphs = compiled and device == "cuda"
        self.sampling = {}  # points: graph
        self.model = Denoiser(config["model"]).to(device)
        self.average = [p.detach().clone() for p in self.model.parameters()]
        self.parameters = list(self.model.parameters())
        t = config["training"]
        self.rate = torch.tensor(t["learning_rate"], device=device) if self.graphs else t["learning_rate"]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=self.rate, betas=(t["beta1"], t["beta2"]), eps=t["epsilon"],
                                           weight_decay=t["weight_decay"], fused=True, capturable=self.graphs)
        *scales, reverse = schedule(config["diffusion"])
        self.signal, self.noise = (torch.tensor(a, dtype=torch.float32, device=device) for a in scales)
        self.reverse = reverse.tolist()
        self.points = torch.randn(100000, 2, device=device)
        self.order, self.place, self.step = torch.randperm(len(self.points), device=device), 0, 0
        self.loss = torch.compile(self.plain_loss) if compiled else self.plain_loss
        self.predict = torch.compile(self.model) if compiled else self.model
        if self.graphs:
            self.count = torch.zeros((), dtype=torch.int64, device=device)
            self.within = torch.arange(t["batch"], device=device)
            self.graph = captured(self.whole_step)

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
        loss = self.learn(x, t, noise)
        self.update_average()
        self.step += 1
        return loss

    def learn(self, x, t, noise):
        loss = self.loss(x, t, noise)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, self.c["training"]["clip_norm"])
        self.optimizer.step()
        return loss

    def update_average(self):
        c = self.c["training"]
        if self.step % c["ema_every"] == 0:
            since = self.step - c["ema_start"]
            decay = 0 if since <= c["ema_every"] else min(1 - (1 + since) ** -c["ema_power"], c["ema_decay"])
            with torch.no_grad():
                torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - decay)

    def batch(self):
        size = self.c["training"]["batch"]
        if self.place >= len(self.points):
            self.order, self.place = torch.randperm(len(self.points), device=self.device), 0
        chosen = self.points[self.order[self.place:self.place + size]]
        self.place += size
        t = torch.randint(0, self.c["diffusion"]["timesteps"], (len(chosen),), device=self.device)
        noise = torch.randn_like(chosen)
        return self.signal[t, None] * chosen + self.noise[t, None] * noise, t, noise

    def whole_step(self):
        """A step without a number from the host. An epoch's short last batch is left out."""
        c, size = self.c["training"], self.c["training"]["batch"]
        first = self.count % (len(self.points) // size) * size
        x0 = self.points[self.order[first + self.within]]
        t = torch.randint(0, self.c["diffusion"]["timesteps"], (size,), device=self.device)
        noise = torch.randn_like(x0)
        self.rate.copy_(.5 * c["learning_rate"] * (1 + torch.cos(math.pi * self.count / c["steps"])))
        self.learn(self.signal[t, None] * x0 + self.noise[t, None] * noise, t, noise)
        self.count += 1

    def replay_step(self):
        if self.step % (len(self.points) // self.c["training"]["batch"]) == 0:
            self.order.copy_(torch.randperm(len(self.points), device=self.device))
        self.graph.replay()
        self.update_average()
        self.step += 1

    def train(self, steps):
        began = self.now()
        for _ in range(steps):
            if self.graphs:
                self.replay_step()
            else:
                self.train_on(*self.batch())
        return (self.now() - began) / steps

    def now(self):
        """Seconds, behind all work that was given to the device."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def evaluate(self, n):
        """Batches larger than in training: that is faster and does not change the mean."""
        began, size, losses = self.now(), min(n, EVALUATED[self.device]), []
        with torch.inference_mode():
            for first in range(0, n // size * size, size):
                x0 = self.points[first:first + size]
                t = torch.randint(0, self.c["diffusion"]["timesteps"], (len(x0),), device=self.device)
                noise = torch.randn_like(x0)
                x = self.signal[t, None] * x0 + self.noise[t, None] * noise
                losses.append(nn.functional.mse_loss(self.predict(x, t), noise))
            torch.stack(losses).mean()
        return self.now() - began

    def samples(self, n):
        x = torch.randn(n, 2, device=self.device)
        for t, (keep, remove, sigma) in reversed(list(enumerate(self.reverse))):
            x = keep * x - remove * self.predict(x, torch.full((n,), t, device=self.device))
            if t:
                x += sigma * torch.randn_like(x)
        return x

    def sample(self, n):
        if self.graphs and n not in self.sampling:
            with torch.no_grad():
                self.sampling[n] = captured(lambda: self.samples(n))
        began = self.now()
        with torch.inference_mode():
            if self.graphs:
                self.sampling[n].replay()
            else:
                self.samples(n)
        return self.now() - began


def captured(work):
    """The CUDA graph of `work`, which runs on a separate stream first: that compiles it."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph


def check(arrays, path, activation, device):
    """Losses of the given batches from the given parameters."""
    data, config = np.load(arrays), read_configuration(path)
    config["model"]["activation"] = activation
    peer = Peer(config, device=device)
    with torch.no_grad():
        for name, parameter in peer.model.named_parameters():
            parameter.copy_(torch.from_numpy(data[f"parameter {name}"]))
    losses = []
    for batch in batches(data):
        losses.append(float(peer.train_on(*(torch.from_numpy(array).to(device) for array in batch)).detach()))
    print(json.dumps(losses))


def main():
    if sys.argv[1] == "--check":
        check(*sys.argv[2:])
        return
    _, path, threads, mode, device = sys.argv
    torch.set_num_threads(int(threads))
    config = read_configuration(path)
    torch.backends.cuda.matmul.allow_tf32 = config["training"]["precision"] == "tf32"
    serve(Peer(config, mode == "compiled", device), f"PyTorch {torch.__version__}")


main()
