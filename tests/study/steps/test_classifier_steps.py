"""Steps that change the classifier of a trained model, whose body stays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from step_cases import RECIPE, trained, training_of
from torch import nn

from autobalance.common import InputError
from autobalance.data import load
from autobalance.study import named_method
from autobalance.training import Recipe, Setting, setting_of


@pytest.fixture(scope="module")
def setting() -> Setting:
    return setting_of(load("digits"), "mlp")


@pytest.mark.parametrize("name", ["ce+crt", "ce+lws", "ce+tau-norm", "ce+gml"])
def test_the_body_stays_and_the_classifier_changes(setting: Setting, name: str) -> None:
    plain, after = trained(setting, "ce"), trained(setting, name)
    for before, its in zip(plain.body.parameters(), after.body.parameters(), strict=True):  # type: ignore[union-attr]
        assert torch.equal(before, its)
    x = setting.problem.validation.x
    assert not torch.allclose(plain(x), after(x))


def test_weights_are_divided_by_a_power_of_their_norms(setting: Setting) -> None:
    plain, x = trained(setting, "ce"), setting.problem.validation.x
    weight = plain.head.weight.detach().double().numpy()  # type: ignore[union-attr, operator]
    features = plain.body(x).detach().double().numpy()  # type: ignore[operator]
    for tau in (0.0, 0.6, 1.0):
        rows = [w / np.sqrt((w**2).sum()) ** tau for w in weight]
        expected = np.array([[f @ w for w in rows] for f in features])
        found = trained(setting, "ce+tau-norm", tau_norm=tau)(x).detach().numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(InputError, match="linear head; the model's is CosineLinear"):
        named_method("ldam+tau-norm").check(setting, RECIPE)


def test_each_logit_is_multiplied_by_a_factor(setting: Setting) -> None:
    plain, scaled = trained(setting, "ce"), trained(setting, "ce+lws", lws_share=1.0)
    x = setting.problem.validation.x
    factors = (scaled(x) / plain(x)).detach()
    torch.testing.assert_close(factors, factors[:1].expand_as(factors), rtol=1e-3, atol=1e-3)
    assert factors[0].std() > 0.01
    torch.testing.assert_close(scaled.head.factor, factors[0], rtol=1e-3, atol=1e-3)  # type: ignore[union-attr, arg-type]


def test_the_geometric_mean_of_the_classes_falls_less_on_any(setting: Setting) -> None:
    """Of the training samples, by the formula: the classifier trained for it has the smaller loss."""
    samples = setting.problem.train
    counts = torch.bincount(samples.y).double()

    def geometric(model: nn.Module) -> float:
        with torch.no_grad():
            p = (model(samples.x).double() + counts.log()).softmax(1)
        means = [p[samples.y == k, k].mean() for k in range(10)]
        return float(-torch.stack(means).log().mean())

    recipe = Recipe(epochs=6)
    again = {name: trained(setting, name, recipe, **{f"{name[3:]}_share": 2.0}) for name in ("ce+gml", "ce+crt")}
    assert geometric(again["ce+gml"]) < min(geometric(again["ce+crt"]), geometric(trained(setting, "ce", recipe)))


def test_a_second_stage_has_shares_of_the_epochs(setting: Setting) -> None:
    recipe = Recipe(epochs=200, schedule="steps", milestones=(160, 180))
    _, training = training_of(setting, "crt", recipe=recipe)
    stage = training.stage(0.1, lr=0.2)
    assert (stage.epochs, stage.lr, stage.milestones) == (20, 0.2, (0.8, 0.9))
    assert training.stage(0.001, milestones=(0.5,)).epochs == 1
