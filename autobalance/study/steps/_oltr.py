"""OLTR (Liu et al. 2019): a memory of the classes' centroids, dynamic meta-embedding and a cosine classifier.

A feature v, (D,), becomes

    v_meta = (10 / min_k |v - M_k|) (v + e * m),    m = Σ_k o_k M_k,    o = softmax(T_o v),    e = tanh(T_e v)
    logits = 16 W_k / |W_k| · v_meta / (1 + |v_meta|)

M, (K, D), is the memory. It begins as the classes' mean features after a first stage of training with cross-entropy,
whose head is what T_o begins as, and is moved by a loss of its own alone, see `Centred`. The second stage draws every
class as often as any other. The constants and the balanced batches are the released code's. Its attention over feature
maps is left out: it needs a body that hands them out.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autobalance.common import InputError
from autobalance.losses import Loss, ParametricLoss
from autobalance.losses.named import Range
from autobalance.models import FeatureModel
from autobalance.study._training import Training
from autobalance.study.steps._resampled import by_class
from autobalance.study.steps._step import Step, needs_parts, register_step, without_features
from autobalance.study.steps.classifier import features_of
from autobalance.training import train

REACH, SCALE, MARGIN, REPEL = 10.0, 16.0, 10.0, 0.01
#: Squared distances below count as this: the root has a gradient there.
NEAREST = 1e-12


class MetaEmbedding(nn.Module):
    """The head: dynamic meta-embedding and the cosine classifier.

    Args:
        width: D.
        classes: K.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.memory = nn.Parameter(torch.zeros(classes, width))
        self.query, self.select = nn.Linear(width, classes), nn.Linear(width, width)
        self.weight = nn.Parameter(torch.empty(classes, width).uniform_(-(width**-0.5), width**-0.5))

    def distances(self, features: Tensor) -> Tensor:
        """Squared distances to what is remembered of each class, (B, K), for features (B, D)."""
        return _squared(features, self.memory)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (B, K), which move no memory."""
        memory = self.memory.detach()
        nearest = _squared(features, memory).min(1, keepdim=True).values
        recalled = self.query(features).softmax(1) @ memory
        embedded = REACH / nearest.clamp_min(NEAREST).sqrt() * (features + self.select(features).tanh() * recalled)
        shrunk = embedded / (1 + embedded.norm(dim=1, keepdim=True))
        return SCALE * shrunk @ F.normalize(self.weight).t()


def _squared(features: Tensor, memory: Tensor) -> Tensor:
    """Squared distances, (B, K), without a tensor of (B, K, D)."""
    lengths = features.square().sum(1)[:, None] + memory.square().sum(1)
    return (lengths - 2 * features @ memory.t()).clamp_min(0)


class Remembering(FeatureModel):
    """A body with a `MetaEmbedding`; beside the logits it hands out the distances to the memory, for `Centred`."""

    def forward(self, x: Tensor, return_features: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Logits (B, K), or the pair of them and the squared distances to the memory, (B, K)."""
        features, head = self.features(x), self.head
        if not return_features:
            return head(features)
        assert isinstance(head, MetaEmbedding)
        return head(features), head.distances(features)


class Centred(Loss):
    """A base loss, and features drawn to the memory of their class and away from that of the others:

        base + λ [ mean_i |v_i - M_y|² / 2 + 0.01 max(0, 10 - Σ_i Σ_{k ≠ y} |v_i - M_k|² / (B K)) ]

    Args:
        base: gives the rest of the loss; looks at no features.
        strength: λ.
    """

    needs_features = True

    def __init__(self, base: Loss, strength: float) -> None:
        super().__init__()
        self.base, self.strength = base, strength
        self.num_classes, self.reduction, self.num_groups = base.num_classes, base.reduction, base.num_groups
        self.class_names, self.group_names = base.class_names, base.group_names

    @property
    def start_bias(self) -> Tensor | None:
        return self.base.start_bias

    def start_epoch(self, progress: float) -> None:
        """Tells the base loss."""
        self.base.start_epoch(progress)

    def forward(
        self, logits: Tensor, target: Tensor, group: Tensor | None = None, features: Tensor | None = None
    ) -> Tensor:
        """The loss.

        Args:
            logits, target, group: as the base loss takes them.
            features: squared distances to the memory, (B, K).
        """
        assert features is not None
        own = features.gather(1, target[:, None])[:, 0]
        attract, others = own.mean() / 2, (features.sum() - own.sum()) / features.numel()
        return self.base(logits, target, group=group) + self.strength * (attract + REPEL * F.relu(MARGIN - others))


def _centred(loss: Loss, training: Training) -> Loss:
    without_features("+oltr", loss)
    return Centred(loss, training.hyper["oltr_strength"])


def _remembering(model: nn.Module, training: Training) -> nn.Module:
    """The model with a `MetaEmbedding` for a head."""
    needs_parts("+oltr", training, model)
    head = model.get_submodule("head")
    if not isinstance(head, nn.Linear):
        kind = type(head).__name__
        raise InputError(f"+oltr puts its head in the place of a linear one; this model and base loss have a {kind}")
    embedding = MetaEmbedding(head.in_features, head.out_features).to(head.weight)
    return Remembering(model.get_submodule("body"), embedding)


def _first_stage(model: nn.Module, training: Training) -> None:
    """Trains the body with a linear head, and fills the memory."""
    setting, samples = training.setting, training.samples
    head = setting.new_model(training.seed).get_submodule("head")
    first = FeatureModel(model.get_submodule("body"), head)
    loss = ParametricLoss(setting.problem.num_classes).to(setting.device)
    train(first, samples, loss, training.stage(training.hyper["oltr_share"]), training.seed)
    features, embedding = features_of(first, samples), model.get_submodule("head")
    assert isinstance(embedding, MetaEmbedding) and isinstance(features.x, Tensor)
    with torch.no_grad():
        for k in range(setting.problem.num_classes):
            embedding.memory[k] = features.x[features.y == k].mean(0)
    embedding.query.load_state_dict(head.state_dict())


register_step(
    Step(
        "+oltr",
        "OLTR: a memory of centroids, dynamic meta-embedding, cosine classifier",
        {"oltr_share": 0.5, "oltr_strength": 0.01},
        {"oltr_share": Range(0.2, 1.0), "oltr_strength": Range(0.001, 0.1, "log")},
        loss=_centred,
        model=_remembering,
        before=_first_stage,
        stream=by_class,
        outside=3,
    )
)
