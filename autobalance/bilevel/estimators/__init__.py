"""The search as scikit-learn's estimators: from a table to balanced predictions in five lines."""

from autobalance.bilevel.estimators._classifier import AutoBalanceClassifier as AutoBalanceClassifier
from autobalance.bilevel.estimators._regressor import AutoBalanceRegressor as AutoBalanceRegressor
