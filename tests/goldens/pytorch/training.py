"""Makes training.json: what PyTorch's optimizers, schedules, losses, clipping and weight averages give, in float64.

    pip install torch && python3 training.py > training.json

Each case stands beside the expression of the language that has to give the same numbers.
"""
import json

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)

START = [1.0, -2.0, 0.5]
GRADIENTS = [[0.1, -0.3, 2.0], [0.2, 0.4, -1.0], [-0.5, 0.1, 0.3], [0.0, 0.7, -0.2], [0.3, -0.9, 0.05], [0.2, 0.0, 1.5]]

OPTIMIZERS = [
    ("SGD(lr = 0.1)", torch.optim.SGD, dict(lr=0.1)),
    ("SGD(lr = 0.1, momentum = 0.9)", torch.optim.SGD, dict(lr=0.1, momentum=0.9)),
    ("SGD(lr = 0.1, momentum = 0.9, dampening = 0.5)", torch.optim.SGD, dict(lr=0.1, momentum=0.9, dampening=0.5)),
    ("SGD(lr = 0.1, momentum = 0.9, nesterov = true, weight_decay = 0.05)", torch.optim.SGD,
     dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.05)),
    ("SGD(lr = 0.1, weight_decay = 0.05)", torch.optim.SGD, dict(lr=0.1, weight_decay=0.05)),
    ("Adam()", torch.optim.Adam, dict()),
    ("Adam(lr = 0.1, weight_decay = 0.1)", torch.optim.Adam, dict(lr=0.1, weight_decay=0.1)),
    ("Adam(lr = 0.1, beta1 = 0.8, beta2 = 0.5, eps = 1e-4, weight_decay = 0.1, amsgrad = true)", torch.optim.Adam,
     dict(lr=0.1, betas=(0.8, 0.5), eps=1e-4, weight_decay=0.1, amsgrad=True)),
    ("AdamW()", torch.optim.AdamW, dict()),
    ("AdamW(lr = 0.1, weight_decay = 0.2, amsgrad = true)", torch.optim.AdamW,
     dict(lr=0.1, weight_decay=0.2, amsgrad=True)),
    ("RMSprop()", torch.optim.RMSprop, dict()),
    ("RMSprop(lr = 0.1, alpha = 0.9, weight_decay = 0.1, momentum = 0.9, centered = true)", torch.optim.RMSprop,
     dict(lr=0.1, alpha=0.9, weight_decay=0.1, momentum=0.9, centered=True)),
    ("RMSprop(centered = true)", torch.optim.RMSprop, dict(centered=True)),
    ("Adagrad(lr = 0.1, lr_decay = 0.1, initial_accumulator_value = 0.5)", torch.optim.Adagrad,
     dict(lr=0.1, lr_decay=0.1, initial_accumulator_value=0.5)),
    ("Adadelta()", torch.optim.Adadelta, dict()),
    ("Adamax()", torch.optim.Adamax, dict()),
    ("NAdam()", torch.optim.NAdam, dict()),
    ("RAdam(beta2 = 0.9)", torch.optim.RAdam, dict(betas=(0.9, 0.9))),
    ("Rprop(lr = 0.1)", torch.optim.Rprop, dict(lr=0.1)),
]


def optimizer_case(expression, kind, arguments):
    p = torch.nn.Parameter(torch.tensor(START))
    optimizer = kind([p], **arguments)
    steps = []
    for gradient in GRADIENTS:
        p.grad = torch.tensor(gradient)
        optimizer.step()
        steps.append(p.detach().tolist())
    return {"nnc": expression, "steps": steps}


def schedule_case(expression, base, make, count=10):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base)
    scheduler = make(optimizer)
    rates = []
    for _ in range(count):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return {"nnc": expression, "rates": rates}


LR = torch.optim.lr_scheduler
SCHEDULES = [  # ten epochs of one step
    ("step(0.5, step_size = 3, gamma = 0.2)", 0.5, lambda o: LR.StepLR(o, 3, 0.2)),
    ("multi_step(0.5, [2, 5], gamma = 0.3)", 0.5, lambda o: LR.MultiStepLR(o, [2, 5], 0.3)),
    ("exponential(0.5, gamma = 0.9)", 0.5, lambda o: LR.ExponentialLR(o, 0.9)),
    ("linear(0.5, start_factor = 0.25, end_factor = 0.75, total_iters = 4)", 0.5,
     lambda o: LR.LinearLR(o, 0.25, 0.75, 4)),
    ("polynomial(0.5, total_iters = 4, power = 2)", 0.5, lambda o: LR.PolynomialLR(o, 4, 2)),
    ("cosine(0.5)", 0.5, lambda o: LR.CosineAnnealingLR(o, 10)),
    ("cosine(0.5, floor = 0.2)", 0.5, lambda o: LR.CosineAnnealingLR(o, 10, eta_min=0.1)),
    ("cosine_restarts(0.5, period = 4)", 0.5, lambda o: LR.CosineAnnealingWarmRestarts(o, 4)),
    ("one_cycle(0.5)", 0.5, lambda o: LR.OneCycleLR(o, 0.5, total_steps=10, cycle_momentum=False), 9),
]

P = [[1.0, -2.0, 0.5], [0.0, 3.0, 0.25], [-1.5, 0.5, 2.0], [40.0, -40.0, 0.0]]
S = [[0.2, 0.5, 0.9], [0.7, 1.0, 0.0], [0.01, 0.6, 0.99], [0.5, 0.25, 1.0]]
Q = [[0.0, 1.0, 0.5], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 1.0]]
Y = [2, 0, 1, 2]


