"""The papers' benchmark, end to end on small images, and its trainings against the package's own."""

import numpy as np
import pytest
import torch
from torch import nn

from autobalance.losses.named import fixed_point
from experiments.papers.__main__ import main
from experiments.papers._plan import FOLDS, Training
from experiments.papers._side_by_side import OneTraining, Recipe, padded, train_side_by_side

COUNTS = [24, 12, 6]


@pytest.fixture
def data(tmp_path):
    """Images of 8 x 8 whose brightness tells the class."""
    generator = np.random.default_rng(0)
    parts = {}
    for part, counts in (("train", COUNTS), ("test", [6, 6, 6])):
        y = np.repeat(np.arange(3), counts)
        x = generator.integers(0, 60, (len(y), 8, 8, 3)) + 70 * y[:, None, None, None]
        parts |= {f"x_{part}": x.astype(np.uint8), f"y_{part}": y}
    np.savez(tmp_path / "small.npz", **parts)
    return tmp_path / "small.npz"


def test_it_runs_goes_on_and_prints_a_table(data, tmp_path, capsys):
    arguments = ["--data", str(data), "--methods", "la,ldam-drw", "--seeds", "1", "--epochs", "8", "--device", "cpu"]
    arguments += ["--out", str(tmp_path / "out")]
    assert main([*arguments, "--dry-run"]) == 0
    said = capsys.readouterr()
    assert "minutes predicted" in said.err and said.out == ""
    assert main([*arguments, "--minutes", "0"]) == 0
    assert "not begun" in capsys.readouterr().err
    assert main(arguments) == 0
    table = capsys.readouterr().out
    assert all(name in table for name in ("la", "ldam-drw", "searched for worst class"))
    assert len(list((tmp_path / "out" / "small").iterdir())) == 2 + FOLDS
    assert main(arguments) == 0
    again = capsys.readouterr()
    assert again.out == table and "predicted" not in again.err


def test_the_search_chooses_the_weight_decay_on_folds(data, tmp_path, capsys):
    arguments = ["--data", str(data), "--methods", "la", "--seeds", "2", "--epochs", "8", "--device", "cpu"]
    assert main([*arguments, "--decays", "2e-4,0.9", "--out", str(tmp_path)]) == 0
    assert "la, weight decay 0.0002" in capsys.readouterr().out  # 0.9 shrinks all weights to nothing
    assert len(list((tmp_path / "small").iterdir())) == 2 * FOLDS + FOLDS + 2 + 2


def test_folds_hold_out_every_sample_once_and_each_class_in_proportion():
    y = torch.arange(3).repeat_interleave(torch.tensor(COUNTS))
    held = [Training("la", 3, fold).samples(y)[1] for fold in range(FOLDS)]
    assert torch.cat(held).sort().values.tolist() == list(range(len(y)))
    assert all(y[part].bincount().tolist() == [8, 4, 2] for part in held)
    assert len(Training("la", 3).samples(y)[0]) == len(y)


def test_a_training_is_that_of_torch_s_own_optimiser():
    torch.manual_seed(0)  # of the images too: the order of the tests is none of theirs
    y = torch.arange(3).repeat_interleave(torch.tensor(COUNTS))
    images = padded(torch.randint(256, (len(y), 8, 8, 3)), torch.tensor(0.5), torch.tensor(0.25)).double()
    recipe = Recipe(epochs=10, batch_size=14, warmup=2, weight_decay=0.01)
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 3)).double()
    twin = nn.Sequential(nn.Flatten(), nn.Linear(192, 3)).double()
    twin.load_state_dict(model.state_dict())
    loss = fixed_point("ldam-drw", COUNTS, dtype=torch.float64)
    training = OneTraining(model, loss, images, y, torch.arange(len(y)), recipe, 0)
    assert training.steps == 30
    train_side_by_side([training])
    optimiser = torch.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    for step, rate in enumerate(recipe.rates(30)):
        place = slice(14 * step, 14 * step + 14)
        index = training._order[place]
        x = training._cropped(index, training._shifts[:, place].long(), training._mirrored[place])
        loss.start_epoch(step // 3 / 10)
        optimiser.param_groups[0]["lr"] = rate.item()
        optimiser.zero_grad()
        loss(twin(x), y[index]).backward()
        optimiser.step()
    torch.testing.assert_close(
        model.state_dict(), twin.state_dict(), rtol=1e-4, atol=1e-4
    )  # logits go to the loss in float32


def test_crops_are_parts_of_the_padded_image_and_half_are_mirrored():
    y = torch.zeros(1, dtype=torch.long)
    images = padded(torch.randint(256, (1, 8, 8, 3)), torch.tensor(0.5), torch.tensor(0.25))
    model, index = nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), torch.zeros(2, dtype=torch.long)
    training = OneTraining(model, fixed_point("ce", [1, 1, 1]), images, y, index, Recipe(2, 2), 0)
    shifts = torch.tensor([[4, 0], [4, 7]])
    straight, mirrored = training._cropped(index, shifts, torch.tensor([False, True]))
    torch.testing.assert_close(straight, images[0, :, 4:12, 4:12])
    torch.testing.assert_close(mirrored, images[0, :, 0:8, 7:15].flip(2))
