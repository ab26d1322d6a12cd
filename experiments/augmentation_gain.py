"""What a searched augmentation brings: ``python -m experiments.augmentation_gain --out DIR``.

Every arm trains with logit adjustment on the same model, epochs and splits, so that only the augmentation differs. A
policy is searched on training samples and judged on validation samples; then every arm is trained on both together and
tested once. Seed S draws the validation split, the weights and the order of the samples. What is finished is kept in
DIR/runs, and a second call goes on from there.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autobalance.bilevel import AugmentationSpace
from autobalance.cli import Display, OpenConditions, ProblemOptions
from autobalance.data.augmentation import save_augmentation
from autobalance.study import (
    Cell,
    Desk,
    Directory,
    Found,
    Hyper,
    Result,
    Search,
    mean_and_std,
    named_method,
    policy_from_dict,
    policy_to_dict,
    run_cells,
)
from autobalance.study.report import markdown_table, spread_text
from autobalance.tasks import task_of
from autobalance.training import Recipe, Setting


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

    def __call__(self, setting: Setting, recipe: Recipe, seed: int, hyper: Hyper) -> Found:
        """The loss and the policy of the arm; None where logit adjustment or no policy is used."""
        found: Found = {"loss": None, "head": "linear", "recipe": {}, "policy": None, "smoothing": None, "about": {}}
        if self.start:
            space = AugmentationSpace(
                setting.problem.train.first(), task_of(setting.problem).counts(setting.problem.train)
            )
            return {**found, "policy": policy_to_dict(space.policy(space.init()))}
        if self.tie is None:
            return found
        found = Search({"strategy": "interleaved", "free": list(self.free), "tie_augment": self.tie})(
            setting, recipe, seed, hyper
        )
        return found if "l" in self.free else {**found, "loss": None}


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


@dataclass(frozen=True)
class RunArm:
    """One arm with one seed: searched, trained and tested."""

    arm: str
    options: ProblemOptions

    def __call__(self, desk: Desk) -> Result:
        arm, seed = ARMS[self.arm], self.options.seed
        conditions = OpenConditions(replace(self.options, augment=arm.augment))()
        problem = conditions.setting.problem
        desk.tell(0, f"{self.arm}, seed {seed}")
        method = replace(named_method("la"), name=self.arm, prepare=arm)
        ready, found = method.prepared(conditions.setting, conditions.recipe, seed)
        tested = conditions.train_and_judge(ready, [(problem.final_training, problem.test)], seed)
        assert found is not None
        return {"arm": self.arm, "seed": seed, **tested, "policy": found["policy"]}


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Balanced test error by arm, mean ± standard deviation over the seeds, and its difference from no augmentation."""
    of = {(row["arm"], row["seed"]): row["balanced_error"] for row in rows}
    lines = []
    for name, arm in ARMS.items():
        errors = {seed: error for (known, seed), error in of.items() if known == name}
        if not errors:
            continue
        pairs = [error - of["none", seed] for seed, error in errors.items() if ("none", seed) in of]
        lines.append(
            {
                "augmentation": arm.words,
                "balanced error %": spread_text(mean_and_std(list(errors.values())), "{:.2f}".format),
                "against none, by seed": _difference(pairs),
                "seeds": str(len(errors)),
            }
        )
    return markdown_table(lines, right=True)


def _difference(pairs: list[float]) -> str:
    found = mean_and_std(pairs)
    return "" if found["mean"] is None else ("+" if found["mean"] >= 0 else "") + spread_text(found, "{:.2f}".format)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="experiments.reduced:small_cifar10", help="as of the search (%(default)s)")
    parser.add_argument("--epochs", type=int, default=15, help="(%(default)s)")
    parser.add_argument("--seeds", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--arms", default=",".join(ARMS), help="(%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="directory of the results")
    options = parser.parse_args(arguments)
    cells = []
    for seed in range(options.seeds):
        for arm in options.arms.split(","):
            given = {"data": options.data, "epochs": options.epochs, "seed": seed}
            cells.append(Cell(f"runs/{arm}-{seed}", RunArm(arm, ProblemOptions(**given)), {"arm": arm, **given}))
    with Display() as display:
        rows = list(run_cells(cells, Directory(options.out), display=display, name="arms").values())
    for row in rows:
        if row["policy"] is not None:
            save_augmentation(policy_from_dict(row["policy"]), options.out / f"{row['arm']}-{row['seed']}.json")
    print(table(rows))


if __name__ == "__main__":
    main()
