"""Records what torch's and transformers' optimizers, schedules and clipping compute, as test/golden/optimizers.json.

Run once by hand, never by the tests:

    python3 -m venv .venv && .venv/bin/pip install torch==2.13.0 transformers==5.24.0 numpy==2.4.6
    .venv/bin/python test/golden/record-optimizers.py test/golden/optimizers.json

Weights and gradients are drawn here. Shapes have tails that do not fill four lanes; gradients differ in size by
orders of magnitude, and one row has none at all. Every run is done in float32 and once more in float64.
"""

import json
import sys
from importlib.metadata import version

import numpy as np
import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn
from transformers import get_scheduler
from transformers.optimization import Adafactor

STEPS, KEPT = 6, (0, 1, 5)
rng = np.random.default_rng(20240917)
torch.set_num_threads(1)

SHAPES = {
    "encoder.fc1.weight": (5, 21),
    "encoder.blocks": (2, 3, 5),
    "encoder.fc1.bias": (7,),
    "encoder.layer_norm.weight": (19,),
}


def draw(shape, scale):
    return (rng.standard_normal(shape) * scale).astype(np.float32)


params = {name: draw(shape, 0.3) for name, shape in SHAPES.items()}
params["encoder.layer_norm.weight"] += np.float32(1)
gradients = []
for step in range(STEPS):
    each = {name: draw(shape, 10.0 ** rng.integers(-4, 2)) for name, shape in SHAPES.items()}
    each["encoder.fc1.weight"][3] = 0
    gradients.append(each)


def numbers(array):
    return [float(f"{x:.9g}") for x in np.asarray(array, dtype=np.float64).reshape(-1)]


def tensors(arrays):
    return {name: numbers(array) for name, array in arrays.items()}


def run(make, lrs, dtype):
    weights = {name: torch.nn.Parameter(torch.tensor(array, dtype=dtype)) for name, array in params.items()}
    decayed = [p for name, p in weights.items() if "bias" not in name and "norm" not in name]
    others = [p for name, p in weights.items() if "bias" in name or "norm" in name]
    optimizer = make([{"params": decayed}, {"params": others, "weight_decay": 0.0}])
    kept = []
    for step in range(STEPS):
        for group in optimizer.param_groups:
            if group["lr"] is not None:
                group["lr"] = lrs[step]
        for name, parameter in weights.items():
            parameter.grad = torch.tensor(gradients[step][name], dtype=dtype)
        optimizer.step()
        if step in KEPT:
            kept.append({name: parameter.detach().numpy().copy() for name, parameter in weights.items()})
    return kept


LRS = [4e-3, 8e-3, 1e-2, 8e-3, 5e-3, 1e-3]


def adamw(**options):
    settings = {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01, **options}
    names = {"beta1": settings["betas"][0], "beta2": settings["betas"][1], "epsilon": settings["eps"]}
    return (
        {"name": "adamw", **names, "weightDecay": settings["weight_decay"]},
        lambda groups: torch.optim.AdamW(groups, lr=1.0, **settings),
    )


def sgd(**options):
    camel = {"weight_decay": "weightDecay"}
    return (
        {"name": "sgd", **{camel.get(key, key): value for key, value in options.items()}},
        lambda groups: torch.optim.SGD(groups, lr=1.0, **options),
    )


def adafactor(**options):
    settings = {"scale_parameter": False, "relative_step": False, **options}
    camel = {
        "clip_threshold": "clipThreshold",
        "decay_rate": "decayRate",
        "weight_decay": "weightDecay",
        "scale_parameter": "scaleParameter",
        "relative_step": "relativeStep",
        "warmup_init": "warmupInit",
    }
    names = {camel.get(key, key): value for key, value in settings.items()}
    if "eps" in names:
        names["epsilon1"], names["epsilon2"] = names.pop("eps")
    lr = None if settings["relative_step"] else 1.0
    return {"name": "adafactor", **names}, lambda groups: Adafactor(groups, lr=lr, **settings)


