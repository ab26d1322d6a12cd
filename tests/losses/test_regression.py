"""The regression losses: released numbers, plain loops, derivatives, files, and what is refused."""

import copy
import json
import math
from pathlib import Path

import pytest
import torch

from autobalance.common import InputError
from autobalance.losses import RegressionLoss, ScheduledLoss, deferred, load_loss, regression_loss, save_loss

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "golden" / "regression.json").read_text())[
    "regression_losses"
]
SETTINGS = {
    "weighted_mse": {"error": "mse"},
    "weighted_l1": {"error": "l1"},
    "focal_mse": {"error": "mse"},
    "focal_l1": {"error": "l1"},
    "weighted_huber": {"error": "huber"},
    "balanced_mse_bmc": {"error": "balanced-mse"},
}
EDGES = [0.0, 1.0, 2.5, 7.0]
TABLES = {"w": [0.5, 2.0, 1.25], "l": [0.3, -0.8, 0.5], "delta": [1.2, 0.7, 1.0]}


def samples(number=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    target = 7 * torch.rand(number, generator=generator, dtype=torch.float64)
    return target + torch.randn(number, generator=generator, dtype=torch.float64), target


def loop(prediction, target, w, l, delta, error, scale=1.0, gamma=0.0, beta=0.2, threshold=1.0, noise_sigma=1.0):  # noqa: E741
    """Losses and weights of the samples, one after the other."""
    f, y = prediction.tolist(), target.tolist()
    bins = [sum(t >= edge for edge in EDGES[1:-1]) for t in y]
    out = []
    for i in range(len(y)):
        if error == "balanced-mse":
            u = [
                delta[b] * -(((f[i] - t) / scale) ** 2) / (2 * noise_sigma**2) + l[b]
                for t, b in zip(y, bins, strict=True)
            ]
            top = max(u)
            value = 2 * noise_sigma**2 * (top - u[i] + math.log(sum(math.exp(v - top) for v in u)))
        else:
            e = abs(f[i] - y[i]) / scale
            value = {"l1": e, "mse": e**2, "huber": e - threshold / 2 if e > threshold else e**2 / (2 * threshold)}[
                error
            ]
            value *= (2 / (1 + math.exp(-beta * e)) - 1) ** gamma
        out.append(w[bins[i]] * value)
    return out, [w[b] for b in bins]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_losses_and_gradients_equal_the_released_ones(case, dtype):
    prediction = torch.tensor(GOLDEN["pred"], dtype=dtype, requires_grad=True)
    target, weights = (torch.tensor(GOLDEN[name], dtype=dtype) for name in ("target", "weights"))
    order = target[:, 0].argsort()  # a bin for each sample
    ascending = target[order, 0].double()
    edges = torch.cat([ascending[:1] - 1, (ascending[1:] + ascending[:-1]) / 2, ascending[-1:] + 1])
    hyper = dict(case["params"])
    if case["name"] == "weighted_huber":
        hyper = {"threshold": hyper["beta"]}
    if not case["name"].startswith("balanced"):
        hyper["w"] = weights[order, 0]
    loss = RegressionLoss(edges, **SETTINGS[case["name"]], **hyper, dtype=dtype)
    value = loss(prediction, target)
    value.backward()
    assert value.item() == pytest.approx(case["loss_mean"], rel=1e-5)
    torch.testing.assert_close(prediction.grad, torch.tensor(case["grad_pred"], dtype=dtype), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "error, gamma", [(e, g) for e in ("l1", "mse", "huber") for g in (0.0, 1.0, 0.5)] + [("balanced-mse", 0.0)]
)
def test_losses_are_those_of_a_loop(error, gamma):
    prediction, target = samples()
    numbers = {"scale": 1.7, "gamma": gamma, "beta": 0.9, "threshold": 0.4, "noise_sigma": 0.8}
    tables = TABLES if error == "balanced-mse" else {"w": TABLES["w"]}
    expected, weights = loop(prediction, target, **{**TABLES, **tables}, error=error, **numbers)
    reduced = {
        "none": expected,
        "sum": sum(expected),
        "batch_mean": sum(expected) / len(expected),
        "mean": sum(expected) / sum(weights),
    }
    for reduction, value in reduced.items():
        loss = RegressionLoss(EDGES, error=error, **tables, **numbers, reduction=reduction, dtype=torch.float64)
        assert loss(prediction, target).tolist() == pytest.approx(value, rel=1e-12)
        assert loss(prediction[:, None], target[:, None]).tolist() == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("error", ["l1", "mse", "huber", "balanced-mse"])
def test_derivatives_in_the_predictions_and_every_parameter(error):
    prediction, target = samples(5)
    bins = torch.bucketize(target, torch.tensor(EDGES[1:-1]).double(), right=True)
    names = [
        "w",
        "scale",
        *(["l", "delta", "noise_sigma"] if error == "balanced-mse" else ["gamma", "beta", "threshold"]),
    ]
    values = [torch.tensor(TABLES.get(name, 0.7), dtype=torch.float64).requires_grad_() for name in names]

    def value(f, *parameters):
        return regression_loss(f, target, bins, dict(zip(names, parameters, strict=True)), error)

    inputs = (prediction.requires_grad_(), *values)
    assert torch.autograd.gradcheck(value, inputs)
    assert torch.autograd.gradgradcheck(value, inputs)


def test_balanced_mse_is_the_classification_family_over_the_candidates():
    from autobalance.losses import parametric_loss

    prediction, target = samples()
    loss = RegressionLoss(EDGES, error="balanced-mse", **TABLES, noise_sigma=1.3, dtype=torch.float64)
    bins = torch.tensor([sum(t >= edge for edge in EDGES[1:-1]) for t in target.tolist()])
    logits = -((prediction[:, None] - target) ** 2) / (2 * 1.3**2)
    tables = {name: torch.tensor(value, dtype=torch.float64)[bins] for name, value in TABLES.items()}
    expected = parametric_loss(logits, torch.arange(len(target)), tables, reduction="batch_mean")
    torch.testing.assert_close(loss(prediction, target), 2 * 1.3**2 * expected, rtol=1e-12, atol=0)


def test_a_scale_makes_the_loss_free_of_units():
    prediction, target = samples()
    for error in ("l1", "mse", "huber", "balanced-mse"):
        settings = {"error": error, "w": TABLES["w"], "dtype": torch.float64}
        if error != "balanced-mse":
            settings["gamma"] = 1.0
        one = RegressionLoss(EDGES, scale=2.0, **settings)(prediction, target)
        other = RegressionLoss([1000 * e for e in EDGES], scale=2000.0, **settings)(1000 * prediction, 1000 * target)
        assert one.item() == pytest.approx(other.item(), rel=1e-12)


def test_an_error_of_zero_has_finite_derivatives():
    for gamma in (0.5, 1.0):
        zero = torch.zeros(2, requires_grad=True)
        RegressionLoss(EDGES, gamma=gamma)(zero, torch.zeros(2)).backward()
        assert torch.isfinite(zero.grad).all()


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"error": "l3"}, "'l3'.*l1, mse, huber, balanced-mse"),
        ({"w": [1.0, 2.0]}, r"w has shape \(2,\).*4 bin edges make 3 bins"),
        ({"w": [1.0, -2.0, 1.0]}, "negative"),
        ({"w": [1.0, math.nan, 1.0]}, "not finite"),
        ({"l": [1.0, 0.0, 1.0]}, "l has no effect on the error l1"),
        ({"gamma": 1.0, "error": "balanced-mse"}, "gamma has no effect"),
        ({"gamma": -1.0}, "gamma is -1"),
        ({"scale": 0.0}, "scale is 0"),
        ({"noise_sigma": 0.0}, "noise_sigma is 0"),
        ({"reduction": "median"}, "'median'"),
        ({"bin_edges": [0.0, 1.0]}, "three finite numbers"),
        ({"bin_edges": [0.0, 2.0, 1.0]}, "ascending"),
    ],
)
def test_settings_that_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        RegressionLoss(**{"bin_edges": EDGES, **settings})


