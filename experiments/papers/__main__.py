"""The papers' benchmark: ``python -m experiments.papers --data cifar10``.

CIFAR-10-LT or CIFAR-100-LT at imbalance 100, ResNet-32, 200 epochs, the standard protocol: fixed losses, and logit
adjustment with the offsets that a search in prediction space finds for balanced error and for the worst class, from
trainings on three folds. (A loss with l - b that starts the output's bias at b trains to exactly that model; see
docs/search.md.) With --decays the search also chooses the weight decay, by the first seed's folds. Every training is
kept in a file of --out; a second call goes on from there.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from autobalance.bilevel import find_offsets
from autobalance.cli import Display, positive
from autobalance.data import Batch, DataOptions, load
from autobalance.models import make_model
from autobalance.study.report import markdown_table
from autobalance.tasks.metrics import Context
from autobalance.tasks.objectives import make_objective
from experiments.papers._plan import METHODS, START, Training, groups, on_folds
from experiments.papers._side_by_side import PADDING, OneTraining, Recipe, train_side_by_side

OBJECTIVES = {
    "balanced_error": "balanced error",
    "worst_class": "worst class",
    "macro_f1 at equal shares": "1 - macro-F1",
}
#: Steps that are timed for the prediction of how long a group takes.
TIMED = 200


class Images:
    """The images of the problem on the device, with zeros around them."""

    def __init__(self, source: str, device: str) -> None:
        problem = load(source, DataOptions(imbalance=None if source.endswith(".npz") else 100.0))
        parts = [torch.cat([p.all().x for p in (problem.train, problem.validation)]), problem.test.all().x]
        wide = [torch.nn.functional.pad(part.float(), [PADDING] * 4).to(device) for part in parts]
        self.train, self.test = (part.contiguous(memory_format=torch.channels_last) for part in wide)
        self.y = torch.cat([problem.train.y, problem.validation.y])
        self.test_y, self.device, self.classes = problem.test.y, device, len(problem.class_names)

    def training(self, of: Training, recipe: Recipe) -> OneTraining:
        """A training, ready for its first step."""
        torch.manual_seed(of.seed)
        model = make_model(
            "resnet32", (3, *(side - 2 * PADDING for side in self.train.shape[2:])), self.classes, head=of.head
        )
        index, _ = of.samples(self.y)
        recipe = recipe if of.decay is None else replace(recipe, weight_decay=of.decay)
        loss = of.loss(self.y[index].bincount(minlength=self.classes))
        y = self.y.to(self.device)
        return OneTraining(model.to(memory_format=torch.channels_last), loss, self.train, y, index, recipe, of.seed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains what is not there yet, and prints the table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.papers", description=__doc__.split(":")[0])
    parser.add_argument("--data", default="cifar10", help="cifar10, cifar100, or a .npz file of long-tailed images")
    parser.add_argument("--methods", default=",".join(METHODS), help="some of " + ", ".join(METHODS))
    parser.add_argument("--seeds", type=positive, default=3, metavar="N")
    parser.add_argument("--decays", type=_decays, default=[], metavar="W,...", help="weight decays the search tries")
    parser.add_argument("--epochs", type=positive, default=200, metavar="N")
    parser.add_argument("--half", action="store_true", help="convolutions in bfloat16")
    parser.add_argument("--compile", action="store_true", help="compile the model")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--minutes", type=float, metavar="M", help="begin no group that would not end within them")
    parser.add_argument("--dry-run", action="store_true", help="measure a few steps, and print how long all would take")
    parser.add_argument("--out", default="runs/papers", metavar="DIR")
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    torch.backends.cudnn.benchmark = True
    out = Path(options.out) / Path(options.data).stem
    out.mkdir(parents=True, exist_ok=True)
    recipe = Recipe(epochs=options.epochs, half=options.half, compiled=options.compile)
    images = Images(options.data, options.device)
    methods, search = options.methods.split(","), _Search(images, out, options.decays)
    with Display() as display:
        for planned in groups(options.seeds, methods, options.decays, search.decay):
            group = [one for one in planned if not _file(out, one).exists()]
            if not group:
                continue
            seconds = _measured(images, group, recipe)
            display.say(
                f"{len(group)} trainings side by side ({group[0].name} ...): {seconds / 60:.1f} minutes predicted"
            )
            spent = time.monotonic() - begun
            if options.minutes is not None and spent + seconds > 60 * options.minutes:
                display.say(
                    f"not begun: {spent / 60:.1f} of {options.minutes} minutes are gone; the next call does them"
                )
            elif not options.dry_run:
                _train(images, group, recipe, out, display)
    _print_table(images, out, methods, options.seeds, search)
    return 0


def _decays(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _file(out: Path, training: Training) -> Path:
    return out / f"{training.name}.npz"


def _measured(images: Images, group: Sequence[Training], recipe: Recipe) -> float:
    """Seconds that a group will take, from a few steps."""
    trainings = _equal([images.training(one, recipe) for one in group])
    marks: list[float] = []
    steps = min(TIMED, trainings[0].steps)
    begun = time.monotonic()
    train_side_by_side(trainings, lambda done: marks.append(time.monotonic()), steps)
    step = (marks[1] - marks[0]) / 100 if len(marks) > 1 else (time.monotonic() - begun) / steps
    return step * trainings[0].steps


def _equal(trainings: list[OneTraining]) -> list[OneTraining]:
    """The same with as many steps each as the one with the fewest: folds differ by a sample."""
    fewest = min(training.steps for training in trainings)
    for training in trainings:
        training.steps = fewest
    return trainings


def _train(images: Images, group: Sequence[Training], recipe: Recipe, out: Path, display: Display) -> None:
    trainings = _equal([images.training(one, recipe) for one in group])
    display.phase("trainings", trainings[0].steps, quiet_for=15)
    begun = time.monotonic()
    train_side_by_side(trainings, lambda done: display.step(done, group[0].name))
    seconds = (time.monotonic() - begun) / len(group)
    for one, training in zip(group, trainings, strict=True):
        _, held = one.samples(images.y)
        asked = images.test if one.fold is None else images.train[held.to(images.train.device)]
        logits = training.answer(asked).half().numpy()
        np.savez_compressed(_file(out, one), logits=logits, held=held.numpy().astype(np.int32), seconds=seconds)


def _print_table(images: Images, out: Path, methods: Sequence[str], seeds: int, search: _Search) -> None:
    """The test figures in percent, mean and standard deviation over the seeds that are there."""
    decay = search.decay()
    asked = [*((method, None) for method in methods), *([] if decay is None else [(START, decay)])]
    found: dict[str, list[Tensor]] = {}
    for seed in range(seeds):
        for method, with_decay in asked:
            if (path := _file(out, Training(method, seed, decay=with_decay))).exists():
                title = method if with_decay is None else f"{method}, weight decay {with_decay:g}"
                found.setdefault(title, []).append(_logits(path))
        for objective in OBJECTIVES:
            if (logits := search.answers(seed, objective)) is not None:
                found.setdefault(f"searched for {OBJECTIVES[objective]}", []).append(logits)
    rows = []
    for name, several in found.items():
        row = {"loss": name, "seeds": str(len(several))}
        for objective, title in OBJECTIVES.items():
            metric = make_objective(objective, Context(images.classes)).metric
            figures = [metric(logits, Batch(logits[:0], images.test_y, None)) for logits in several]
            spread = f" ± {statistics.stdev(figures):.2f}" if len(figures) > 1 else ""
            row[title] = f"{statistics.fmean(figures):.2f}{spread}"
        rows.append(row)
    if rows:
        print(markdown_table(rows))


def _logits(path: Path) -> Tensor:
    with np.load(path) as kept:
        return torch.from_numpy(kept["logits"].astype(np.float32))


@dataclass(frozen=True)
class _Search:
    """What the search finds on the folds that are there.

    Args:
        images: of the problem.
        out: where trainings are kept.
        decays: weight decays to choose from; empty: the recipe's.
    """

    images: Images
    out: Path
    decays: Sequence[float]

    def decay(self) -> float | None:
        """The one whose held-out samples of the first seed have the smallest balanced error; None where none is given
        or one has not been trained yet. Each is judged as trained: l of the start is not moved."""
        objective = make_objective("balanced_error", Context(self.images.classes))
        errors = {}
        for decay in self.decays:
            if (held := self._held_out(0, decay)) is None:
                return None
            errors[decay] = objective.metric(held[0], Batch(held[0][:0], held[1], None))
        return min(errors, key=errors.__getitem__, default=None)

    def answers(self, seed: int, objective: str) -> Tensor | None:
        """The logits of the test samples with what the seed's folds say is to be added; None where one is missing."""
        decay = self.decay()
        held, path = self._held_out(seed, decay), _file(self.out, Training(START, seed, decay=decay))
        if held is None or not path.exists():
            return None
        made = make_objective(objective, Context(self.images.classes))
        return _logits(path) + find_offsets(*held, made, seed)

    def _held_out(self, seed: int, decay: float | None) -> tuple[Tensor, Tensor] | None:
        """Logits and classes of the samples that a seed's folds held out; None where not all of them are there."""
        folds = [_file(self.out, one) for one in on_folds([seed], decay)]
        if not all(path.exists() for path in folds):
            return None
        places = torch.cat([torch.from_numpy(np.load(path)["held"].astype(np.int64)) for path in folds])
        return torch.cat([_logits(path) for path in folds]), self.images.y[places]


if __name__ == "__main__":
    sys.exit(main())
