"""Feature-distribution smoothing against the released code's numbers and a loop over samples and bins."""

import copy
import json
import math
from pathlib import Path

import pytest
import torch

import autobalance
from autobalance.common import InputError
from autobalance.common.density import kernel_window

FDS = autobalance.FDS
GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "golden" / "regression.json").read_text())["fds"]


def data(number=60, dim=3, bins=6, seed=0, skip=()):
    generator = torch.Generator().manual_seed(seed)
    index = torch.randint(bins, (number,), generator=generator)
    for empty in skip:
        index[index == empty] = (empty + 1) % bins
    x = torch.randn(number, dim, generator=generator, dtype=torch.float64) * (1 + index[:, None]) + index[:, None]
    return x, index


def after(*epochs, **settings):
    fds = FDS(epochs[0][0].shape[1], 6, **{"ks": 3, "sigma": 1.0, **settings}).double()
    for x, bins in epochs:
        fds.update(x, bins)
        fds.end_epoch()
    return fds


def loop(epochs, x, bins, num_bins=6, kernel="gaussian", ks=3, sigma=1.0, momentum=0.9, clip=(0.1, 10.0), strength=1.0):
    """One number at a time. A bin without samples takes no part."""
    dim, running = x.shape[1], {}
    for features, index in epochs:
        for b in range(num_bins):
            rows = [features[i].tolist() for i in range(len(index)) if index[i] == b]
            if not rows:
                continue
            mean = [sum(row[d] for row in rows) / len(rows) for d in range(dim)]
            var = [sum((row[d] - mean[d]) ** 2 for row in rows) / max(len(rows) - 1, 1) for d in range(dim)]
            if b in running:
                old = running[b]
                mean = [(1 - momentum) * m + momentum * o for m, o in zip(mean, old[0], strict=True)]
                var = [(1 - momentum) * v + momentum * o for v, o in zip(var, old[1], strict=True)]
            running[b] = (mean, var)
    window, out = kernel_window(kernel, ks, sigma).tolist(), x.tolist()
    for i, b in enumerate(bins.tolist()):
        if b not in running:
            continue
        near = []
        for j in range(ks):
            place = abs(b + j - ks // 2)
            place = place if place < num_bins else 2 * (num_bins - 1) - place
            if place in running:
                near.append((window[j], running[place]))
        total = sum(weight for weight, _ in near)
        for d in range(dim):
            m1, v1 = running[b][0][d], running[b][1][d]
            if v1 == 0:
                continue
            m2, v2 = (sum(weight * stats[k][d] for weight, stats in near) / total for k in (0, 1))
            factor = min(max(v2 / v1, clip[0]), clip[1])
            z = (out[i][d] - m1) * math.sqrt(factor) + m2
            out[i][d] += strength * (z - out[i][d])
    return torch.tensor(out, dtype=torch.float64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["kernel"])
def test_statistics_and_features_equal_the_released_ones(case, dtype):
    x, bins = torch.tensor(case["train_features"], dtype=dtype), torch.tensor(case["train_bins"])
    fds = FDS(x.shape[1], GOLDEN["bucket_num"], case["kernel"], GOLDEN["ks"], GOLDEN["sigma"], GOLDEN["momentum"])
    fds.to(dtype)
    for part, index in zip(x.split(33), bins.split(33), strict=True):
        fds.update(part, index)
    fds.end_epoch()
    for name in ("running_mean", "running_var", "smoothed_mean", "smoothed_var"):
        torch.testing.assert_close(getattr(fds, name), torch.tensor(case[name], dtype=dtype), rtol=1e-5, atol=1e-5)
    found = fds(torch.tensor(case["x"], dtype=dtype), torch.tensor(case["x_bins"]))
    torch.testing.assert_close(found, torch.tensor(case["calibrated"], dtype=dtype), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kernel, ks", [("gaussian", 3), ("triang", 5), ("laplace", 11)])
@pytest.mark.parametrize("skip", [(), (0, 3)])
def test_features_are_those_of_a_loop(kernel, ks, skip):
    epochs = [data(seed=seed, skip=skip) for seed in range(3)]
    x, bins = data(seed=9)
    settings = {"kernel": kernel, "ks": ks, "sigma": 1.3, "momentum": 0.7, "strength": 0.25}
    expected = loop(epochs, x, bins, **settings)
    assert not torch.equal(expected, x)
    torch.testing.assert_close(after(*epochs, **settings)(x, bins), expected, rtol=1e-12, atol=1e-12)


def test_a_bin_that_is_first_seen_late_has_its_own_statistics():
    epochs = [data(seed=0, skip=(2,)), data(seed=1)]
    x, bins = data(seed=2)
    torch.testing.assert_close(after(*epochs)(x, bins), loop(epochs, x, bins), rtol=1e-12, atol=1e-12)


def test_batches_make_the_statistics_of_the_whole():
    x, bins = data()
    whole, parts = after((x, bins)), FDS(3, 6, ks=3, sigma=1.0).double()
    for part, index in zip(x.split(7), bins.split(7), strict=True):
        parts.update(part, index)
    parts.end_epoch()
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], value, rtol=1e-12, atol=1e-12)