def test_calls_that_cannot_be():
    loss, (f, y) = RegressionLoss(EDGES), samples()
    with pytest.raises(ValueError, match=r"prediction has shape \(7, 2\)"):
        loss(torch.zeros(7, 2), y)
    with pytest.raises(ValueError, match="target has 6 rows"):
        loss(f, y[:6])
    with pytest.raises(ValueError, match="nan is not finite"):
        loss(f, torch.full((7,), math.nan))


def test_state_goes_through_state_dict_and_is_checked():
    first, second = RegressionLoss(EDGES, w=TABLES["w"]), RegressionLoss(EDGES)
    second.load_state_dict(first.state_dict())
    assert second(*samples()) == first(*samples()) != RegressionLoss(EDGES)(*samples())
    bad = copy.deepcopy(first.state_dict())
    bad["w"][0] = -1
    with pytest.raises(ValueError, match="negative"):
        second.load_state_dict(bad)


def test_half_precision_predictions():
    f, y = samples()
    loss = RegressionLoss(EDGES, error="balanced-mse")
    half = f.to(torch.bfloat16)
    assert loss(half, y.float()).dtype == torch.float32
    assert loss(half, y.float()).item() == pytest.approx(loss(half.float(), y.float()).item())


@pytest.fixture
def content(tmp_path):
    start = RegressionLoss(EDGES, error="balanced-mse", **TABLES, noise_sigma=0.5, scale=3.0)
    save_loss(deferred(start, [0.5, 1.0, 1.5]), tmp_path / "valid.json", {"seed": 0})
    return json.loads((tmp_path / "valid.json").read_text())


