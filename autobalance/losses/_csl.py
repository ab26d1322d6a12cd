"""The dynamic cost-sensitive (CSL) term added to a member of the family, as its paper describes it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from autobalance.common import InputError
from autobalance.losses._base import Loss, full_precision
from autobalance.losses._csl_statistics import CSLStatistics, importance
from autobalance.losses._member import Member
from autobalance.losses._modified import Modified, in_every_stage

_UNTOLD = "the CSL term is 0 until the loss is told the epochs: call loss.start_epoch(epoch / epochs) before each"
#: Samples whose predictions are counted, the paper's first.
COUNTS = ("validation", "training")


def csl_term(logits: Tensor, cost: Tensor, epsilon: float = 1e-6) -> Tensor:
    """The term of equation 2: (1/K) Σ_i cost_i² / (Σ_b |z_b - e_i|² + ε), a scalar.

    Args:
        logits: z, (B, K).
        cost: γ_i N_i + r, (K,).
        epsilon: ε.
    """
    logits = full_precision(logits)
    distance = (logits.square().sum() - 2 * logits.sum(0) + len(logits)).clamp_min(0)
    return (cost.to(logits.dtype).square() / (distance + epsilon)).mean()


class CSL(Modified):
    """The base loss plus λ times the CSL term, whose costs are set by the statistics of the epoch before.

        γ_i = S_i / (ε + max(H_i, h) max S),   S_i = (mean |f|)²,   cost_i = γ_i N_i + r

    S_i, the semantic scale, and H_i, the mean entropy of softmax(z), are over the training samples of class i in the
    last epoch; N_i is how often the model predicted class i in it, counted per mini-batch: B times the class's share of
    the predictions, for a batch of B. r is -k after an epoch whose mean base loss was lower than the one's before, +k
    after a higher one, and 0 at first. In the first epoch there is no term.

    The paper counts predictions on validation samples; where the training loop shows none (`count_predictions`), those
    on training samples count. The term counts once a sample: B times under ``sum``. In evaluation mode the loss is the
    base loss, and nothing is collected. ``state_dict`` has all statistics: training goes on exactly from one that was
    saved after an epoch.

    Source: "Long tail classification through cost-sensitive loss functions" (anonymous, under review in 2024), eq. 1
    and 2, algorithm 1. ``docs/losses.md`` says where text and algorithm differ, and what is taken.

    Args:
        base: a member of the classification family.
        csl: λ, a factor of the term.
        csl_reward: k.
        csl_floor: h, in nats, an addition to the paper. Its γ (h = 0) has no bound as the model grows sure of a class;
            the term then inflates the logits, which lowers the entropy further, until training diverges.
        epsilon: of the denominators.
        counts: ``validation``, the paper's, or ``training``: whose predictions are counted.
        statistics: which it shares with another; None: its own.
    """

    kind = "csl"
    numbers: ClassVar[Mapping[str, float]] = {"csl": 1.0, "csl_reward": 2.0, "csl_floor": 0.1}
    settings = ("epsilon", "counts")
    outermost = True

    csl: Tensor
    csl_reward: Tensor
    csl_floor: Tensor

    def __init__(
        self,
        base: Member,
        csl: float = 1.0,
        csl_reward: float = 2.0,
        csl_floor: float = 0.1,
        epsilon: float = 1e-6,
        counts: str = "validation",
        statistics: CSLStatistics | None = None,
    ) -> None:
        super().__init__(base, {"csl": csl, "csl_reward": csl_reward, "csl_floor": csl_floor})
        if not epsilon > 0:
            raise InputError(f"epsilon is {epsilon}; it has to be above 0")
        if counts not in COUNTS:
            raise InputError(f"counts is {counts!r}; choose {' or '.join(COUNTS)}")
        self.epsilon, self.counts, self.needs_features = float(epsilon), counts, True
        self.statistics = CSLStatistics(base.num_classes) if statistics is None else statistics

    @property
    def shared(self) -> dict[str, Any]:
        return {"statistics": self.statistics}

    def start_epoch(self, progress: float) -> None:
        """Turns the statistics of the epoch that ended into the costs of the one that begins; at the beginning of
        training, forgets all."""
        self.statistics.start_epoch(progress)

    def count_predictions(self, logits: Tensor) -> None:
        """Counts what validation samples are predicted as, from their logits, (B, K), if this is wanted."""
        if self.counts == "validation":
            self.statistics.count(logits)

    def costs(self, batch: int, parameters: Mapping[str, Tensor] | None = None) -> Tensor:
        """γ_i N_i + r for a training batch of B, (K,), differentiable in k and h.

        Args:
            batch: B.
            parameters: other numbers than its own, and other statistics, see `CSLStatistics.held`.
        """
        own = {name: getattr(self, name) for name in self.numbers}
        at = {**own, **self.statistics.held, **(parameters or {})}
        gamma = importance(at, at["csl_floor"], self.epsilon)
        return gamma * at["csl_share"] * batch + at["csl_reward"] * at["csl_trend"]

    def value(
        self,
        output: Tensor,
        target: Tensor,
        parameters: Mapping[str, Tensor],
        group: Tensor | None = None,
        features: Tensor | None = None,
    ) -> Tensor:
        return self.with_term(self.base.value(output, target, parameters, group, features), output, parameters)

    def with_term(self, value: Tensor, logits: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        """The base loss's ``value`` plus the term, where it has a strength."""
        if "csl" not in parameters:
            return value
        term = csl_term(logits, self.costs(len(logits), parameters), self.epsilon)
        term = parameters["csl"].to(term.dtype) * term
        return value + (len(logits) * term if self.reduction == "sum" else term)

    def observe(
        self,
        statistics: CSLStatistics,
        logits: Tensor,
        target: Tensor,
        features: Tensor | None,
        value: Tensor,
    ) -> None:
        """Collects training samples in ``statistics``, ``value`` being the base loss's."""
        total = value.sum() if self.reduction in ("none", "sum") else len(logits) * value
        statistics.observe(logits, target, features, total.detach())

    def of_batch(self, logits: Tensor, target: Tensor, group: Tensor | None, features: Tensor | None) -> Tensor:
        """The loss of a training batch, whose statistics are collected; in evaluation mode the base loss. Without
        features the logits stand in for them.

        Warns:
            UserWarning: it is to be differentiated in training mode, and no epoch was begun.
        """
        if self.training and logits.requires_grad and not self.statistics.begun:
            warnings.warn(_UNTOLD, stacklevel=4)
        parameters = self.parameters_in_effect
        value = self.base.value(logits, target, parameters, group, features)
        if not self.training:
            return value
        self.observe(self.statistics, logits, target, features, value)
        return self.with_term(value, logits, parameters)


def with_csl(loss: Loss, **settings: Any) -> Loss:
    """``loss`` with the CSL term in each of its stages, which have the same statistics.

    Args:
        loss: a member of the classification family, or a schedule of members.
        **settings: of `CSL`.

    Raises:
        InputError: another loss, or one that has the term already.
    """
    return in_every_stage(loss, CSL, lambda member, shared: CSL(member, **settings, **shared))
