"""Weights that PyTorch saved, and what its network puts out: net.nn has to load the one and give the other.

python make.py                                     writes weights.safetensors, rows.csv, expected.json
python make.py RUN rows.csv predictions.csv        loads the weights of a run of examples/breast_cancer.nn into torch.nn and compares"""
import csv
import json
import sys
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

here = Path(__file__).parent


def write():
    torch.manual_seed(5)
    net = nn.Sequential(OrderedDict(fc1=nn.Linear(3, 5), act=nn.ReLU(), norm=nn.LayerNorm(5), fc2=nn.Linear(5, 1)))
    with torch.no_grad():
        net.norm.weight.uniform_(0.5, 1.5)
        net.norm.bias.uniform_(-0.5, 0.5)
    rows = torch.round(torch.randn(7, 3) * 4, decimals=3)
    save_file(net.state_dict(), here / "weights.safetensors")
    with open(here / "rows.csv", "w") as file:
        file.write("a,b,c,y\n")
        for k, row in enumerate(rows.tolist()):
            file.write(",".join(f"{value:.3f}" for value in row) + f",{k % 2}\n")
    with torch.no_grad():
        expected = torch.sigmoid(net(rows).squeeze(-1)).tolist()
    (here / "expected.json").write_text(json.dumps(expected) + "\n")


def compare(run, table, predictions):
    newest = max((Path(run) / "best").glob("step-*"), key=lambda path: int(path.name[5:]))
    weights = load_file(newest / "model.safetensors")
    widths = [weights[name].shape for name in ("linear.weight", "linear_1.weight", "linear_2.weight")]
    layers = [nn.Linear(shape[1], shape[0]) for shape in widths]
    net = nn.Sequential(OrderedDict(linear=layers[0], relu=nn.ReLU(), linear_1=layers[1], relu_1=nn.ReLU(), linear_2=layers[2]))
    net.load_state_dict(weights)
    plan = next(field for field in json.loads((Path(run) / "fitted.json").read_text())["fields"] if field["name"] == "x")
    columns = []
    rows = list(csv.DictReader(open(table)))
    for pipe in plan["pipes"]:
        step = pipe["steps"][0]
        columns.append([(float(row[pipe["column"]]) - step["a"][0]) / step["b"][0] for row in rows])
    with torch.no_grad():
        expected = torch.sigmoid(net(torch.tensor(columns).T)).squeeze(-1)
    got = torch.tensor([float(row["p"]) for row in csv.DictReader(open(predictions))])
    print(f"{len(got)} rows, largest difference {float((got - expected).abs().max()):.3g}")


compare(*sys.argv[1:]) if len(sys.argv) > 1 else write()
