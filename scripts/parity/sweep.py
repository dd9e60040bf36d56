"""What Optuna, SciPy and W&B's sweeps make of search: one JSON line a result. Usage: sweep.py PART ARGUMENTS."""

import json
import math
import sys
import warnings

import numpy as np
import optuna

warnings.filterwarnings("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)


def tell(**of):
    print(json.dumps(of), flush=True)


def plain(value):
    """NaN as null, and no more digits than a test looks at."""
    if isinstance(value, float):
        return float(f"{value:.12g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


# --- functions to minimize: each asks a trial for its parameters -----------------------------------------------------


def sphere(trial):
    return sum(trial.suggest_float(f"x{i}", -5, 5) ** 2 for i in range(5))


def rosenbrock(trial):
    x = [trial.suggest_float(f"x{i}", -2, 2) for i in range(4)]
    return sum(100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(3))


def branin(trial):
    x, y = trial.suggest_float("x", -5, 10), trial.suggest_float("y", 0, 15)
    b, c, t = 5.1 / (4 * math.pi**2), 5 / math.pi, 1 / (8 * math.pi)
    return (y - b * x * x + c * x - 6) ** 2 + 10 * (1 - t) * math.cos(x) + 10


A = [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
P = [
    [1312, 1696, 5569, 124, 8283, 5886],
    [2329, 4135, 8307, 3736, 1004, 9991],
    [2348, 1451, 3522, 2883, 3047, 6650],
    [4047, 8828, 8732, 5743, 1091, 381],
]


def hartmann6(trial):
    x = [trial.suggest_float(f"x{i}", 0, 1) for i in range(6)]
    sums = [sum(a * (x[j] - p / 1e4) ** 2 for j, (a, p) in enumerate(zip(A[i], P[i]))) for i in range(4)]
    return -sum(w * math.exp(-s) for w, s in zip([1, 1.2, 3, 3.2], sums))


KINDS = {"adamw": (3.5, 4, 0.0), "adafactor": (2.5, 6, 0.4), "sgd": (1.5, 2, 1.0), "lion": (4.5, 3, 0.2)}


def mixed(trial):
    rate = trial.suggest_float("rate", 1e-6, 1e-1, log=True)
    layers = trial.suggest_int("layers", 1, 8)
    share = trial.suggest_float("share", 0, 0.5, step=0.05)
    batch = trial.suggest_int("batch", 1, 128, log=True)
    kind = trial.suggest_categorical("kind", list(KINDS))
    best, depth, offset = KINDS[kind]
    return (
        (math.log10(rate) + best) ** 2
        + 0.1 * (layers - depth) ** 2
        + 8 * (share - 0.15) ** 2
        + 0.05 * (math.log2(batch) - 5) ** 2
        + offset
    )


def choices(trial):
    layers, share = trial.suggest_int("layers", 1, 8), trial.suggest_float("share", 0, 0.5, step=0.05)
    best, depth, offset = KINDS[trial.suggest_categorical("kind", list(KINDS))]
    return (best - 3) ** 2 + 0.1 * (layers - depth) ** 2 + 8 * (share - 0.15) ** 2 + offset


FUNCTIONS = {f.__name__: f for f in (sphere, rosenbrock, branin, hartmann6, mixed, choices)}


def studies(name, first, seeds, trials, multivariate):
    """Best values of studies of one function, a line a seed."""
    for seed in range(int(first), int(first) + int(seeds)):
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=multivariate == "true")
        study = optuna.create_study(sampler=sampler)
        study.optimize(FUNCTIONS[name], n_trials=int(trials))
        tell(best=study.best_value)


def parzen(seed, count):
    """Densities of Optuna's own Parzen estimator at drawn points."""
    from optuna.samplers._tpe import parzen_estimator
    from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters
    from optuna.samplers._tpe.sampler import default_weights

    # NumPy's default order of equal values is whatever its sort leaves, and decides which of them is how wide.
    class Stable:
        argsort = staticmethod(lambda values: np.argsort(values, kind="stable"))

        def __getattr__(self, name):
            return getattr(np, name)

    parzen_estimator.np = Stable()

    space = {
        "a": optuna.distributions.FloatDistribution(-2, 3),
        "b": optuna.distributions.FloatDistribution(1e-5, 1e-1, log=True),
        "c": optuna.distributions.FloatDistribution(0, 1, step=0.1),
        "d": optuna.distributions.IntDistribution(1, 9, step=2),
        "e": optuna.distributions.IntDistribution(1, 100, log=True),
        "f": optuna.distributions.CategoricalDistribution(["x", "y", "z"]),
    }
    rng = np.random.RandomState(int(seed))
    parameters = _ParzenEstimatorParameters(1.0, True, False, default_weights, True)

    def draw():
        return {
            "a": rng.uniform(-2, 3),
            "b": float(np.exp(rng.uniform(np.log(1e-5), np.log(1e-1)))),
            "c": round(rng.randint(0, 11) * 0.1, 10),
            "d": int(1 + 2 * rng.randint(0, 5)),
            "e": int(rng.randint(1, 101)),
            "f": int(rng.randint(0, 3)),
        }

    for case in range(int(count)):
        n = [0, 1, 2, 5, 24, 26, 60, 150][case % 8]
        keys = list(space) if case % 2 == 0 else [list(space)[(case // 2) % 6]]
        seen, points = [draw() for _ in range(n)], [draw() for _ in range(8)]
        columns = lambda rows: {k: np.array([r[k] for r in rows], dtype=float) for k in keys}
        estimator = _ParzenEstimator(columns(seen), {k: space[k] for k in keys}, parameters)
        logs = estimator.log_pdf(columns(points)).tolist()
        named = lambda rows: [{k: "xyz"[r[k]] if k == "f" else r[k] for k in keys} for r in rows]
        tell(keys=keys, seen=named(seen), points=named(points), logs=logs)


PRUNERS = {
    "median": lambda: optuna.pruners.MedianPruner(),
    "median 3,2,2,2": lambda: optuna.pruners.MedianPruner(3, 2, 2, n_min_trials=2),
    "asha": lambda: optuna.pruners.SuccessiveHalvingPruner(min_resource=1),
    "asha 2,3,1": lambda: optuna.pruners.SuccessiveHalvingPruner(2, 3, 1),
    "asha bootstrap": lambda: optuna.pruners.SuccessiveHalvingPruner(1, 2, 0, bootstrap_count=2),
    "hyperband": lambda: optuna.pruners.HyperbandPruner(min_resource=1, max_resource=27),
    "hyperband 2,16,2": lambda: optuna.pruners.HyperbandPruner(2, 16, 2),
    "asha auto": lambda: optuna.pruners.SuccessiveHalvingPruner(),
    "hyperband auto": lambda: optuna.pruners.HyperbandPruner(),
}


def length_of(pruner, number):
    """Where a pruner settles its rungs by the first trial that is complete, trials are of different lengths."""
    return 27 - (number * 7) % 20 if pruner.endswith("auto") else 27


def pruners(seed, trials):
    """Learning curves one after the other, and the step at which each pruner ends them; null where it does not."""
    rng = np.random.RandomState(int(seed))
    curves = []
    for _ in range(int(trials)):
        level, rate, noise = rng.uniform(0, 2), rng.uniform(0.05, 1), rng.uniform(0, 0.3)
        curve = [level + 2 * math.exp(-rate * s) + noise * rng.randn() for s in range(27)]
        curves.append([None if rng.rand() < 0.01 else round(c, 6) for c in curve])
    for name, create in PRUNERS.items():
        study = optuna.create_study(study_name="parity", pruner=create())
        ends = []
        for number, curve in enumerate(curves):
            trial = study.ask()
            end = None
            for step, cost in enumerate(curve[: length_of(name, number)], start=1):
                trial.report(float("nan") if cost is None else cost, step)
                if trial.should_prune():
                    end = step
                    break
            ends.append(end)
            state = optuna.trial.TrialState.COMPLETE if end is None else optuna.trial.TrialState.PRUNED
            study.tell(trial, 1.0 if end is None else None, state=state)
        tell(pruner=name, curves=curves, ends=ends)
    from sweeps import RunState, SweepRun, stop_runs

    for name, options in {
        "bands": {"min_iter": 1},
        "bands 2,2": {"min_iter": 2, "eta": 2, "strict": False},
        "bands max": {"max_iter": 27, "s": 2},
    }.items():
        config = {"method": "random", "metric": {"name": "cost", "goal": "minimize"}, "parameters": {"a": {"min": 0.0, "max": 1.0}}}
        config["early_terminate"] = {"type": "hyperband", **options}
        done, ends = [], []
        for index, curve in enumerate(curves):
            end = None
            for step in range(1, len(curve) + 1):
                history = [{"cost": float("nan") if c is None else c} for c in curve[:step]]
                run = SweepRun(name=str(index), state=RunState.running, history=history)
                if len(stop_runs(config, [*done, run])) > 0:
                    end = step
                    break
            done.append(SweepRun(name=str(index), state=RunState.finished, history=history))
            ends.append(end)
        tell(pruner=name, options=options, curves=curves, ends=ends)


def sobol(dimensions, points):
    """SciPy's Sobol sequence as it comes without scrambling."""
    from scipy.stats import qmc

    tell(points=qmc.Sobol(int(dimensions), scramble=False).random(int(points)).tolist())


def spaces():
    """Values that W&B's own package draws at places of its distributions."""
    from sweeps.params import HyperParameter

    places = [0.003, 0.05, 0.21, 0.37, 0.499, 0.63, 0.777, 0.9, 0.997]
    for form in [
        {"values": ["a", "b", "c"]},
        {"values": [1, 2, 3], "probabilities": [0.2, 0.5, 0.3]},
        {"min": 1, "max": 7},
        {"min": 1.0, "max": 7.0},
        {"min": 0.5, "max": 7},
        {"distribution": "uniform", "min": -1, "max": 3},
        {"distribution": "q_uniform", "min": 0.3, "max": 3.1, "q": 0.25},
        {"distribution": "log_uniform", "min": -9.5, "max": -2.5},
        {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-2},
        {"distribution": "inv_log_uniform", "min": 1, "max": 5},
        {"distribution": "inv_log_uniform_values", "min": 0.1, "max": 5.0},
        {"distribution": "q_log_uniform", "min": 0, "max": 4.7, "q": 2},
        {"distribution": "q_log_uniform_values", "min": 8, "max": 256, "q": 8},
        {"distribution": "normal", "mu": 1.5, "sigma": 0.2},
        {"distribution": "q_normal", "mu": 10, "sigma": 4, "q": 0.5},
        {"distribution": "log_normal", "mu": -3, "sigma": 1.5},
        {"distribution": "q_log_normal", "mu": 2, "sigma": 1, "q": 1},
        {"distribution": "beta", "a": 2, "b": 5},
        {"distribution": "q_beta", "a": 0.5, "b": 0.7, "q": 0.1},
    ]:
        parameter = HyperParameter("p", form)
        values = [parameter.ppf(place) for place in places]
        tell(form=form, places=places, values=[v.item() if hasattr(v, "item") else v for v in values])


def importance(name, seed, trials):
    """Trials at random, and what each parameter counts for: means over forests of ten seeds."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=int(seed)))
    study.optimize(FUNCTIONS[name], n_trials=int(trials))
    found = []
    for own in range(10):
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=own)
        found.append(optuna.importance.get_param_importances(study, evaluator=evaluator))
    means = {key: float(np.mean([each[key] for each in found])) for key in found[0]}
    tell(trials=[{"parameters": t.params, "cost": t.value} for t in study.trials], importances=means)


def record():
    """Everything that test/golden/sweep.json holds, for tests without Python."""
    found = {}
    for name, arguments in {
        "parzen": ["7", "16"],
        "pruners": ["7", "40"],
        "sobol": ["37", "16"],
        "spaces": [],
    }.items():
        rows = found[name] = []
        globals()["tell"] = lambda **of: rows.append(plain(of))
        PARTS[name](*arguments)
    for row in found["pruners"][1:]:
        # The same for every pruner.
        del row["curves"]
    print(json.dumps(found))


PARTS = {f.__name__: f for f in (studies, parzen, pruners, sobol, spaces, importance, record)}
PARTS[sys.argv[1]](*sys.argv[2:])
