"""Rivals that are no losses: the last layer trained again on balanced samples, and fairlearn's reduction."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from autobalance.data import Samples, stratum
from autobalance.study import named_method
from experiments.suite._case import Case

#: Of the samples, what the last layer is trained again on, one part in so many.
PARTS = 4
#: Balanced draws whose last layers are averaged, as in the paper.
DRAWS = 10
#: Inverse strengths of the penalty on the last layer.
STRENGTHS = (1.0, 0.1, 0.01)
#: Differences of the groups' error rates that are allowed.
BOUNDS = (0.02, 0.1)
ITERATIONS = 10


class Answering(nn.Module):
    """A model that is a function of the inputs."""

    def __init__(self, answer: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.answer = answer
        self.device_of = nn.Parameter(torch.zeros(1), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.answer(x)


def dfr(case: Case, samples: Samples) -> dict[str, nn.Module | None]:
    """Deep feature reweighting (Kirichenko et al. 2023): a model trained with cross-entropy on three quarters of the
    samples; logistic regressions on its features of the others, standardised, for draws with as many samples of each
    cell as the smallest has; their mean is the last layer.

    The paper has an L1 penalty on binary problems; this one is L2, which there is for several classes too.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    cells = stratum(samples, None)
    dealer = StratifiedKFold(PARTS, shuffle=True, random_state=case.seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        rest, held = next(dealer.split(cells, cells))
    (model,) = case.train([named_method("ce")], samples.subset(torch.from_numpy(rest)))
    if model is None:
        return {f"C {strength}": None for strength in STRENGTHS}
    part = samples.subset(torch.from_numpy(held))
    features, cell, y = features_of(model, part), cells[held], part.y.cpu().numpy()
    mean, deviation = features.mean(0), features.std(0) + 1e-6
    x, classes = ((features - mean) / deviation).numpy(), case.problem.num_classes
    found: dict[str, nn.Module | None] = {}
    for strength in STRENGTHS:
        generator, weight, bias = np.random.default_rng(case.seed), np.zeros((classes, x.shape[1])), np.zeros(classes)
        for _ in range(DRAWS):
            taken = balanced(cell, generator)
            fitted = LogisticRegression(C=strength, max_iter=200).fit(x[taken], y[taken])
            weight[fitted.classes_] += _of_all(fitted.coef_) / DRAWS
            bias[fitted.classes_] += _of_all(fitted.intercept_[:, None])[:, 0] / DRAWS
        found[f"C {strength}"] = _with_head(model, mean, deviation, torch.tensor(weight), torch.tensor(bias))
    return found


def _of_all(rows: np.ndarray) -> np.ndarray:
    """A row a class: of two classes scikit-learn has one row alone."""
    return np.concatenate([-rows / 2, rows / 2]) if len(rows) == 1 else rows


def balanced(cell: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Positions of as many samples of each cell as the smallest has."""
    members = [np.flatnonzero(cell == each) for each in np.unique(cell)]
    least = min(map(len, members))
    return np.concatenate([generator.permutation(places)[:least] for places in members])


@torch.no_grad()
def features_of(model: nn.Module, samples: Samples) -> Tensor:
    """What the last layer is given, (N, D)."""
    model.eval()
    return torch.cat([model(batch.x, return_features=True)[1] for batch in samples.batches()])


def _with_head(model: nn.Module, mean: Tensor, deviation: Tensor, weight: Tensor, bias: Tensor) -> nn.Module:
    weight, bias = weight.float(), bias.float()

    def answer(x: Tensor) -> Tensor:
        return ((model(x, return_features=True)[1] - mean) / deviation) @ weight.T + bias

    return Answering(answer)


def exponentiated_gradient(case: Case, samples: Samples) -> dict[str, nn.Module | None]:
    """Agarwal et al. 2018, as fairlearn has it: a lottery of logistic regressions (with balanced classes) whose error
    rates within each class differ by no more than a bound between the groups. The groups are seen in training only."""
    from fairlearn.reductions import EqualizedOdds, ExponentiatedGradient
    from sklearn.linear_model import LogisticRegression

    known = samples.all()
    assert known.group is not None
    x, y, group = known.x.flatten(1).cpu().numpy(), known.y.cpu().numpy(), known.group.cpu().numpy()
    found: dict[str, nn.Module | None] = {}
    for bound in BOUNDS:
        reduction = ExponentiatedGradient(
            LogisticRegression(class_weight="balanced", max_iter=300),
            EqualizedOdds(difference_bound=bound),
            eps=bound,
            max_iter=ITERATIONS,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own use of pandas
            reduction.fit(x, y, sensitive_features=group)
        found[f"bound {bound}"] = Answering(_drawn(reduction, case.seed))
    return found


def _drawn(reduction: object, seed: int) -> Callable[[Tensor], Tensor]:
    def answer(x: Tensor) -> Tensor:
        predicted = reduction.predict(x.flatten(1).cpu().numpy(), random_state=seed)  # type: ignore[attr-defined]
        return nn.functional.one_hot(torch.from_numpy(np.asarray(predicted)).long(), 2).float()

    return answer
