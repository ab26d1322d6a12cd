"""search_loss with what people have: the same search, however samples come and models answer."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from toy import gaussians, linear

import autobalance
from autobalance.common import InputError

TRAIN, VALIDATION = gaussians([40, 17, 6], 0), gaussians([20, 9, 5], 1)
RECIPE = autobalance.Recipe(epochs=4, batch_size=16)


def history(model, train, validation, **settings):
    found = autobalance.search_loss(model, train, validation, recipe=RECIPE, budget=2, **settings)
    return [record | {"parameters": None} for record in found.history], found


class Dicts(Dataset):
    def __init__(self, samples):
        self.samples = samples

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, i):
        return {"x": self.samples.x[i], "index": i, "labels": self.samples.y[i]}


class Answering(nn.Module):
    """Takes its inputs by name and answers as Hugging Face's models do."""

    def __init__(self):
        super().__init__()
        self.linear = linear(3)

    def forward(self, x):
        return {"loss": None, "logits": self.linear(x)}


def test_dicts_loaders_and_answers_with_logits_search_the_same():
    plain, result = history(linear(3), TRAIN, VALIDATION)
    named, other = history(Answering(), Dicts(TRAIN), DataLoader(Dicts(VALIDATION), batch_size=4))
    assert named == plain and torch.equal(other.loss.l, result.loss.l)


def test_a_stream_is_searched_as_samples_in_memory_are(monkeypatch):
    plain, _ = history(linear(3), TRAIN, VALIDATION)
    monkeypatch.setattr("autobalance.data.intake._taken.free_memory_mb", lambda: 0.0)
    streamed, _ = history(Answering(), Dicts(TRAIN), Dicts(VALIDATION))
    assert streamed == plain


class Noisy(Dataset):
    def __init__(self, samples, spread=0.3):
        self.samples, self.spread, self.seen = samples, spread, []

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, i):
        x = self.samples.x[i] + self.spread * torch.randn(3, dtype=torch.float64)
        self.seen.append((i, x[0].item()))
        return x, self.samples.y[i]


def test_random_transforms_are_drawn_in_each_epoch_and_never_judge():
    noisy = Noisy(TRAIN)
    first, result = history(linear(3), noisy, VALIDATION, seed=3)
    of_one = {x for i, x in noisy.seen if i == 0}
    assert len(of_one) > RECIPE.epochs and result.history[0]["phase"] == "training"
    assert first == history(linear(3), Noisy(TRAIN), VALIDATION, seed=3)[0]
    assert first != history(linear(3), TRAIN, VALIDATION, seed=3)[0]
    with pytest.raises(InputError, match=r"`folds` 2 would judge by samples of the training set"):
        history(linear(3), noisy, VALIDATION, folds=2)


def test_random_transforms_of_validation_samples_are_told(caplog):
    history(linear(3), TRAIN, Noisy(VALIDATION))
    (told,) = caplog.records
    assert told.name.startswith("autobalance") and "the validation set has random transforms" in told.message


def test_numbers_of_words_stay_whole():
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.of_word, self.out = nn.Embedding(10, 4), nn.Linear(4, 3)

        def forward(self, input_ids, attention_mask):
            assert not input_ids.is_floating_point() and attention_mask.dtype == torch.bool
            mask = attention_mask[..., None].float()
            return self.out((self.of_word(input_ids) * mask).sum(1) / mask.sum(1))

    def samples(part, seed):
        generator = torch.Generator().manual_seed(seed)
        ids = torch.randint(0, 4, (len(part), 5), generator=generator) + 3 * part.y[:, None]
        return {"input_ids": ids, "attention_mask": ids != 3, "labels": part.y}

    records, _ = history(Words(), samples(TRAIN, 0), samples(VALIDATION, 1), free=("l",))
    assert records[-1]["balanced_error"] < 60


def test_names_of_the_classes_go_with_the_loss():
    names = ["ash", "elm", "oak"]
    train, validation = ((part.x.numpy(), [names[k] for k in part.y]) for part in (TRAIN, VALIDATION))
    _, result = history(linear(3), train, validation)
    plain, _ = history(linear(3), TRAIN, VALIDATION)
    assert [record["balanced_error"] for record in result.history] == [record["balanced_error"] for record in plain]
