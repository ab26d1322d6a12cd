"""What the estimators share: how inputs are read, and a search that ends in a trained model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from autobalance.bilevel._conduct import conduct
from autobalance.bilevel._plan import SearchPlan, strategy_of
from autobalance.data import Problem, Samples, split_again
from autobalance.data.encoders import ArrayEncoder, Encoder, TableEncoder
from autobalance.tasks.objectives import OwnFunction
from autobalance.training import Recipe, TrainedModel, setting_of, setting_of_model

#: With fewer numbers per sample a training step is so short that threads cost more than they gain.
SMALL_SAMPLE = 1024


class SearchingEstimator(BaseEstimator):
    """Searches a loss, chooses between it and a fixed one, and trains a model with the choice.

    Args:
        objective: what shall be small, see `SearchPlan`; None: as the task says.
        budget: what the search may cost, its choice included, in plain trainings; None: 4.
        confidence: with which the searched loss has to beat the fixed one; 0: it is taken unseen; None: as the strategy
            says.
        recipe: how models are trained; None: the defaults of `Recipe`.
        model: a name of `make_model`, or a network of one's own, which is copied; None: a perceptron.
        text: columns of a DataFrame that hold free text: one, or two whose texts are compared.
        device: where to compute.
        random_state: of splits, weights and the order of the samples; None: drawn from NumPy's.
    """

    def __init__(
        self,
        objective: str | OwnFunction | None = None,
        budget: float | None = None,
        confidence: float | None = None,
        recipe: Recipe | None = None,
        model: str | nn.Module | None = None,
        text: tuple[str, ...] = (),
        device: str = "cpu",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.objective = objective
        self.budget = budget
        self.confidence = confidence
        self.recipe = recipe
        self.model = model
        self.text = text
        self.device = device
        self.random_state = random_state

    def read_inputs(self, X: Any, y: Any, numeric: bool) -> tuple[Any, Any, Encoder]:
        """The training inputs and targets, checked, and an encoder that is fitted on them.

        The columns of a DataFrame are encoded as those of a table; anything else has to be numbers.

        Args:
            X, y: as ``fit`` is given them.
            numeric: whether ``y`` has to be numbers.

        Raises:
            ValueError, TypeError: they cannot be used, as scikit-learn says it.
        """
        if _is_frame(X):
            y = validate_data(self, y=y, y_numeric=numeric)
            validate_data(self, X, skip_check_array=True)
            check_consistent_length(X, y)
            if len(X) < 2:
                raise ValueError(f"{len(X)} sample(s) in X, and a minimum of 2 is required")
            self.columns_ = [str(name) for name in X.columns]
            return X, y, TableEncoder.fit(X.set_axis(self.columns_, axis=1), self.text)
        if self.text:
            raise ValueError(f"`text` names columns of a DataFrame, and X is a {type(X).__name__}")
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2, y_numeric=numeric)
        return X, y, ArrayEncoder.fit(X)

    def answers(self, X: Any) -> Tensor:
        """What the trained model answers: logits (N, K), or numbers (N,).

        Raises:
            NotFittedError: it is not trained.
            ValueError: X does not fit.
        """
        check_is_fitted(self)
        if _is_frame(X):
            validate_data(self, X, skip_check_array=True, reset=False)
        else:
            X = validate_data(self, X, dtype=np.float64, reset=False)
        if isinstance(self.trained_.encoder, TableEncoder) and not _is_frame(X):
            import pandas as pd

            X = pd.DataFrame(X, columns=self.columns_)
        elif isinstance(self.trained_.encoder, ArrayEncoder) and _is_frame(X):
            X = X.to_numpy(np.float64)
        return self.trained_.outputs(X)

    def search(self, X: Any, encoder: Encoder, y: NDArray[Any], names: tuple[str, ...], groups: Any = None) -> None:
        """Searches, chooses, trains, and keeps what came of it.

        Args:
            X: inputs as the encoder takes them.
            encoder: of the inputs.
            y: classes 0..K-1, int64, or numbers, float32; (N,).
            names: of the classes; empty for numbers.
            groups: each sample's group, any values, (N,), or None.
        """
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        inputs, targets = encoder.encode(X), torch.from_numpy(y)
        group, group_names, cells = None, None, y
        if groups is not None:
            check_consistent_length(X, groups)
            values, index = np.unique(column_or_1d(groups), return_inverse=True)
            group, group_names, cells = torch.from_numpy(index), tuple(map(str, values)), y * len(values) + index
        samples = Samples(inputs, targets, group)
        nothing = samples.subset(torch.empty(0, dtype=torch.int64))
        problem = Problem("X", samples, nothing, nothing, names, group_names=group_names, encoder=encoder)
        problem = split_again(problem if names else problem.binned(None), seed)
        # Where all counts are the same, nothing can follow the frequency.
        equal = bool(names) and len(set(np.unique(cells, return_counts=True)[1].tolist())) == 1
        plan = SearchPlan(
            objective=self.objective,
            strategy=strategy_of(budget=self.budget),
            recipe=self.recipe,
            confidence=self.confidence,
            tie="class" if equal else None,
            seed=seed,
        )
        history: list[dict[str, Any]] = []
        with _threads(math.prod(samples.shape)), torch.random.fork_rng(devices=[]):
            if isinstance(self.model, nn.Module):
                setting = setting_of_model(problem.to(self.device), deepcopy(self.model).to(self.device))
            else:
                setting = setting_of(problem, self.model, self.device)
            done = conduct(plan, setting, lambda state, record: history.append(record))
            trained = done.arm.train(setting, setting.problem.final_training, seed)
        self.history_, self.choice_ = history, done.choice
        self.loss_ = done.arm.loss
        self.trained_ = TrainedModel.of(trained, setting, done.arm, {"chosen": done.arm.name, "seed": seed})


def _is_frame(X: Any) -> bool:
    return hasattr(X, "iloc") and hasattr(X, "columns")


@contextmanager
def _threads(numbers: int) -> Iterator[None]:
    """One thread for a while, where samples are of few ``numbers``."""
    before = torch.get_num_threads()
    if numbers < SMALL_SAMPLE:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
