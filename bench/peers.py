"""The same training step in nnc and its peers, in turn, several rounds; prints medians, ratios and fractions of the limit.

    python3 bench/peers.py build/release/nnc [--threads N] [--rounds R] [--sweep] [--json]

Peers: PyTorch eager and compiled, JAX jitted per step and with steps scanned inside one jitted call, scikit-learn's MLP (table only).
Every peer holds its weights and batches ready; only the step is timed: forward, loss, backward, Adam. All run on the same cores.
"""
import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from typing import NamedTuple


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("nnc")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.6, help="of each measurement")
    parser.add_argument("--sweep", action="store_true", help="also other batch lengths and widths")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out: it takes its time")
    parser.add_argument("--json", action="store_true", help="one object a line")
    return parser.parse_args()


ARGS = parse_arguments()
MULTI = "true" if ARGS.threads > 1 else "false"
os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={MULTI} intra_op_parallelism_threads={ARGS.threads}"
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = str(ARGS.threads)
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: ARGS.threads]))
warnings.filterwarnings("ignore")

import jax  # noqa: E402  (after the settings above)
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(ARGS.threads)
HERE = os.path.dirname(os.path.abspath(__file__))
MLP = os.path.join(HERE, "mlp.nn")
EXAMPLES = os.path.join(HERE, "..", "examples")


class Work(NamedTuple):
    title: str
    model: str  # nnc's file, and what it is told
    settings: list
    sizes: list  # of the layers
    batch: int
    digits: bool = False  # the rows are pictures of digits, mostly zeros; else random


def mlp(inputs, hidden, hidden2, classes, batch):
    """A size of bench/mlp.nn."""
    sizes = [inputs, hidden, hidden2, classes]
    names = ("inputs", "hidden", "hidden2", "classes")
    settings = [f"{name}={size}" for name, size in zip(names, sizes)]
    settings += [f"rows={max(4 * batch, 256)}", f"train.batch=mini({batch})"]
    return Work("-".join(map(str, sizes)) + f", batch {batch}", MLP, settings, sizes, batch)


def works():
    yield Work("30-64-32-1, batch 32", os.path.join(EXAMPLES, "breast_cancer.nn"), [], [30, 64, 32, 1], 32)
    yield mlp(784, 512, 256, 10, 128)
    yield Work("the same, digits", os.path.join(EXAMPLES, "mnist_mlp.nn"), [], [784, 512, 256, 10], 128, digits=True)
    if ARGS.sweep:
        for batch in (1, 7, 32, 100, 500):
            yield mlp(784, 512, 256, 10, batch)
        for width in (10, 31, 64, 127, 256, 509, 1024, 2048):
            yield mlp(width, width, width, 10, 128)