def loss_case(expression, values, function):
    p = torch.tensor(values, requires_grad=True)
    loss = function(p, torch.tensor(Q), torch.tensor(Y))
    loss.backward()
    return {"nnc": expression, "p": values, "loss": loss.item(), "gradient": p.grad.tolist()}


WEIGHT = torch.tensor([0.5, 2.0, 1.25])
LOSSES = [
    ("mse(p, q)", P, lambda p, q, y: F.mse_loss(p, q)),
    ("l1(p, q)", P, lambda p, q, y: F.l1_loss(p, q)),
    ("huber(p, q, delta = 0.75)", P, lambda p, q, y: F.huber_loss(p, q, delta=0.75)),
    ("smooth_l1(p, q, beta = 0.5)", P, lambda p, q, y: F.smooth_l1_loss(p, q, beta=0.5)),
    ("bce(p, q)", S, lambda p, q, y: F.binary_cross_entropy(p, q)),
    ("bce_with_logits(p, q)", P, lambda p, q, y: F.binary_cross_entropy_with_logits(p, q)),
    ("bce_with_logits(p, q, pos_weight = 3)", P,
     lambda p, q, y: F.binary_cross_entropy_with_logits(p, q, pos_weight=torch.tensor(3.0))),
    ("cross_entropy(p, y)", P, lambda p, q, y: F.cross_entropy(p, y)),
    ("cross_entropy(p, y, label_smoothing = 0.1)", P, lambda p, q, y: F.cross_entropy(p, y, label_smoothing=0.1)),
    ("cross_entropy(p, y, weight = [0.5, 2, 1.25])", P, lambda p, q, y: F.cross_entropy(p, y, weight=WEIGHT)),
    ("cross_entropy(p, y, ignore_index = 2)", P, lambda p, q, y: F.cross_entropy(p, y, ignore_index=2)),
    ("cross_entropy(p, y, weight = [0.5, 2, 1.25], ignore_index = 0, label_smoothing = 0.2)", P,
     lambda p, q, y: F.cross_entropy(p, y, weight=WEIGHT, ignore_index=0, label_smoothing=0.2)),
    # the mean over rows of the sum over categories
    ("categorical_cross_entropy(p, q)", S,
     lambda p, q, y: F.binary_cross_entropy(p, q, reduction="none").sum(-1).mean()),
]

CLIPPED = [[[0.3, -0.4, 1.2], [5.0, -0.01, 0.0]], [[0.01, 0.02, -0.03], [0.0, 0.0, 0.0]], [[0.0] * 3, [0.0] * 3]]


def clip_case(expression, gradients, clip):
    parameters = [torch.nn.Parameter(torch.zeros(3)) for _ in gradients]
    for parameter, gradient in zip(parameters, gradients):
        parameter.grad = torch.tensor(gradient)
    clip(parameters)
    return {"nnc": expression, "gradients": gradients, "clipped": [p.grad.tolist() for p in parameters]}


PLATEAUS = [
    dict(factor=0.1, patience=2),
    dict(factor=0.5, patience=0, threshold=0.05),
    dict(factor=0.5, patience=1, cooldown=2, min_lr=0.02),
    dict(factor=0.25, patience=1, mode="max", threshold=0.01),
    dict(factor=0.5, patience=0, min_lr=0.0999999999),
]
WATCHED = [1.0, 0.9, 0.91, 0.9, 0.8999, 0.89, 0.889, 0.95, 0.97, 0.9, float("nan"), 0.7, 0.71, 0.72, 0.73, 0.74, 0.75]


def plateau_case(arguments):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = LR.ReduceLROnPlateau(optimizer, **arguments)
    rates = []
    for value in WATCHED:
        scheduler.step(value)
        rates.append(optimizer.param_groups[0]["lr"])
    return {"arguments": arguments, "rates": rates}


def average_case(decay):
    p = torch.nn.Linear(3, 1, bias=False)
    p.weight.data = torch.tensor([START])
    averaged = torch.optim.swa_utils.AveragedModel(p, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(decay))
    optimizer = torch.optim.SGD(p.parameters(), lr=0.1)
    steps = []
    for gradient in GRADIENTS:
        p.weight.grad = torch.tensor([gradient])
        optimizer.step()
        averaged.update_parameters(p)
        steps.append(averaged.module.weight[0].tolist())
    return {"decay": decay, "steps": steps}


def main():
    clips = []
    for gradients in CLIPPED:
        for limit in [1.0, 0.25]:
            clips.append(clip_case(f"norm({limit})", gradients,
                                   lambda p, c=limit: torch.nn.utils.clip_grad_norm_(p, c)))
            clips.append(clip_case(f"value({limit})", gradients,
                                   lambda p, c=limit: torch.nn.utils.clip_grad_value_(p, c)))
    cases = {
        "torch": torch.__version__,
        "start": START,
        "gradients": GRADIENTS,
        "optimizers": [optimizer_case(*case) for case in OPTIMIZERS],
        "schedules": [schedule_case(*case) for case in SCHEDULES],
        "q": Q,
        "y": Y,
        "losses": [loss_case(*case) for case in LOSSES],
        "clips": clips,
        "watched": [None if value != value else value for value in WATCHED],
        "plateaus": [plateau_case(arguments) for arguments in PLATEAUS],
        "averages": [average_case(decay) for decay in [0.5, 0.9]],
    }
    text = json.dumps(cases)
    print(text.replace('{"nnc"', '\n{"nnc"').replace('"plateaus"', '\n"plateaus"'))


main()