RUNS = [
    adamw(),
    adamw(weight_decay=0.2),
    adamw(betas=(0.8, 0.95), eps=1e-3, weight_decay=0.0),
    sgd(),
    sgd(weight_decay=0.1),
    sgd(momentum=0.9),
    sgd(momentum=0.8, dampening=0.3, weight_decay=0.1),
    sgd(momentum=0.9, nesterov=True, weight_decay=0.01),
    adafactor(),
    adafactor(weight_decay=0.1),
    adafactor(beta1=0.9, weight_decay=0.1),
    adafactor(scale_parameter=True),
    adafactor(scale_parameter=True, eps=(1e-20, 0.5)),
    adafactor(clip_threshold=0.5, decay_rate=-0.5),
    adafactor(scale_parameter=True, relative_step=True),
    adafactor(scale_parameter=True, relative_step=True, warmup_init=True),
    adafactor(relative_step=True, beta1=0.5),
]


def record_run(options, make):
    single = run(make, LRS, torch.float32)
    double = run(make, LRS, torch.float64)
    return {
        "options": options,
        "weights": [tensors(kept) for kept in single],
        "float64": tensors(double[-1]),
    }


def record_clipping(max_norm, step):
    grads = [torch.nn.Parameter(torch.tensor(array)) for array in params.values()]
    for parameter, array in zip(grads, gradients[step].values()):
        parameter.grad = torch.tensor(array)
    norm = torch.nn.utils.clip_grad_norm_(grads, max_norm)
    clipped = {name: parameter.grad.numpy() for name, parameter in zip(SHAPES, grads)}
    return {"maxNorm": max_norm, "step": step, "norm": float(norm), "clipped": tensors(clipped)}


def record_schedule(name, warmup, total, **options):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=3e-4)
    keys = {"num_cycles": "cycles", "timescale": "timescale"}
    scheduler = get_scheduler(
        name, optimizer, num_warmup_steps=warmup, num_training_steps=total, scheduler_specific_kwargs=options
    )
    lrs = []
    for _ in range(total + 3):
        lrs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    settings = {"name": name, "warmupSteps": warmup, **{keys[key]: value for key, value in options.items()}}
    return {"options": settings, "learningRate": 3e-4, "totalSteps": total, "lrs": lrs}


def record_average(decay):
    average = {name: torch.tensor(array) for name, array in params.items()}
    update = get_ema_multi_avg_fn(decay)
    for each in gradients:
        update(list(average.values()), [torch.tensor(array) for array in each.values()], 1)
    return {"decay": decay, "average": tensors({name: value.numpy() for name, value in average.items()})}


json.dump(
    {
        "provenance": {
            "python": sys.version.split()[0],
            **{name: version(name) for name in ("torch", "transformers", "numpy")},
        },
        "shapes": SHAPES,
        "params": tensors(params),
        "gradients": [tensors(each) for each in gradients],
        "lrs": LRS,
        "kept": KEPT,
        "runs": [record_run(*each) for each in RUNS],
        "clipping": [record_clipping(max_norm, step) for max_norm, step in ((1.0, 0), (0.01, 1), (1e6, 2))],
        "schedules": [
            record_schedule("constant", 0, 5),
            record_schedule("constant_with_warmup", 4, 9),
            record_schedule("linear", 0, 7),
            record_schedule("linear", 5, 30),
            record_schedule("linear", 6, 6),
            record_schedule("cosine", 3, 17),
            record_schedule("cosine", 0, 11, num_cycles=1.5),
            record_schedule("inverse_sqrt", 4, 20),
            record_schedule("inverse_sqrt", 0, 6),
            record_schedule("inverse_sqrt", 3, 12, timescale=7),
        ],
        "averages": [record_average(0.9), record_average(0.5)],
    },
    open(sys.argv[1], "w"),
    separators=(",", ":"),
)
