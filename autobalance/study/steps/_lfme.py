"""LFME (Xiang et al. 2020): experts on many-, medium- and few-shot classes teach one student, at its own pace.

An expert is trained on the samples of each part of the classes. The student is trained with

    (1/B) Σ_i v_i [ loss_i + Σ_l w_l KL( softmax(e_l / T) | softmax(z_l / T) ) ]

z_l and e_l are the student's and the expert's logits of the classes of part l. How much an expert says falls when the
student comes near it: w_l = 1 where acc < α acc_l, else max(0, (acc_l - acc) / (acc_l (1 - α))), with the accuracies of
student and expert on the samples of part l. Samples come in from easy to hard: v_i rises linearly to 1 at half of the
epochs, from t + (1 - t) p_i, with p_i what the expert gives the sample's class, and t the mean size of the few-shot
classes over that of the part's classes. T, α, t and the class-balanced batches are the released code's.

Two things differ. The accuracies are those of an epoch's training samples for the next epoch, since the fair protocol
leaves no samples for validation; the released code takes its validation samples. And it stretches p within each class
to 0 to 1, and multiplies logits by v in place of losses.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autobalance.common import InputError
from autobalance.losses import Loss, unreduced
from autobalance.losses.named import Range
from autobalance.study._training import Training
from autobalance.study.steps._resampled import by_class
from autobalance.study.steps._step import Step, register_step, without_features
from autobalance.training import train

#: More samples: a many-shot class; fewer: a few-shot one (Liu et al. 2019).
MANY, FEW = 100, 20


def parts_of(class_counts: Tensor) -> Tensor:
    """The part of each class, (K,), from 0 on, those of the large classes first; parts without classes are left out."""
    shots = (class_counts <= MANY).long() + (class_counts < FEW).long()
    return shots.unique(return_inverse=True)[1]


class OnPart(Loss):
    """An expert's loss: cross-entropy among the classes of one part.

    Args:
        own: which classes it knows, (K,), bool.
    """

    own: Tensor

    def __init__(self, own: Tensor) -> None:
        super().__init__()
        self.num_classes, self.reduction = len(own), "mean"
        self.register_buffer("own", own)

    def forward(
        self, logits: Tensor, target: Tensor, group: Tensor | None = None, features: Tensor | None = None
    ) -> Tensor:
        return F.cross_entropy(logits.masked_fill(~self.own, -torch.inf), target)


class Taught(nn.Module):
    """A student and its experts, who look at the same inputs and are not trained.

    Args:
        student: is trained.
        experts: one a part, with K logits each.
        parts: the part of each class, (K,).
    """

    parts: Tensor

    def __init__(self, student: nn.Module, experts: list[nn.Module], parts: Tensor) -> None:
        super().__init__()
        self.student = student
        self.experts = nn.ModuleList(experts).requires_grad_(False)
        self.register_buffer("parts", parts)

    def train(self, mode: bool = True) -> Taught:
        """The experts stay in evaluation mode."""
        super().train(mode)
        self.experts.eval()
        return self

    def forward(self, x: Tensor, return_features: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """The student's logits (B, K), or the pair of them and the experts', (B, K), each class's by its expert."""
        logits = self.student(x)
        if not return_features:
            return logits
        with torch.no_grad():
            each = torch.stack([expert(x) for expert in self.experts], 2)
        index = self.parts[None, :, None].expand(len(logits), -1, 1)
        return logits, each.gather(2, index)[:, :, 0]