def test_losses_come_back_from_their_files(content, tmp_path):
    loss = load_loss(tmp_path / "valid.json")
    assert isinstance(loss, ScheduledLoss) and content["task"] == "regression"
    assert [stage.loss.w.tolist() for stage in loss.stages] == [TABLES["w"], [0.5, 1.0, 1.5]]
    for dtype in (torch.float32, torch.float64):
        first = RegressionLoss(EDGES, error="huber", w=[0.1, 1 / 3, 2], gamma=0.3, threshold=0.2, dtype=dtype)
        save_loss(first, tmp_path / "loss.json")
        again = load_loss(tmp_path / "loss.json", dtype=dtype)
        assert type(again) is RegressionLoss and (again.error, again.reduction) == ("huber", "batch_mean")
        assert torch.equal(again.bin_edges, first.bin_edges)
        assert all(torch.equal(getattr(again, name), getattr(first, name)) for name in RegressionLoss.defaults)


DELETE = object()


@pytest.mark.parametrize(
    "path, value, words",
    [
        (["error"], "l3", "error 'l3'"),
        (["error"], DELETE, r"missing keys \['error'\]"),
        (["bin_edges"], DELETE, r"missing keys \['bin_edges'\]"),
        (["bin_edges"], "0,1,2", "bin_edges is not a list"),
        (["bin_edges", 1], None, "bin_edges holds 'None'"),
        (["bin_edges", 1], 100, "ascending"),
        (["bin_edges"], [0, 1, 2], "2 bins"),
        (["num_classes"], 3, r"unknown keys \['num_classes'\]"),
        (["task"], "classification", "unknown keys"),
        (["parameters", "margin"], [0, 0, 0], r"unknown parameters \['margin'\]"),
        (["parameters", "beta"], DELETE, "parameters should be exactly"),
        (["parameters", "w"], [1, 2], "w has shape"),
        (["parameters", "w"], [[1], [2], [3]], "w has shape"),
        (["parameters", "w", 0], "1", "w in parameters holds '1'"),
        (["parameters", "scale"], math.inf, "scale in parameters holds 'inf'"),
        (["parameters", "scale"], 0, "scale is 0"),
        (["parameters", "gamma"], 1, "gamma has no effect"),
        (["schedule", 0, "start"], 1.5, "between 0 and 1"),
    ],
)
def test_a_malformed_file_is_refused_by_name_and_fault(content, tmp_path, path, value, words):
    place = content
    for key in path[:-1]:
        place = place[key]
    if value is DELETE:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"bad\.json: .*{words}"):
        load_loss(file)
