"""The exported file: its values and gradients are those of the loss, it is short, and needs torch alone."""

import runpy
import subprocess
import sys

import pytest
import torch

from autobalance import InputError, fixed_point
from autobalance.losses import ParametricLoss, RegressionLoss, ScheduledLoss

K, G, B = 4, 3, 40
TABLE = torch.linspace(0.5, 1.7, K, dtype=torch.float64)
CELLS = torch.linspace(0.4, 1.9, K * G, dtype=torch.float64).reshape(K, G)
EDGES = [0.0, 1.0, 2.5, 4.0, 7.0]


def exported(loss, tmp_path):
    loss.export_python(tmp_path / "loss.py")
    text = (tmp_path / "loss.py").read_text()
    assert len(text.splitlines()) < 60 and "import autobalance" not in text
    return runpy.run_path(str(tmp_path / "loss.py"))["Loss"]()


def same(first, second, output, *more, **named):
    values = []
    for loss in (first, second):
        given = output.clone().requires_grad_()
        value = loss(given, *more, **named)
        (gradient,) = torch.autograd.grad(value.sum(), [given])
        values.append((value.detach(), gradient))
    torch.testing.assert_close(values[0], values[1], rtol=1e-12, atol=1e-14)


def batch(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(B, K, generator=generator, dtype=dtype)
    return logits, torch.randint(K, (B,), generator=generator), torch.randint(G, (B,), generator=generator)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_positions_of_an_image_or_a_text(tmp_path, reduction):
    loss = ParametricLoss(K, l=TABLE, w=CELLS, reduction=reduction, dtype=torch.float64)
    logits, target, group = (each.unflatten(0, (5, 2, 4)) for each in batch())
    target[0] = loss.ignore_index
    same(loss, exported(loss, tmp_path), logits.movedim(-1, 1), target, group=group)


def test_numbers_to_predict_that_are_whole(tmp_path):
    loss = RegressionLoss(EDGES, w=TABLE, dtype=torch.float64)
    target = torch.arange(8)
    same(loss, exported(loss, tmp_path), target + 0.25, target)


@pytest.mark.parametrize("reduction", ["mean", "batch_mean", "sum", "none"])
@pytest.mark.parametrize("gamma", [0.0, 1.5])
def test_a_loss_over_classes(tmp_path, reduction, gamma):
    tables = {"w": TABLE, "l": TABLE.flip(0), "delta": TABLE**0.5, "margin": TABLE / 3}
    loss = ParametricLoss(K, **tables, scale=2.0, gamma=gamma, reduction=reduction, dtype=torch.float64)
    logits, target, _ = batch()
    target[::7] = loss.ignore_index
    same(loss, exported(loss, tmp_path), logits, target)


def test_a_loss_over_classes_and_groups(tmp_path):
    tables = {"w": CELLS, "l": CELLS.flip(0), "delta": CELLS**0.5, "margin": CELLS / 3}
    loss = ParametricLoss(K, **tables, gamma=0.5, dtype=torch.float64, start_bias=[0.0, 1.0, 2.0, 3.0])
    logits, target, group = batch()
    same(loss, exported(loss, tmp_path), logits, target, group=group)
    assert runpy.run_path(str(tmp_path / "loss.py"))["START_BIAS"] == [0, 1, 2, 3]


def test_a_schedule_follows_the_epochs(tmp_path):
    loss = fixed_point("ldam-drw", class_counts=[90, 40, 20, 5])
    assert isinstance(loss, ScheduledLoss)
    other, (logits, target, _) = exported(loss, tmp_path), batch(torch.float32)
    for progress in (None, 0.0, 0.5, 0.8, 0.95):
        for each in (loss, other):
            if progress is not None:
                each.start_epoch(progress)
        torch.testing.assert_close(loss(logits, target), other(logits, target))


def test_a_schedule_that_is_not_told_the_epoch_complains(tmp_path):
    loss, (logits, target, _) = exported(fixed_point("ldam-drw", class_counts=[90, 40, 20, 5]), tmp_path), batch()
    loss(logits, target)
    with pytest.warns(UserWarning, match=r"at its last stage: call loss.start_epoch"):
        loss(logits.requires_grad_(), target)
    loss.start_epoch(0.5)
    loss(logits, target)
    exported(fixed_point("la", class_counts=[90, 40, 20, 5]), tmp_path)(logits, target)


@pytest.mark.parametrize("gamma", [0.0, 1.5])
def test_the_file_is_compiled_whole(tmp_path, gamma):
    loss = exported(ParametricLoss(K, l=TABLE, gamma=gamma, dtype=torch.float64), tmp_path)
    logits, target, _ = batch()
    whole = torch.compile(loss, fullgraph=True, backend="eager")
    torch.testing.assert_close(whole(logits, target), loss(logits, target))


@pytest.mark.parametrize("reduction", ["mean", "batch_mean", "sum"])
@pytest.mark.parametrize("error", ["l1", "mse", "huber", "balanced-mse"])
def test_a_loss_over_numbers(tmp_path, error, reduction):
    tables = {"w": TABLE} | ({"l": TABLE / 2, "delta": TABLE} if error == "balanced-mse" else {"gamma": 0.7})
    more = {"scale": 1.7, "noise_sigma": 0.8, "threshold": 0.6, "beta": 0.4}
    loss = RegressionLoss(EDGES, error=error, reduction=reduction, dtype=torch.float64, **tables, **more)
    generator = torch.Generator().manual_seed(0)
    prediction, target = 7 * torch.rand(2, B, generator=generator, dtype=torch.float64)
    same(loss, exported(loss, tmp_path), prediction, target)


@pytest.mark.parametrize("name", ["la", "vs", "focal", "cb"])
def test_the_file_runs_where_the_package_is_not_there(tmp_path, name):
    loss = fixed_point(name, class_counts=[90, 40, 20, 5])
    loss.export_python(tmp_path / "loss.py")
    logits, target, _ = batch(torch.float32)
    value = exported(loss, tmp_path)(logits, target)
    torch.testing.assert_close(value, loss(logits, target))


def test_it_imports_torch_alone(tmp_path):
    fixed_point("la", class_counts=[9, 3]).export_python(tmp_path / "loss.py")
    code = "import sys; sys.modules['autobalance'] = None; import loss; print(loss.Loss().stage)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


@pytest.mark.parametrize(
    "loss", [fixed_point("csl", class_counts=[9, 3]), ParametricLoss(2, label_smoothing=0.1)], ids=["csl", "smoothing"]
)
def test_what_no_short_file_can_hold(loss, tmp_path):
    with pytest.raises(InputError, match="export"):
        loss.export_python(tmp_path / "loss.py")
