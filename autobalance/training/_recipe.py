"""How a model is trained."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from autobalance.common import InputError, check_one_of, check_value
from autobalance.data import Batch, Samples, crop_and_flip
from autobalance.hypergradients import Clipped, Inner, Objective, Optimiser, TrainLoss
from autobalance.training._optimisers import OPTIMIZERS

SCHEDULES = ("cosine", "steps")
AUGMENTATIONS = ("none", "crop-flip", "resized-crop")
PRECISIONS = ("float32", "bfloat16")
#: More is a slip: a training that would not end, and a step that leaves the range of single precision.
MOST_EPOCHS, MOST_DECAY = 1_000_000, 1e30
#: Where the schedule ``steps`` lowers the learning rate, and by what factor, where nothing is said: as after 160 and
#: 180 of 200 epochs in the long-tailed literature since Cao et al. 2019.
MILESTONES, LR_DECAY = (0.8, 0.9), 0.1


@dataclass(frozen=True)
class Recipe:
    """How a model is trained, the same for the search's inner loop, the searched loss and every baseline.

    What is left out and depends on other fields is filled in when the recipe is made.

    Args:
        epochs: passes over the training samples.
        batch_size: samples a step; an epoch is cut into equal batches of about this size.
        lr: the largest learning rate. It rises linearly over the first epochs and then falls as ``schedule`` says.
            Left out: 0.1 for SGD, 0.001 for Adam and AdamW.
        warmup_epochs: length of the rise.
        schedule: ``cosine``, down to zero; or ``steps``, times ``lr_decay`` at each of the ``milestones``.
        augment: ``none``; for images ``crop-flip``, see `crop_and_flip`, or ``resized-crop``, see `draw_crops`.
        momentum, nesterov: of SGD, see `SGD`. Left out: 0.9, and Nesterov's where there is momentum.
        weight_decay: of the optimiser. Left out: 5e-4; for AdamW, where the learning rate multiplies it, 0.01.
        precision: ``float32``, or ``bfloat16`` for training steps under autocast.
        compiled: whether the training steps run through ``torch.compile``. The first of a training then takes long.
        optimizer: a name of `OPTIMIZERS`: ``sgd``, ``adam`` or ``adamw``.
        milestones: of ``steps``, rising: below 1 a share of the epochs, from 1 on a number of epochs. Left out: 0.8 and
            0.9.
        lr_decay: of ``steps``. Left out: 0.1.
        clip: the largest norm of a step's gradient, see `Clipped`. None: it is not clipped.
        drop: (when, factor): from this share of the epochs on the learning rate is multiplied by this factor, too, as a
            loss asks for that changes its scale there, see `NamedLoss.drop`. None: it is not.

    Raises:
        InputError: a value that cannot be, or one that cannot have an effect beside the others.
    """

    epochs: int = 60
    batch_size: int = 64
    lr: float = None  # type: ignore[assignment]  # filled in when the recipe is made
    warmup_epochs: int = 3
    schedule: str = "cosine"
    augment: str = "none"
    momentum: float | None = None
    nesterov: bool | None = None
    weight_decay: float = None  # type: ignore[assignment]  # filled in when the recipe is made
    precision: str = "float32"
    compiled: bool = False
    optimizer: str = "sgd"
    milestones: tuple[float, ...] | None = None
    lr_decay: float | None = None
    clip: float | None = None
    drop: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        check_value("epochs", self.epochs, at_least=1, at_most=MOST_EPOCHS, whole=True)
        check_value("batch_size", self.batch_size, at_least=1, whole=True)
        check_value("warmup_epochs", self.warmup_epochs, at_least=0, whole=True)
        check_one_of("schedule", self.schedule, SCHEDULES)
        check_one_of("augment", self.augment, AUGMENTATIONS)
        check_one_of("precision", self.precision, PRECISIONS)
        check_one_of("optimizer", self.optimizer, OPTIMIZERS)
        for name in ("compiled", "nesterov"):
            if getattr(self, name) not in (None, True, False):
                raise InputError(f"`{name}` is {getattr(self, name)!r}; it has to be True or False")
        self._fill_in_optimizer()
        self._fill_in_schedule()
        check_value("lr", self.lr, above=0)
        check_value("weight_decay", self.weight_decay, at_least=0, at_most=MOST_DECAY)
        if self.clip is not None:
            check_value("clip", self.clip, above=0)
        if self.drop is not None:
            when, factor = self.drop
            check_value("drop", when, at_least=0, below=1)
            check_value("drop", factor, above=0, below=1)
            object.__setattr__(self, "drop", (when, factor))

    def _fill_in_optimizer(self) -> None:
        named = OPTIMIZERS[self.optimizer]
        self._fill_in("lr", named.lr)
        self._fill_in("weight_decay", named.weight_decay)
        for name in ("momentum", "nesterov"):
            if name not in named.options:
                self._refuse(name, beside="optimizer")
        self._fill_in("momentum", named.options.get("momentum"))
        if self.momentum is not None:
            check_value("momentum", self.momentum, at_least=0, below=1)
        if self.momentum == 0 and self.nesterov:
            raise InputError("`nesterov` has no effect with `momentum` 0: leave it out")
        if "nesterov" in named.options:
            self._fill_in("nesterov", named.options["nesterov"] and self.momentum != 0)

    def _fill_in_schedule(self) -> None:
        if self.schedule != "steps":
            self._refuse("milestones", beside="schedule")
            self._refuse("lr_decay", beside="schedule")
            return
        self._fill_in("milestones", MILESTONES)
        self._fill_in("lr_decay", LR_DECAY)
        check_value("lr_decay", self.lr_decay, above=0, below=1)
        if not isinstance(self.milestones, tuple | list) or not self.milestones:
            raise InputError(f"`milestones` is {self.milestones!r}; it has to be one or more numbers, as (0.8, 0.9)")
        for milestone in self.milestones:
            check_value("milestones", milestone, above=0, below=self.epochs)
            check_value("milestones", milestone, whole=milestone >= 1)
        epochs = [m if m >= 1 else m * self.epochs for m in self.milestones]
        if epochs != sorted(set(epochs)):
            raise InputError(f"`milestones` {_listed(self.milestones)} do not rise")
        object.__setattr__(self, "milestones", tuple(self.milestones))

    def _refuse(self, name: str, beside: str) -> None:
        """Refuses a field that was given and has no effect beside the value of another."""
        if (given := getattr(self, name)) is not None:
            raise InputError(
                f"`{name}` {_listed(given)} has no effect with `{beside}` {getattr(self, beside)}: leave it out"
            )

    def _fill_in(self, name: str, value: Any) -> None:
        if getattr(self, name) is None:
            object.__setattr__(self, name, value)

    def inner(self, model: nn.Module, train_loss: TrainLoss, objective: Objective, num_samples: int) -> Inner:
        """The inner problem of training ``model`` on ``num_samples`` in this way."""
        forward = compiled_forward(model) if self.compiled else None
        return Inner(model, train_loss, objective, self.optimiser(num_samples), getattr(torch, self.precision), forward)

    def steps_per_epoch(self, num_samples: int) -> int:
        return max(1, round(num_samples / self.batch_size))

    def optimiser(self, num_samples: int) -> Optimiser:
        """The optimiser with its learning-rate schedule for training on ``num_samples``."""
        named, rate = OPTIMIZERS[self.optimizer], self.learning_rate(num_samples)
        options = {name: getattr(self, name) for name in named.options}
        made = named.make(lr=rate, weight_decay=self.weight_decay, **options)
        return made if self.clip is None else Clipped(made, self.clip)

    def learning_rate(self, num_samples: int) -> Callable[[int], float]:
        """The learning rate as a function of the steps taken before, for training on ``num_samples``."""
        per_epoch = self.steps_per_epoch(num_samples)
        rise, total = self.warmup_epochs * per_epoch, self.epochs * per_epoch
        when, factor = (1.0, 1.0) if self.drop is None else self.drop
        falls = [m * (total if m < 1 else per_epoch) for m in self.milestones or ()]

        def rate(step: int) -> float:
            return scheduled(step) * (factor if step >= when * total else 1.0)

        def scheduled(step: int) -> float:
            if step < rise:
                return self.lr * (step + 1) / rise
            if self.lr_decay is not None:
                return self.lr * self.lr_decay ** sum(step >= fall for fall in falls)
            return 0.5 * self.lr * (1 + math.cos(math.pi * (step - rise) / max(1, total - rise)))

        return rate

    def batches(self, num_samples: int, generator: torch.Generator) -> list[Tensor]:
        """One epoch's batches in random order, as sample indices. Sizes differ by one at most, so none is tiny."""
        order = torch.randperm(num_samples, generator=generator)
        return list(order.tensor_split(self.steps_per_epoch(num_samples)))

    def take(self, samples: Samples, index: Tensor, generator: torch.Generator) -> Batch:
        """The samples at ``index`` as they are trained on: augmented where the recipe says so."""
        return self.augmented(samples.take(index, self.crops(generator)), generator)

    def crops(self, generator: torch.Generator) -> torch.Generator | None:
        """What draws the cuts of images when they are taken, if the recipe has cuts."""
        return generator if self.augment == "resized-crop" else None

    def augmented(self, batch: Batch, generator: torch.Generator) -> Batch:
        """A batch, taken with the cuts of `crops`, as it is trained on."""
        if self.augment != "crop-flip":
            return batch
        if batch.x.dim() != 4:
            shape = tuple(batch.x.shape[1:])
            raise InputError(f"augment {self.augment!r} is for images (C, H, W), not for samples of shape {shape}")
        return batch._replace(x=crop_and_flip(batch.x, generator))


def _listed(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def compiled_forward(model: nn.Module) -> Callable[[dict[str, Tensor], dict[str, Tensor], Tensor], Any]:
    """``functional_call`` on ``model`` through ``torch.compile``: (parameters, buffers, x) -> output.

    It can be differentiated once. What was compiled before is forgotten: torch keeps eight versions of a function, and
    each model would be one.
    """
    torch.compiler.reset()
    return torch.compile(lambda parameters, buffers, x: functional_call(model, (parameters, buffers), (x,)))