class Distilled(Loss):
    """A base loss with what the experts say beside it, by the formulas above.

    Args:
        base: gives each sample's loss; looks at no features.
        class_counts: training samples of each class, (K,).
        strength: a factor on what the experts say; 1 as published.
        temperature: T.
        pace: α.
    """

    needs_features = True
    parts: Tensor
    least: Tensor
    seen: Tensor
    weights: Tensor

    def __init__(
        self, base: Loss, class_counts: Tensor, strength: float = 1.0, temperature: float = 2.0, pace: float = 0.3
    ) -> None:
        super().__init__()
        self.base, self.strength, self.temperature, self.pace = unreduced(base), strength, temperature, pace
        self.num_classes, self.num_groups, self.reduction = base.num_classes, base.num_groups, "batch_mean"
        self.class_names, self.group_names, self.progress = base.class_names, base.group_names, 0.0
        parts = parts_of(class_counts)
        number = int(parts.max()) + 1
        means = torch.stack([class_counts[parts == part].double().mean() for part in range(number)])
        self.register_buffer("parts", parts)
        self.register_buffer("least", (means.min() / means).to(torch.get_default_dtype()))
        self.register_buffer("seen", torch.zeros(3, number))  # samples; hits of the student and of the expert
        self.register_buffer("weights", torch.ones(number))

    @property
    def start_bias(self) -> Tensor | None:
        return self.base.start_bias

    def start_epoch(self, progress: float) -> None:
        """Sets how much each expert says, by the accuracies of the epoch before: all of it in the first."""
        self.base.start_epoch(progress)
        samples, student, expert = self.seen
        gap = ((expert - student) / expert.clamp_min(1) / (1 - self.pace)).clamp(0, 1)
        known = samples > 0
        self.weights.copy_(gap.where(known, torch.ones_like(gap)) if progress else torch.ones_like(gap))
        self.seen.zero_()
        self.progress = progress

    def forward(
        self, logits: Tensor, target: Tensor, group: Tensor | None = None, features: Tensor | None = None
    ) -> Tensor:
        """The loss; in evaluation mode the base loss alone.

        Args:
            logits, target, group: as the base loss takes them.
            features: the experts' logits, (B, K).
        """
        each = self.base(logits, target, group=group)
        if not self.training:
            return each.mean()
        assert features is not None
        experts, part = features.detach(), self.parts[target]
        told = torch.zeros_like(each)
        for place in range(len(self.weights)):
            own = self.parts == place
            student, expert = (F.log_softmax(z[:, own] / self.temperature, 1) for z in (logits, experts))
            told = told + self.weights[place] * (expert.exp() * (expert - student)).sum(1)
        others = self.parts[None] != part[:, None]
        sure = experts.masked_fill(others, -torch.inf)
        self._count(logits.argmax(1) == target, sure.argmax(1) == target, part)
        least, hit = self.least[part], sure.softmax(1).gather(1, target[:, None])[:, 0]
        start = least + (1 - least) * hit
        ease = start + (1 - start) * min(1.0, 2 * self.progress)
        return (ease * (each + self.strength * told)).mean()

    @torch.no_grad()
    def _count(self, student: Tensor, expert: Tensor, part: Tensor) -> None:
        """Notes who was right, (B,) each, about samples of which part."""
        told = torch.stack([torch.ones_like(student), student, expert]).to(self.seen)
        self.seen.index_add_(1, part, told)


def _distilled(loss: Loss, training: Training) -> Loss:
    without_features("+lfme", loss)
    return Distilled(loss, training.class_counts, training.hyper["lfme_strength"])


def _taught(model: nn.Module, training: Training) -> nn.Module:
    parts = parts_of(training.class_counts)
    if not int(parts.max()):
        raise InputError(
            f"+lfme needs classes in two of the ranges over {MANY}, {FEW} to {MANY} and under {FEW} training samples: "
            "all are in one"
        )
    experts = [training.setting.new_model(training.seed, training.head) for _ in range(int(parts.max()) + 1)]
    return Taught(model, experts, parts).to(training.setting.device)


def _train_experts(model: nn.Module, training: Training) -> None:
    """Trains each expert on the samples of its part."""
    assert isinstance(model, Taught)
    samples, recipe = training.samples, training.stage(training.hyper["lfme_share"])
    for part, expert in enumerate(model.experts):
        own = model.parts == part
        loss = OnPart(own).to(samples.device)
        expert.requires_grad_(True)
        train(expert, samples.subset(own[samples.y].nonzero()[:, 0].cpu()), loss, recipe, training.seed)
        expert.requires_grad_(False)


def _student(model: nn.Module, training: Training) -> nn.Module:
    assert isinstance(model, Taught)
    return model.student


register_step(
    Step(
        "+lfme",
        "LFME: experts by shot teach a student at its own pace",
        {"lfme_share": 1.0, "lfme_strength": 1.0},
        {"lfme_share": Range(0.3, 1.0), "lfme_strength": Range(0.1, 3.0, "log")},
        loss=_distilled,
        model=_taught,
        before=_train_experts,
        stream=by_class,
        after=_student,
        outside=3,
    )
)
