"""What every search trains: one model on one split, or a model for each fold, side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from autobalance.bilevel._collector import Answered, Collected, Collector
from autobalance.bilevel._outputs import AT_ONCE, joined, kept
from autobalance.bilevel.space import Found, SearchSpace
from autobalance.data import MOST_SAMPLES, Batch, FoldedSamples, Samples
from autobalance.hypergradients import (
    Inner,
    InnerState,
    Stacked,
    TrainLoss,
    Transform,
    fold_loss,
    fold_objective,
    folds,
    split_batch,
    stack_batches,
)
from autobalance.losses import held_of
from autobalance.models import evaluating, inputs_of, output_layer
from autobalance.tasks.metrics import Outputs
from autobalance.tasks.objectives import Constrained, Objective
from autobalance.training import SeesTargets, WithFeatures

#: Figures for the history, by name, from (output, batch) of the validation samples.
Watch = Callable[[Outputs, Batch], dict[str, float]]


class Trainee:
    """The inner problem of a search, and the samples that judge it.

    Args:
        model: starts from its present weights, which are left as they are.
        samples: what is trained on and what the objective looks at; or these parts of F folds, for which F models, all
            of them ``model`` at the start, train side by side on the same loss. The hypergradient is then the mean of
            the folds'.
        space: what is searched.
        objective: what is made small, a function of (logits, batch).
        watch: figures for the history.
        head: of the model, for those who train it with what is found.
    """

    def __init__(
        self,
        model: nn.Module,
        samples: tuple[Samples, Samples] | tuple[FoldedSamples, FoldedSamples],
        space: SearchSpace,
        objective: Objective,
        watch: Watch,
        head: str = "linear",
    ) -> None:
        self.train_samples: Samples | FoldedSamples = samples[0]
        self.validation_samples: Samples | FoldedSamples = samples[1]
        self.space, self.objective, self.watch, self.head = space, objective, watch, head
        self.recipe = recipe = space.recipe.recipe
        self.folds = self.train_samples.folds if isinstance(self.train_samples, FoldedSamples) else 0
        term = space.loss.csl()
        self.collector = None if term is None else Collector(space.loss, term, max(1, self.folds))
        model = deepcopy(model).train()
        self._model: nn.Module = WithFeatures(model) if space.loss.needs_features else model
        inner = recipe.inner(self._model, space.loss.train_loss, self._judge(objective), len(self.train_samples))
        inner = replace(inner, transform=self._transform())
        if self.folds:
            inner = folds(inner, [self._model] * self.folds)
            self._model = inner.model.train()
        self.inner = inner
        self.device = next(iter(inner.model.parameters())).device
        self.start = inner.init()  # now: the records will change the weights of self._model

    def _judge(self, objective: Callable[[Tensor, Batch], Tensor]) -> Callable[[Any, Batch], Tensor]:
        """An objective of what the model answers: it sees logits as the training loss does, s Δ z on average."""
        sharpness = self.space.loss.sharpness

        def judge(output: Any, batch: Batch) -> Tensor:
            logits = _logits(output)
            return objective(logits if sharpness == 1 else logits * sharpness, batch)

        return judge

    def _transform(self) -> Transform | None:
        """What the searched numbers do to a training batch: augment it, and show the model its targets."""
        augmentation, smoothing, model = self.space.augmentation, self.space.smoothing, self._model
        augment = None if augmentation is None else augmentation.transform
        if not isinstance(model, SeesTargets):
            return augment

        def transform(hyper: Mapping[str, Tensor], batch: Batch) -> Batch:
            batch = batch if augment is None else augment(hyper, batch)
            model.see(batch.y, None if smoothing is None else smoothing.strength(hyper))
            return batch

        return transform

    @property
    def sees_targets(self) -> bool:
        """Whether the model is shown the targets of each batch, as feature smoothing is."""
        return isinstance(self._model, SeesTargets)

    @property
    def steps_per_epoch(self) -> int:
        return self.recipe.steps_per_epoch(len(self.train_samples))

    def found(self, raw: Mapping[str, Tensor]) -> Found:
        """What the searched numbers stand for, for this model."""
        return replace(self.space.found(raw), head=self.head)

    def problem(self, progress: float, multipliers: Tensor | None = None, collected: Collected = ()) -> Inner:
        """The inner problem at a share of the epochs.

        Args:
            progress: the share.
            multipliers: of the objective's constraints, (C,), if any.
            collected: what the loss has collected, where it does.
        """
        at = partial(self.space.loss.train_loss, progress=progress)
        losses: list[TrainLoss] = [partial(at, held=held_of(state)) for state in collected]
        losses = losses or [at] * max(1, self.folds)
        inner = replace(self.inner, train_loss=fold_loss(losses) if self.folds else losses[0])
        if multipliers is None:
            return inner
        assert isinstance(self.objective, Constrained)
        objective = self._judge(partial(self.objective, multipliers=multipliers))
        return replace(inner, objective=fold_objective(objective) if self.folds else objective)

    def mean_loss(self, loss: float) -> float:
        """The training loss of one model: engines report the sum of the folds'."""
        return loss / max(1, self.folds)

    def orders(self, generator: torch.Generator) -> list[Tensor]:
        """The batches of an epoch, as positions of samples."""
        return self.recipe.batches(len(self.train_samples), generator)

    def batch(self, index: Tensor, generator: torch.Generator) -> Batch:
        """What is trained on: the samples at ``index``, of every fold where there are some, augmented."""
        batch = self.train_samples.take(index, self.recipe.crops(generator))
        parts = [self._augmented(part, generator) for part in (split_batch(batch) if self.folds else [batch])]
        return stack_batches(parts) if self.folds else parts[0]

    def _augmented(self, batch: Batch, generator: torch.Generator) -> Batch:
        batch = self.recipe.augmented(batch, generator)
        return batch if self.space.augmentation is None else self.space.augmentation.draw(batch, generator)

    def validation_batch(self, size: int, generator: torch.Generator) -> Batch:
        """Validation samples, drawn anew each time; all of them where there are no more than ``size``."""
        number = len(self.validation_samples)
        if number <= size:
            return self.validation_samples.all()
        return self.validation_samples.take(torch.randperm(number, generator=generator)[:size])

    def record(
        self, state: InnerState, raw: Mapping[str, Tensor], losses: Sequence[float], collected: Collected = ()
    ) -> dict[str, Any]:
        """What the history keeps of a model and the searched numbers that it was last trained with, fit for JSON.

        Returns:
            train_loss; objective and what ``watch`` says, of the validation samples; for a named objective its exact
            metric, in percent; and what the numbers stand for. A loss or objective that is not finite is None, and such
            losses are left out of train_loss.
        """
        taken = [value for value in losses if math.isfinite(value)]
        mean = {"train_loss": sum(taken) / len(taken) if taken else None}
        seen = {} if self.collector is None else self.collector.record(collected, raw)
        return {**mean, **self.figures(*self.held_out(state)), **self.space.describe(raw), **seen}

    def figures(self, output: Outputs, judged: Batch) -> dict[str, Any]:
        """What the history keeps of outputs for samples that were held out: objective, its exact metric and how its
        constraints stand, and what ``watch`` says."""
        objective = self._judge(self.objective)(output, judged).item()
        exact = self.objective.figures(output, judged) if isinstance(self.objective, Objective) else {}
        return {
            "objective": objective if math.isfinite(objective) else None,
            **({"objective_metric": exact["objective"]} if exact else {}),
            **({"constraints": exact["constraints"]} if "constraints" in exact else {}),
            **self.watch(output, judged),
        }

    @torch.no_grad()
    def held_out(self, state: InnerState) -> tuple[Outputs, Batch]:
        """What is kept of the models' answers on all validation samples, fold after fold, and these samples without
        their inputs."""
        answers: list[list[Outputs]] = [[] for _ in range(max(1, self.folds))]
        for output, batch in self._answers(state, self.validation_samples):
            logits = _logits(output)
            of_folds = zip(logits, batch.y, strict=True) if self.folds else [(logits, batch.y)]
            for fold, (its_logits, y) in zip(answers, of_folds, strict=True):
                fold.append(kept(its_logits, y, self.objective))
        return joined([part for fold in answers for part in fold]), self.judged

    @torch.no_grad()
    def held_out_features(self, state: InnerState) -> Tensor:
        """What the last layers of the models are given for all validation samples, (N, D), fold after fold.

        Raises:
            InputError: the logits are not the output of a linear layer.
        """
        state.copy_to(self._model)
        models = self._model.unstack() if isinstance(self._model, Stacked) else [self._model]
        found: list[Tensor] = []
        for place, model in enumerate(models):
            inputs = [batch.x[place] if self.folds else batch.x for batch in self.validation_samples.batches()]
            with evaluating(model), inputs_of(output_layer(model, inputs[0][:2])) as seen:
                for x in inputs:
                    model(x)
            found += seen
        return torch.cat(found)

    @torch.no_grad()
    def _answers(self, state: InnerState, samples: Samples | FoldedSamples) -> Iterator[tuple[Any, Batch]]:
        """What the models answer in evaluation mode, in parts."""
        state.copy_to(self._model)
        self._model.eval()
        most = max(1, AT_ONCE // (self.space.loss.start.num_classes * max(1, self.folds)))
        for batch in samples.batches(min(MOST_SAMPLES, most)):
            yield self._model(batch.x), batch
        self._model.train()

    def collected(self, state: InnerState, raw: Mapping[str, Tensor], before: Collected, progress: float) -> Collected:
        """What the loss has collected when an epoch begins: nothing where it does not, or before the first.

        Args:
            state: of the models.
            raw: the searched numbers.
            before: what it had when the epoch before began.
            progress: the share of the epochs that are done.
        """
        if self.collector is None or progress == 0:
            return () if self.collector is None else self.collector.init()
        trained: list[list[Answered]] = [[] for _ in before]
        for output, batch in self._answers(state, self.train_samples):
            for place, (logits, features, part) in enumerate(self._apart(output, batch)):
                trained[place].append((logits, features, part))
        judged: list[list[Tensor]] = [[] for _ in before]
        if self.collector.counts_validation:
            for output, batch in self._answers(state, self.validation_samples):
                for place, (logits, _, _) in enumerate(self._apart(output, batch)):
                    judged[place].append(logits)
        return self.collector.next(before, trained, judged, raw, progress)

    def _apart(self, output: tuple[Tensor, Tensor], batch: Batch) -> list[Answered]:
        """Each model's answers."""
        logits, features = output
        if not self.folds:
            return [(logits, features, batch)]
        return list(zip(logits, features, split_batch(batch), strict=True))

    @property
    def judged(self) -> Batch:
        """All validation samples, fold after fold, without their inputs."""
        judged = self.validation_samples.without_inputs()
        if not self.folds:
            return judged
        group = None if judged.group is None else judged.group.flatten()
        return Batch(judged.x, judged.y.flatten(), group)


def _logits(output: Any) -> Tensor:
    """Of what a model answers: logits alone, or with features."""
    return output[0] if isinstance(output, tuple) else output
