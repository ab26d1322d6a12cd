"""What a searched augmentation brings: ``python -m experiments.augmentation_gain --out DIR``.

Every arm trains with logit adjustment on the same model, epochs and splits, so that only the augmentation differs. A
policy is searched on training samples and judged on validation samples; then every arm is trained on both together and
tested once. Seed S draws the validation split, the weights and the order of the samples. What is finished is kept in
DIR/results.jsonl, and a second call goes on from there.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import autobalance
from autobalance.bilevel import AugmentationSpace
from autobalance.cli._progress import Display
from autobalance.data import DataOptions, Problem, load
from autobalance.data.augmentation import Policy, save_augmentation
from autobalance.losses import Loss
from autobalance.models import default_model, make_model
from autobalance.tasks import outputs, task_of
from autobalance.training import Recipe, train


@dataclass(frozen=True)
class Arm:
    """One way to augment.

    Args:
        words: for the table.
        augment: of the recipe, in the search too.
        tie: of the policy that is searched; None where none is.
        start: whether the policy is the start of the search, as it is.
        free: what is searched.
    """

    words: str
    augment: str = "none"
    tie: str | None = None
    start: bool = False
    free: tuple[str, ...] = ("augment",)


ARMS = {
    "none": Arm("no augmentation"),
    "crop-flip": Arm("crop-flip", "crop-flip"),
    "start": Arm("the start of the search, not searched", start=True),
    "all": Arm("one searched policy for all classes", tie="all"),
    "frequency": Arm("searched, along the class frequency", tie="frequency"),
    "class": Arm("searched, one for every class", tie="class"),
    "frequency-l": Arm("searched, along the frequency, l with it", tie="frequency", free=("l", "augment")),
    "crop-flip-start": Arm("crop-flip, then the start", "crop-flip", start=True),
    "crop-flip-all": Arm("crop-flip, then one searched policy", "crop-flip", "all"),
    "crop-flip-frequency": Arm("crop-flip, then searched along the frequency", "crop-flip", "frequency"),
}


def found(arm: Arm, problem: Problem, recipe: Recipe, seed: int, model: Any) -> tuple[Loss | None, Policy | None]:
    """The loss and the policy of an arm; None where logit adjustment or no policy is used."""
    counts = task_of(problem).counts(problem.train)
    if arm.start:
        space = AugmentationSpace(problem.train.first(), counts)
        return None, space.policy(space.init())
    if arm.tie is None:
        return None, None
    result = autobalance.search_loss(
        model, problem.train, problem.validation, free=arm.free, tie_augment=arm.tie, recipe=recipe, seed=seed
    )
    return (result.loss if "l" in arm.free else None), result.augmentation


def run(data: str, name: str, seed: int, epochs: int, out: Path) -> dict[str, Any]:
    """One arm with one seed: searched, trained and tested."""
    import torch

    arm, problem = ARMS[name], load(data, DataOptions(seed=seed))
    recipe = Recipe(epochs=epochs, augment=arm.augment)
    shape = problem.train.shape

    def new_model() -> torch.nn.Module:
        torch.manual_seed(seed)
        return make_model(default_model(shape), shape, problem.num_classes)

    begun = time.perf_counter()
    loss, policy = found(arm, problem, recipe, seed, new_model())
    searched = time.perf_counter()
    samples = problem.train.join(problem.validation)
    goal, model = task_of(problem), new_model()
    train(model, samples, loss or goal.fixed_loss("la", goal.counts(samples)), recipe, seed, policy=policy)
    trained = time.perf_counter()
    if policy is not None:
        save_augmentation(policy, out / f"{name}-{seed}.json")
    test = goal.test(outputs(model, problem.test), problem.test, goal.counts(samples))
    return {
        "arm": name,
        "seed": seed,
        "balanced_error": test["balanced_error"],
        "class_error": test["class_error"],
        "search_seconds": searched - begun,
        "train_seconds": trained - searched,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Balanced test error by arm, mean ± standard deviation over the seeds, and its difference from no augmentation."""
    lines = ["| augmentation | balanced error % | against none, by seed | seeds |", "| --- | ---: | ---: | ---: |"]
    of = {(row["arm"], row["seed"]): row["balanced_error"] for row in rows}
    for name, arm in ARMS.items():
        errors = {seed: error for (known, seed), error in of.items() if known == name}
        if not errors:
            continue
        pairs = [error - of["none", seed] for seed, error in errors.items() if ("none", seed) in of]
        lines.append(f"| {arm.words} | {_spread(list(errors.values()))} | {_spread(pairs, '+')} | {len(errors)} |")
    return "\n".join(lines)


def _spread(values: list[float], sign: str = "") -> str:
    if not values:
        return ""
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):{sign}.2f}{spread}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="experiments.reduced:small_cifar10", help="as of the search (%(default)s)")
    parser.add_argument("--epochs", type=int, default=15, help="(%(default)s)")
    parser.add_argument("--seeds", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--arms", default=",".join(ARMS), help="(%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="directory of the results")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "results.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    finished = {(row["arm"], row["seed"]) for row in rows}
    grid = [(name, seed) for seed in range(options.seeds) for name in options.arms.split(",")]
    with Display() as display:
        display.phase("arms", len(grid), sum(each in finished for each in grid))
        for number, (name, seed) in enumerate(grid, 1):
            if (name, seed) not in finished:
                rows.append(run(options.data, name, seed, options.epochs, options.out))
                with path.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
                display.step(number, f"{name}, seed {seed}: {rows[-1]['balanced_error']:.2f} %")
    print(table(rows))


if __name__ == "__main__":
    main()