def test_the_variance_does_not_cancel():
    x, bins = data()
    near, far = after((x, bins)), after((x + 1e6, bins))
    torch.testing.assert_close(near.running_var, far.running_var, rtol=1e-6, atol=0)


def test_what_calibrates_is_of_one_epoch():
    """The released code's smoothed statistics lag behind the plain ones."""
    epochs = [data(seed=seed) for seed in range(2)]
    fds = after(*epochs, ks=1)  # a window of one bin smooths nothing, so nothing may change
    x, bins = data(seed=5)
    torch.testing.assert_close(fds(x, bins), x, rtol=1e-12, atol=1e-12)


def test_silent_in_evaluation_before_statistics_and_at_strength_zero():
    x, bins = data()
    fds = FDS(3, 6, ks=3).double()
    assert torch.equal(fds(x, bins), x)
    fds.update(x, bins)
    assert torch.equal(fds(x, bins), x)
    fds.end_epoch()
    assert not torch.equal(fds(x, bins), x)
    assert torch.equal(fds.eval()(x), x)
    assert torch.equal(after((x, bins), strength=0.0)(x, bins), x)


def test_bins_without_samples_or_spread_pass_through():
    x, bins = data(skip=(4,))
    x[bins == 2] = x[bins == 2][0]
    fds, new = after((x, bins)), torch.randn(4, 3, dtype=torch.float64)
    found = fds(new, torch.tensor([4, 2, 0, 4]))
    assert torch.equal(found[[0, 1, 3]], new[[0, 1, 3]]) and not torch.equal(found[2], new[2])


def test_features_are_not_written_to_and_carry_gradients():
    x, bins = data()
    fds, new = after((x, bins)), torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    index, before = torch.tensor([0, 1, 5, 5, 3]), new.detach().clone()
    assert torch.autograd.gradcheck(
        lambda z, s: fds(z * 1, index, s), (new, torch.tensor(0.3).double().requires_grad_())
    )
    hidden = new * 1
    fds.update(hidden, index)
    fds(hidden, index).sum().backward()
    assert torch.equal(new.detach(), before) and torch.equal(hidden.detach(), before)
    assert not any(buffer.requires_grad for buffer in fds.buffers())


def test_a_run_resumes_in_the_middle_of_an_epoch():
    (x, bins), (more, others), (new, index) = (data(seed=seed) for seed in range(3))
    straight = after((x, bins))
    straight.update(more, others)
    again = FDS(3, 6, ks=3, sigma=1.0).double()
    again.load_state_dict(copy.deepcopy(straight.state_dict()))
    for fds in (straight, again):
        fds.update(new, index)
        fds.end_epoch()
    assert torch.equal(straight(x, bins), again(x, bins))


def test_half_precision_features():
    x, bins = data()
    fds = after((x, bins)).float()
    found = fds(x.to(torch.bfloat16), bins)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), fds(x.float(), bins), rtol=0.02, atol=0.1)


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"momentum": 1.0}, "momentum"),
        ({"strength": 1.5}, "strength"),
        ({"clip": (2.0, 3.0)}, "clip"),
        ({"ks": 13}, "13 bins"),
        ({"kernel": "box"}, "'box'"),
        ({"num_bins": 0}, "one bin"),
    ],
)
def test_settings_that_are_refused(settings, words):
    with pytest.raises(InputError, match=words):
        FDS(**{"feature_dim": 3, "num_bins": 6, **settings})


def test_calls_that_cannot_be():
    fds, (x, bins) = FDS(3, 6), data()
    for arguments in [(x,), (x[:, :2], bins), (x, bins[:5]), (x, bins.double())]:
        with pytest.raises(ValueError, match=r"FDS needs"):
            fds(*arguments)
