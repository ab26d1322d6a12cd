"""What a loss collects in training, such as CSL's statistics, as an explicit state of the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from autobalance.bilevel.space import LossSpace
from autobalance.data import Batch
from autobalance.losses import CSL, CSLStatistics, held_of, importance

#: Of each model: a ``state_dict`` of the statistics.
Collected = tuple[dict[str, Tensor], ...]
#: What a model answers with the samples that it answered: logits and features.
Answered = tuple[Tensor, Tensor, Batch]


class Collector:
    """The statistics of the CSL term in a search.

    In a plain training they are sums over the batches as they are trained on. Here they are taken at the beginning of
    each epoch, in one pass over the training samples, and one over the validation samples whose predictions are
    counted: then they depend on the state of the search alone, and stay as they are while steps of the epoch are
    differentiated through.

    Args:
        space: the losses around a start that has the term.
        term: the term at the beginning of training.
        models: F, one or the folds'.
    """

    def __init__(self, space: LossSpace, term: CSL, models: int) -> None:
        self._space, self._term, self._models = space, term, models

    @property
    def counts_validation(self) -> bool:
        """Whether the predictions on validation samples are counted."""
        return self._term.counts == "validation"

    def init(self) -> Collected:
        """Of models that have seen nothing."""
        return tuple(self._fresh().state_dict() for _ in range(self._models))

    def _fresh(self) -> CSLStatistics:
        statistics = deepcopy(self._term.statistics)
        statistics.reset()
        return statistics

    def next(
        self,
        before: Collected,
        trained: Sequence[Sequence[Answered]],
        judged: Sequence[Sequence[Tensor]],
        raw: Mapping[str, Tensor],
        progress: float,
    ) -> Collected:
        """The statistics of the epoch that begins.

        Args:
            before: of the epoch that ended.
            trained: of each model, its answers on its training samples, in parts.
            judged: of each model, its logits on validation samples, (N, K), in parts; none where they do not count.
            raw: the searched numbers.
            progress: the share of the epochs that are done.
        """
        after = []
        for state, answers, counted in zip(before, trained, judged, strict=True):
            statistics = self._fresh()
            statistics.load_state_dict(state)
            for logits, features, batch in answers:
                self._observe(statistics, logits, features, batch, raw, progress)
            for logits in counted:
                statistics.count(logits)
            statistics.start_epoch(progress)
            after.append(statistics.state_dict())
        return tuple(after)

    @torch.no_grad()
    def _observe(
        self,
        statistics: CSLStatistics,
        logits: Tensor,
        features: Tensor,
        batch: Batch,
        raw: Mapping[str, Tensor],
        progress: float,
    ) -> None:
        term = self._space.csl(progress)
        assert term is not None  # in all stages, or in none
        value = term.base.value(logits, batch.y, self._space.parameters(raw, progress), batch.group, features)
        term.observe(statistics, logits, batch.y, features, value)

    def record(self, collected: Collected, raw: Mapping[str, Tensor]) -> dict[str, Any]:
        """Semantic scale S and importance γ of each class, the mean of the models', for the history."""
        floor = self._space.parameters(raw, 1.0).get("csl_floor", self._term.csl_floor).detach()
        held = [held_of(state) for state in collected]
        scale = torch.stack([each["csl_scale"] for each in held]).mean(0)
        gamma = torch.stack([importance(each, floor, self._term.epsilon) for each in held]).mean(0)
        return {"csl": {"scale": scale.tolist(), "gamma": gamma.tolist()}}
