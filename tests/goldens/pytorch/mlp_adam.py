"""Makes mlp_adam.json: 100 steps of a 30-64-32-10 network with Adam in PyTorch, float32 on one thread.

    pip install torch && python3 mlp_adam.py > mlp_adam.json

Weights, inputs and labels follow from formulas (see `weight`, `inputs`, `labels`), which tests/unit/driver repeats.
"""
import json

import torch

SIZES, BATCH, STEPS = [30, 64, 32, 10], 32, 100


def weight(count, fan_in, salt):
    k = torch.arange(count, dtype=torch.int64)
    return (((k * 7919 + salt * 104729) % 2003).double() / 2003 - 0.5).mul(2 / fan_in**0.5).float()


def inputs(step):
    k = torch.arange(BATCH * SIZES[0], dtype=torch.int64)
    return (((k * 3571 + step * 7727) % 1009).double() / 1009 * 2 - 1).float().reshape(BATCH, SIZES[0])


def labels(step):
    return (torch.arange(BATCH, dtype=torch.int64) * 3 + step * 5) % 7 % SIZES[-1]


def main():
    torch.set_num_threads(1)
    layers = []
    for n, (fan_in, fan_out) in enumerate(zip(SIZES, SIZES[1:])):
        linear = torch.nn.Linear(fan_in, fan_out)
        linear.weight.data = weight(fan_in * fan_out, fan_in, 2 * n).reshape(fan_out, fan_in)
        linear.bias.data = weight(fan_out, fan_in, 2 * n + 1)
        layers += [linear, torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(inputs(step)), labels(step))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    parameters = {f"fc{1 + int(name[0]) // 2}.{name[2:]}": [float(f"{v:.9g}") for v in p.detach().flatten().tolist()]
                  for name, p in model.named_parameters()}
    print(json.dumps({"torch": torch.__version__, "losses": losses, "parameters": parameters}))


main()
