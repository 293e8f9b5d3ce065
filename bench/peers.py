"""The same training step in nnc, JAX and PyTorch, in turn, several rounds; prints medians and ratios.

    python3 bench/peers.py build/release/nnc [--threads N] [--rounds R]

Needs torch and jax (CPU). Every peer holds its weights and batches ready; only the step is timed: forward, loss, backward, Adam.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

WORK = {
    "examples/breast_cancer.nn": ([30, 64, 32, 1], 32),
    "examples/mnist_mlp.nn": ([784, 512, 256, 10], 128),
}


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("nnc")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


ARGS = arguments()
os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={'true' if ARGS.threads > 1 else 'false'} intra_op_parallelism_threads={ARGS.threads}"
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(ARGS.threads)
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: ARGS.threads]))

import jax  # noqa: E402  (after the settings above)
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(ARGS.threads)


def median_step(step, seconds=0.6):
    """Median microseconds of a step; short steps are timed in groups."""
    step()
    group, samples, end = 1, [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(group):
            step()
        spent = time.perf_counter() - start
        samples.append(spent / group * 1e6)
        if spent < 2e-3:
            group *= 2
    return statistics.median(samples[len(samples) // 4 :])


def batch_of(sizes, rows):
    random = np.random.default_rng(0)
    x = random.standard_normal((rows, sizes[0]), dtype=np.float32)
    y = random.integers(0, max(2, sizes[-1]), rows)
    return x, y


def torch_step(sizes, rows):
    layers = []
    for fan_in, fan_out in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    x, y = (torch.from_numpy(a) for a in batch_of(sizes, rows))

    def loss_of():
        out = model(x)
        if sizes[-1] == 1:
            return torch.nn.functional.binary_cross_entropy_with_logits(out.squeeze(-1), y.float())
        return torch.nn.functional.cross_entropy(out, y)

    def step():
        optimizer.zero_grad()
        loss_of().backward()
        optimizer.step()

    return step


def jax_steps(sizes, rows):
    random = np.random.default_rng(1)
    weights = [(random.standard_normal((o, i), dtype=np.float32) / i**0.5, np.zeros(o, np.float32)) for i, o in zip(sizes, sizes[1:])]
    zeros = jax.tree.map(np.zeros_like, weights)
    state = jax.tree.map(jnp.asarray, (weights, zeros, zeros, np.float32(0)))
    x, y = (jnp.asarray(a) for a in batch_of(sizes, rows))

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


def nnc_step(model):
    command = [ARGS.nnc, "bench", model, "--json", "--seconds", "0.6", "--threads", str(ARGS.threads)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["step_us"]


def main():
    print(f"torch {torch.__version__}, jax {jax.__version__}, {ARGS.threads} thread(s), medians of {ARGS.rounds} rounds, microseconds a step")
    print(f"{'model':28} {'nnc':>9} {'jax scan':>9} {'jax jit':>9} {'torch':>9}   ratios to nnc")
    for model, (sizes, rows) in WORK.items():
        eager = torch_step(sizes, rows)
        jit, scan, length = jax_steps(sizes, rows)
        rounds = [(nnc_step(model), median_step(scan) / length, median_step(jit), median_step(eager)) for _ in range(ARGS.rounds)]
        nnc, *peers = (statistics.median(column) for column in zip(*rounds))
        print(f"{model:28} {nnc:9.1f} " + " ".join(f"{p:9.1f}" for p in peers) + "   " + " ".join(f"{p / nnc:.2f}" for p in peers))


if __name__ == "__main__":
    sys.exit(main())
