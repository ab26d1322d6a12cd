"""The estimators: scikit-learn's own checks, and its pipelines, searches, samplers and metadata routing around them."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from autobalance import AutoBalanceClassifier, AutoBalanceRegressor, InputError, Recipe, load_model

QUICK = {"budget": 1, "confidence": 0.0, "model": "linear", "random_state": 0}


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    """Offsets after a few steps: what is looked at here are shapes, errors and repetitions."""
    monkeypatch.setattr("autobalance.bilevel._offsets.STEPS", 5)
    monkeypatch.setattr("autobalance.bilevel._offsets.PENALTIES", (float("inf"), 0.03))


@parametrize_with_checks(
    [
        AutoBalanceClassifier(**QUICK, recipe=Recipe(epochs=6)),
        AutoBalanceRegressor(**QUICK, recipe=Recipe(epochs=6, lr=0.02)),
    ]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def imbalanced(n=150, seed=0):
    return make_classification(n, 6, weights=[0.8], n_informative=4, flip_y=0, class_sep=1.5, random_state=seed)


def quick(**more):
    return AutoBalanceClassifier(**{**QUICK, "recipe": Recipe(epochs=6), **more})


def messy(n=120):
    rng = np.random.default_rng(0)
    y = np.where(np.arange(n) % 5 == 0, "rare", "common")
    frame = pd.DataFrame({"size": rng.normal(0, 1, n) + 4 * (y == "rare"), "colour": rng.choice(["red", "blue"], n)})
    return frame.assign(note=[f"a {c} thing that is {v}" for c, v in zip(frame["colour"], y, strict=True)]), y


def test_a_mixed_frame_is_read_as_it_is_and_the_trained_model_can_be_kept(tmp_path):
    X, y = messy()
    model = quick(text=("note",)).fit(X, y)
    assert model.classes_.tolist() == ["common", "rare"] and model.feature_names_in_.tolist() == list(X)
    assert model.score(X, y) > 0.95
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(1), 1)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X[["note", "size", "colour"]])
    model.trained_.save(tmp_path)
    kept = load_model(tmp_path)
    assert kept.predict(X).tolist() == model.predict(X).tolist()
    np.testing.assert_allclose(kept.predict_proba(X), proba, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X.assign(size=np.r_[np.inf, X["size"][1:]]), y), "'size' is inf"),
        (lambda X, y: (X, pd.Series(y).where(y != "rare")), "contains NaN"),
        (lambda X, y: (X, y[1:]), "inconsistent numbers of samples"),
        (lambda X, y: (X, np.full(len(y), "one")), "y has one class, 'one'"),
    ],
)
def test_tables_that_cannot_be_used(change, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(*change(*messy()))


def test_it_stands_in_pipelines_searches_and_behind_samplers():
    X, y = imbalanced()
    scores = cross_val_score(make_pipeline(StandardScaler(), quick()), X, y, cv=2, scoring="balanced_accuracy")
    assert scores.min() > 0.6
    grid = GridSearchCV(quick(), {"objective": ["balanced_error", "worst_class"]}, cv=2, scoring="balanced_accuracy")
    assert set(grid.fit(X, y).best_params_) == {"objective"}
    balanced = make_sampling_pipeline(SMOTE(random_state=0), quick()).fit(X, y)  # all classes are of one size then
    assert balanced.score(X, y) > 0.7


def test_groups_come_by_metadata_routing():
    X, y = imbalanced(240)
    groups = np.where(np.arange(240) % 3 == 0, "few", "many")
    model = quick(objective="worst_group").fit(X, y, groups=groups)
    assert model.loss_.num_groups == 2
    with sklearn.config_context(enable_metadata_routing=True):
        asked = quick(objective="worst_group").set_fit_request(groups=True)
        piped = make_pipeline(StandardScaler(), asked).fit(X, y, groups=groups)
        assert piped[-1].loss_.num_groups == 2
        assert cross_val_score(piped, X, y, cv=2, params={"groups": groups}).min() > 0.5


def test_the_objective_the_seed_and_a_network_of_ones_own_have_an_effect():
    X, y = imbalanced()
    first, again, other = (quick(random_state=seed).fit(X, y).predict_proba(X) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4
    from torch import nn

    own = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 2))
    before = [parameter.clone() for parameter in own.parameters()]
    model = quick(model=own, recipe=Recipe(epochs=20)).fit(X, y)
    assert model.score(X, y) > 0.7
    assert all((a == b).all() for a, b in zip(before, own.parameters(), strict=True))
    assert clone(model).get_params()["budget"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objective": "nothing"}, "nothing"),
        ({"model": "cnn"}, "for images"),
        ({"text": ("note",)}, "columns of a DataFrame"),
        ({"budget": -1}, "budget"),
    ],
)
def test_parameters_that_cannot_be(change, message):
    with pytest.raises(ValueError, match=message):
        quick(**change).fit(*imbalanced())


def test_a_class_of_one_sample_and_targets_that_are_constant_are_refused():
    X, y = imbalanced()
    with pytest.raises(InputError, match="has 1 sample, too few"):
        quick().fit(X, np.where(np.arange(150) == 0, 2, y))
    with pytest.raises(ValueError, match="constant"):
        AutoBalanceRegressor().fit(X, np.ones(150))
