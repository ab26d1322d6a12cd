"""A classifier that searches its loss."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from autobalance.bilevel.estimators._estimator import SearchingEstimator


class AutoBalanceClassifier(ClassifierMixin, SearchingEstimator):
    """A classifier for imbalanced classes, as scikit-learn has them, which searches the loss that suits an objective.

    Inputs are numbers, or a DataFrame as it is: its columns are read as `TableEncoder` says, and those that ``text``
    names become vectors. The parameters are those of `SearchingEstimator`.

    Attributes:
        classes_: the labels, sorted.
        loss_: the chosen loss, which `save_loss` writes to a file.
        choice_: how sure the choice is; None where none was asked for.
        history_: the records of the search.
        trained_: the `TrainedModel`, whose ``save(DIR)`` keeps it for `load_model`.
        n_features_in_, feature_names_in_: of the inputs.

    Example:
        >>> import numpy as np
        >>> from autobalance import AutoBalanceClassifier
        >>> rng = np.random.default_rng(0)
        >>> y = np.repeat(["often", "seldom"], [90, 10])
        >>> X = rng.normal(size=(100, 2)) + 6 * (y == "seldom")[:, None]
        >>> model = AutoBalanceClassifier(objective="worst_class", budget=1, random_state=0).fit(X, y)
        >>> model.predict([[0, 0], [6, 6]]).tolist()
        ['often', 'seldom']
    """

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Searches and trains.

        Args:
            X: (N, D) numbers, or a DataFrame.
            y: (N,), at least two classes, each with at least two samples.
            groups: (N,), each sample's group, for objectives such as ``worst_group``; not needed to predict. In a
                Pipeline or a cross-validation ask for it by ``set_fit_request(groups=True)``.

        Raises:
            ValueError: inputs that cannot be used, with what helps.
        """
        X, y, encoder = self.read_inputs(X, y, numeric=False)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        labels = LabelEncoder().fit(y)
        if len(labels.classes_) < 2:
            raise ValueError(f"y has one class, {str(labels.classes_[0])!r}: a classifier needs at least two")
        self.search(X, encoder, labels.transform(y).astype(np.int64), tuple(map(str, labels.classes_)), groups)
        self.classes_ = labels.classes_
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each sample, (N,)."""
        answers = self.answers(X)
        return self.classes_[answers.argmax(1).numpy()]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The share that the model gives each class, (N, K), in the order of ``classes_``; see
        `TrainedModel.predict_proba`."""
        return self.answers(X).double().softmax(1).numpy()
