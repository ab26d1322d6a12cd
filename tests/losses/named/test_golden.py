"""The named losses print what released implementations print."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from autobalance.losses import ParametricLoss
from autobalance.losses.named import fixed_point

GOLDEN = json.loads((Path(__file__).parents[2] / "data" / "golden" / "losses.json").read_text())
CASES = {case["name"]: case for case in GOLDEN["classification"]["cases"]}
CALLED = {
    "ldam-drw-phase2": "ldam-drw",
    "focal2": "focal",
    "cb-ce": "cb",
    "vs2": "vs",
    "equalization-beta1": "equalization",
}


def loss_of(case, dtype):
    counts, hyper = GOLDEN["classification"]["counts"], dict(case["params"])
    if case["name"] == "autobalance-official":
        delta = torch.tensor(hyper["dy_before_sigmoid"], dtype=dtype).sigmoid()
        return ParametricLoss(len(counts), w=hyper["wy"], l=hyper["ly"], delta=delta, dtype=dtype)
    if case["name"] == "equalization-beta1":
        hyper = {"threshold": hyper["lambda"], "probability": float(hyper["beta"])}
    hyper.pop("weight", None)
    return fixed_point(CALLED.get(case["name"], case["name"]), counts, dtype=dtype, **hyper).at(1.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", CASES)
def test_loss_and_gradient_equal_the_released_implementations(name, dtype):
    case, inputs = CASES[name], GOLDEN["classification"]
    logits = torch.tensor(inputs["logits"], dtype=dtype, requires_grad=True)
    features = torch.tensor(inputs["feature_l1_norm"], dtype=dtype)
    value = loss_of(case, dtype)(logits, torch.tensor(inputs["targets"]), features=features)
    value.backward()
    assert value.item() == pytest.approx(case["loss_mean"], rel=1e-5)
    # The gradients are printed with seven decimals.
    torch.testing.assert_close(logits.grad, torch.tensor(case["grad_logits"], dtype=dtype), rtol=1e-5, atol=6e-8)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "weight" in case["params"]])
def test_the_weights_that_the_released_implementations_used_are_the_default_ones(name):
    counts, expected = GOLDEN["classification"]["counts"], CASES[name]["params"]["weight"]
    loss = fixed_point(CALLED.get(name, name), counts, dtype=torch.float64).at(1.0)
    torch.testing.assert_close(loss.w, torch.tensor(expected, dtype=torch.float64), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_csl_as_released_on_two_batches(dtype):
    golden = GOLDEN["csl_as_released"]
    loss = fixed_point("csl", [1] * 10, variant="released", dtype=dtype)
    for batch in (golden["batch1"], golden["batch2"]):
        logits = torch.tensor(batch["logits"], dtype=dtype, requires_grad=True)
        target = torch.tensor(batch["targets"])
        term = loss(logits, target) - F.cross_entropy(logits, target)
        # The difference of two losses of about 3 loses digits of a term of about 0.03 in float32.
        assert term.item() == pytest.approx(batch["term"], rel=1e-5, abs=1e-6 if dtype == torch.float32 else 0)
    (gradient,) = torch.autograd.grad(term, logits)
    torch.testing.assert_close(gradient, torch.tensor(batch["grad_logits"], dtype=dtype), rtol=1e-5, atol=6e-8)