def median_step(step):
    """Median microseconds of a step; short steps are timed in groups."""
    step()
    group, samples, end = 1, [], time.perf_counter() + ARGS.seconds
    while time.perf_counter() < end or len(samples) < 3:
        start = time.perf_counter()
        for _ in range(group):
            step()
        spent = time.perf_counter() - start
        samples.append(spent / group * 1e6)
        if spent < 2e-3:
            group *= 2
    return statistics.median(samples[len(samples) // 4 :])


def read_digits(kind, header, rows):
    with gzip.open(os.path.join(EXAMPLES, "data", f"mnist-{kind}-ubyte.gz")) as file:
        values = np.frombuffer(file.read(), np.uint8, offset=header)
    return values.reshape(12000, -1)[:rows]


def batch_of(work, rows):
    if work.digits:
        x, y = read_digits("images-idx3", 16, rows), read_digits("labels-idx1", 8, rows)
        return x.astype(np.float32) / 255, y[:, 0].astype(np.int64)
    random = np.random.default_rng(0)
    x = random.standard_normal((rows, work.sizes[0]), dtype=np.float32)
    y = random.integers(0, max(2, work.sizes[-1]), rows)
    return x, y


def torch_step(work, compiled):
    sizes = work.sizes
    layers = []
    for fan_in, fan_out in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    x, y = (torch.from_numpy(a) for a in batch_of(work, work.batch))

    def loss_of():
        out = model(x)
        if sizes[-1] == 1:
            return torch.nn.functional.binary_cross_entropy_with_logits(out.squeeze(-1), y.float())
        return torch.nn.functional.cross_entropy(out, y)

    forward = torch.compile(loss_of) if compiled else loss_of

    def step():
        optimizer.zero_grad()
        forward().backward()
        optimizer.step()

    return step


def jax_steps(work):
    sizes, rows = work.sizes, work.batch
    random = np.random.default_rng(1)
    weights = [(random.standard_normal((o, i), dtype=np.float32) / i**0.5, np.zeros(o, np.float32)) for i, o in zip(sizes, sizes[1:])]
    zeros = jax.tree.map(np.zeros_like, weights)
    state = jax.tree.map(jnp.asarray, (weights, zeros, zeros, np.float32(0)))
    x, y = (jnp.asarray(a) for a in batch_of(work, rows))

    def loss_of(params):
        h = x
        for k, (w, b) in enumerate(params):
            h = h @ w.T + b
            if k + 1 < len(params):
                h = jax.nn.relu(h)
        if sizes[-1] == 1:
            z = h[:, 0]
            return jnp.mean(jax.nn.softplus(z) - z * y)
        return -jnp.mean(jax.nn.log_softmax(h)[jnp.arange(rows), y])

    def update(state):
        p, m, v, t = state
        _, g = jax.value_and_grad(loss_of)(p)
        t = t + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        p = jax.tree.map(lambda p, m, v: p - 1e-3 * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8), p, m, v)
        return p, m, v, t

    jitted = jax.jit(update, donate_argnums=0)
    length = 32
    scanned = jax.jit(lambda s: jax.lax.scan(lambda s, _: (update(s), None), s, None, length=length)[0], donate_argnums=0)
    held = {"jit": jax.tree.map(jnp.copy, state), "scan": state}

    def run(name, function):
        def step():
            held[name] = function(held[name])
            jax.block_until_ready(held[name])

        return step

    return run("jit", jitted), run("scan", scanned), length


def sklearn_step(work):
    """partial_fit over several batches, and how many steps that is; only where the target is binary."""
    from sklearn.neural_network import MLPClassifier

    steps = 16
    x, y = batch_of(work, work.batch * steps)
    model = MLPClassifier(hidden_layer_sizes=work.sizes[1:-1], solver="adam", batch_size=work.batch, alpha=0)
    model.partial_fit(x, y, classes=[0, 1])
    return lambda: model.partial_fit(x, y), steps


def nnc_step(work):
    # It may use the same cores, and chooses how many.
    command = [ARGS.nnc, "bench", work.model, *work.settings, "--json", "--seconds", str(ARGS.seconds)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def peers_of(work):
    """Names and functions that give microseconds a step."""
    jit, scan, length = jax_steps(work)
    found = {"jax scan": lambda: median_step(scan) / length, "jax jit": lambda: median_step(jit)}
    eager = torch_step(work, False)
    found["torch"] = lambda: median_step(eager)
    if not ARGS.no_compile:
        compiled = torch_step(work, True)
        found["torch.compile"] = lambda: median_step(compiled)
    if work.sizes[-1] == 1:
        fit, steps = sklearn_step(work)
        found["sklearn"] = lambda: median_step(fit) / steps
    return found


def measure(work):
    peers = peers_of(work)
    rounds, reports = [], []
    for _ in range(ARGS.rounds):
        reports.append(nnc_step(work))
        rounds.append({name: step() for name, step in peers.items()})
    nnc = statistics.median(report["step_us"] for report in reports)
    best = max(reports, key=lambda report: report["limit_gflops"])
    limit_us = best["flops_per_step"] / best["limit_gflops"] * 1e-3
    result = {"work": work.title, "threads": ARGS.threads, "nnc": nnc, "limit_us": limit_us, "of_limit": limit_us / nnc}
    result["peers"] = {name: statistics.median(r[name] for r in rounds) for name in peers}
    return result


def print_row(result):
    cells = [f"{result['work']:34}", f"{result['nnc']:9.1f}", f"{result['limit_us']:9.1f}", f"{100 * result['of_limit']:4.0f} %"]
    for name in ("jax scan", "jax jit", "torch", "torch.compile", "sklearn"):
        us = result["peers"].get(name)
        cells.append(f"{us:9.1f} ({us / result['nnc']:5.2f})" if us else " " * 17)
    print(" ".join(cells), flush=True)


def main():
    if not ARGS.json:
        print(f"torch {torch.__version__}, jax {jax.__version__}, {ARGS.threads} thread(s), medians of {ARGS.rounds} rounds")
        print("microseconds a step; limit: its operations at the peak of multiply-adds (of digits, nnc skips zeros); in brackets how many times nnc is faster")
        heads = [f"{name:>17}" for name in ("jax scan", "jax jit", "torch", "torch.compile", "sklearn")]
        print(f"{'work':34} {'nnc':>9} {'limit':>9} {'of it':>6} " + " ".join(heads))
    for work in works():
        result = measure(work)
        print(json.dumps(result), flush=True) if ARGS.json else print_row(result)


if __name__ == "__main__":
    sys.exit(main())
