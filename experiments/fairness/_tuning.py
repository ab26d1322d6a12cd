"""Hyper-parameters of the fixed losses, chosen on validation samples: three trials each, what a search counts as."""

from __future__ import annotations

import math
from typing import Any

from autobalance.bilevel import CheckedPlan
from autobalance.tasks import outputs
from autobalance.tasks.objectives import Blend
from autobalance.training import train

#: What is tried; the first of each are the papers' own values.
TRIALS: dict[str, list[dict[str, float]]] = {
    "la": [{"tau": 1.0}, {"tau": 0.5}, {"tau": 2.0}],
    "vs": [{"gamma": 0.3, "tau": 1.0}, {"gamma": 0.15, "tau": 1.0}, {"gamma": 0.3, "tau": 2.0}],
    "group-la": [{"tau": 1.0}, {"tau": 0.5}, {"tau": 2.0}],
    "group-vs": [{"gamma": 0.3, "tau": 1.0}, {"gamma": 0.15, "tau": 1.0}, {"gamma": 0.3, "tau": 2.0}],
    "group-dro": [{"eta": 0.01}, {"eta": 0.1}, {"eta": 1.0}],
}


def tune(setup: CheckedPlan, method: str, objective: str, seed: int) -> dict[str, Any]:
    """Trains with each trial on the training split and judges it on the validation split.

    Args:
        setup: the problem.
        method: a fixed loss.
        objective: whose true metric decides; of equals the earlier trial.
        seed: of the trainings.

    Returns:
        ``hyper``, the best trial's, and ``trials``, each with its metric; nothing to tune gives neither.
    """
    blend = setup.task.objective(objective)
    assert isinstance(blend, Blend)
    trials = []
    for hyper in TRIALS.get(method, []):
        model = setup.setting.new_model(seed)
        loss = setup.task.fixed_loss(method, setup.task.counts(setup.setting.problem.train), **hyper)
        try:
            train(model, setup.setting.problem.train, loss.to(setup.setting.device), setup.recipe, seed)
        except FloatingPointError:
            trials.append({**hyper, "metric": None})
            continue
        metric = blend.metric(outputs(model, setup.setting.problem.validation), setup.setting.problem.validation.all())
        trials.append({**hyper, "metric": metric})
    if not trials:
        return {"hyper": {}, "trials": []}
    best = min(trials, key=lambda trial: math.inf if trial["metric"] is None else trial["metric"])
    return {"hyper": {name: value for name, value in best.items() if name != "metric"}, "trials": trials}
