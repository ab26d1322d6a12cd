"""A regressor that searches its loss."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d

from autobalance.bilevel.estimators._estimator import SearchingEstimator


class AutoBalanceRegressor(RegressorMixin, SearchingEstimator):
    """A regressor for numbers some of which are rare, as scikit-learn has them: it searches weights over bins of the
    target. The parameters are those of `SearchingEstimator`, the attributes those of `AutoBalanceClassifier`, but
    for ``classes_``."""

    def fit(self, X: Any, y: Any) -> Self:
        """Searches and trains.

        Args:
            X: (N, D) numbers, or a DataFrame.
            y: (N,) numbers that are not all the same.

        Raises:
            ValueError: inputs that cannot be used, with what helps.
        """
        X, y, encoder = self.read_inputs(X, y, numeric=True)
        y = column_or_1d(y, warn=True).astype(np.float32)
        if y.min() == y.max():
            raise ValueError(f"y is constant, always {y[0]:g}: there is nothing to predict")
        self.search(X, encoder, y, ())
        return self

    def predict(self, X: Any) -> NDArray[np.float32]:
        """A number for each sample, (N,)."""
        return self.answers(X).numpy()
