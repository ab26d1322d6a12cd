"""What people have becomes samples: Datasets, DataLoaders, tables, files; in memory, streamed or drawn anew."""

import random
from collections import UserDict

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    random_split,
)

from autobalance.common import InputError
from autobalance.data import Samples
from autobalance.data.intake import taken

Y = torch.arange(12) % 3
X = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
PLAIN = (X, Y)


class Items(Dataset):
    """Samples through a transform, which counts its calls."""

    def __init__(self, transform=lambda x: x, x=X, y=Y):
        self.x, self.y, self.transform, self.reads = x, y, transform, 0

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        self.reads += 1
        return self.transform(self.x[i]), int(self.y[i])


class Dicts(Items):
    def __getitem__(self, i):
        return {"ids": torch.arange(3) + i, "value": self.x[i], "labels": self.y[i], "group": i // 3 % 2}


def both(part):
    return taken(part, part, regression=False)


def no_memory(monkeypatch):
    monkeypatch.setattr("autobalance.data.intake._taken.free_memory_mb", lambda: 0.0)


@pytest.mark.parametrize(
    "part",
    [
        PLAIN,
        [X.numpy(), Y.tolist()],
        (tuple(X), Y),
        (X.tolist(), Y.int()),
        TensorDataset(X, Y),
        Items(),
        random_split(TensorDataset(X, Y), [12, 0])[0].dataset,
        DataLoader(TensorDataset(X, Y), batch_size=5, shuffle=True),
        DataLoader(TensorDataset(X, Y), batch_size=None),
        (pd.DataFrame(X.numpy()), pd.Series(Y.numpy(), index=range(7, 19))),
        (pd.DataFrame(X.numpy()).astype("Float32"), pd.Series(Y.numpy(), dtype="Int64")),
        Samples(X, Y),
    ],
)
def test_the_same_samples_in_many_ways(part):
    found = both(part)
    assert torch.equal(found.train.take(torch.arange(12)).x.float(), X)
    assert torch.equal(found.validation.y, Y) and found.train.y.dtype == torch.int64
    assert found.packing is None and found.redrawn == () and found.class_names is None


def test_a_dataset_without_random_transforms_is_read_into_memory():
    items = Items()
    found = taken(items, PLAIN, regression=False)
    read = items.reads
    assert torch.equal(found.train.take(torch.arange(12)).x, X) and items.reads == read
    assert found.train.x.dtype == torch.float32


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: x + torch.randn(4),
        lambda x: x + torch.from_numpy(np.random.randn(4)).float(),
        lambda x: x * random.choice([1, -1]),
    ],
)
def test_random_transforms_are_drawn_anew_and_repeatably(draw):
    before = random.getstate(), np.random.get_state()[1].tolist()
    found = taken(Items(draw), PLAIN, regression=False)
    every = torch.arange(12)
    torch.manual_seed(0)
    first, second = found.train.take(every).x, found.train.take(every).x
    torch.manual_seed(0)
    assert found.redrawn == ("train",)
    assert not torch.equal(first, second) and torch.equal(found.train.take(every).x, first)
    assert torch.equal(found.validation.take(every).x, X)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


def test_labels_of_a_streamed_dataset_are_those_it_states():
    class Stated(Items):
        targets = Y.tolist()

    class Wrong(Items):
        targets = ((Y + 1) % 3).tolist()

    stated, wrong = (kind(lambda x: x + torch.rand(4)) for kind in (Stated, Wrong))
    large = Stated(lambda x: x + torch.rand(4), X.repeat(100, 1), Y.repeat(100))
    large.targets = large.y.tolist()
    assert torch.equal(both(stated).train.y, Y) and torch.equal(both(wrong).train.y, Y)
    assert torch.equal(taken(large, PLAIN, regression=False).train.y, Y.repeat(100)) and large.reads < 100


def test_inputs_that_do_not_fit_into_the_memory_stay_where_they_are(monkeypatch, tmp_path):
    np.save(tmp_path / "x.npy", X.numpy())
    no_memory(monkeypatch)
    mapped, items = np.load(tmp_path / "x.npy", mmap_mode="r"), Items()
    found = taken((mapped, Y), items, regression=False)
    pool = found.train.join(found.validation)
    index = torch.tensor([13, 2, 2, 23, 0])
    assert not isinstance(pool.x, torch.Tensor) and pool.shape == (4,) and found.redrawn == ()
    assert torch.equal(pool.take(index).x, torch.cat([X, X])[index])
    assert torch.equal(pool.subset(index).subset(torch.tensor([3, 1])).take(torch.tensor([0, 1])).x, X[[11, 2]])
    assert pool.subset(torch.empty(0, dtype=torch.int64)).shape == (4,)
    assert torch.equal(pool.to("cpu", torch.float64).all().x, torch.cat([X, X]).double())
    before = items.reads
    pool.take(torch.tensor([14, 15]))
    assert items.reads == before + 2
    mixed = taken((mapped, Y), PLAIN, regression=False)
    assert torch.equal(mixed.train.join(mixed.validation).all().x, torch.cat([X, X]))


def test_a_streamed_input_that_is_not_finite_is_named(monkeypatch, tmp_path):
    x = X.clone()
    x[5, 1] = float("nan")
    np.save(tmp_path / "x.npy", x.numpy())
    no_memory(monkeypatch)
    with pytest.raises(InputError, match=r"x_train, from row 0,\[5, 1\] \(row 5\) is nan"):
        taken((np.load(tmp_path / "x.npy", mmap_mode="r"), Y), PLAIN, regression=False)
    late = taken(Items(x=x), PLAIN, regression=False)
    with pytest.raises(InputError, match="is nan"):
        late.train.take(torch.tensor([4, 5]))


def test_dicts_and_tuples_stand_in_rows(monkeypatch):
    def check(found):
        inputs = found.packing.unpack(found.train.take(torch.tensor([4, 1])).x, torch.float32)
        assert inputs["ids"].tolist() == [[4, 5, 6], [1, 2, 3]] and torch.equal(inputs["value"], X[[4, 1]])
        assert found.train.group.tolist() == [i // 3 % 2 for i in range(12)]

    columns = {"ids": torch.arange(3) + torch.arange(12)[:, None], "value": X, "labels": Y}
    check(both(columns | {"group": torch.arange(12) // 3 % 2}))
    check(both(Dicts()))
    check(both(DataLoader(Dicts(), batch_size=4)))
    no_memory(monkeypatch)
    check(both(Dicts()))
    found = both(((X, X[:, :2]), Y))
    assert [tuple(each.shape) for each in found.packing.unpack(found.train.x, torch.float32)] == [(12, 4), (12, 2)]


def test_sequences_are_padded_by_the_function_of_the_loader():
    class Sequences(Items):
        def __getitem__(self, i):
            return torch.arange(1, 2 + int(self.x[i])), int(self.y[i])

    def padded(items):
        ids = torch.nn.utils.rnn.pad_sequence([x for x, _ in items], batch_first=True, padding_value=-1)
        return UserDict({"ids": ids, "labels": torch.tensor([y for _, y in items])})

    short, long = (Sequences(x=torch.arange(12) % most) for most in (2, 5))
    found = taken(*(DataLoader(each, batch_size=3, collate_fn=padded) for each in (short, long)), regression=False)
    assert found.train.x[1].tolist() == [1, 2, -1, -1, -1] and found.validation.x[4].tolist() == [1, 2, 3, 4, 5]
    with pytest.raises(InputError, match=r"different shapes.*give a DataLoader with a collate_fn that pads them"):
        both(long)
    with pytest.raises(InputError, match="of different lengths, pad them"):
        both(([[1], [1, 2], [3]] * 4, Y))


def test_samples_that_a_loader_never_draws_are_left_out():
    kept = DataLoader(TensorDataset(X, Y), sampler=SubsetRandomSampler(range(3, 12)))
    assert torch.equal(both(kept).train.x, X[3:])
    uneven = DataLoader(TensorDataset(X, Y), sampler=WeightedRandomSampler([1.0] * 12, 12))
    with pytest.raises(InputError, match="the train DataLoader draws by a WeightedRandomSampler"):
        both(uneven)


@pytest.mark.parametrize("batch_size", [None, 5])
def test_what_can_only_be_gone_through(batch_size):
    class Stream(IterableDataset):
        def __iter__(self):
            return iter([{"x": x, "label": y} for x, y in zip(X, Y, strict=True)])

    found = both(DataLoader(Stream(), batch_size=batch_size))
    assert torch.equal(found.train.x, X) and torch.equal(found.train.y, Y) and found.packing.names == ("x",)
    assert torch.equal(both(Stream()).train.x, X)


def test_labels_can_be_names():
    names = np.array(["fox", "cat", "dog"])
    for y in (names[Y], pd.Series(names[Y]).astype("category"), names[Y].tolist()):
        found = taken((X, y), (X, names[Y]), regression=False)
        assert found.class_names == ["cat", "dog", "fox"]
        assert [found.class_names[k] for k in found.train.y] == [found.class_names[k] for k in found.validation.y]
        assert [found.class_names[k] for k in found.train.y] == names[Y].tolist()
    with pytest.raises(InputError, match=r"y_val\[1\] is 'cow', which no training sample has: those have cat, dog"):
        taken((X, names[Y]), (X, np.array(["fox", "cow", "dog"])[Y]), regression=False)
    with pytest.raises(InputError, match=r"y_train\[2\] is missing"):
        taken((X, pd.Series(["a", "b", None] * 4)), PLAIN, regression=False)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (7, "'train' must be .* not a int"),
        (X, "'train' must be .* not a Tensor"),
        ({"x": X, "kind": Y}, "'train' has the keys x, kind; the label has to be called `labels`"),
        ({"x": X, "label": Y, "labels": Y}, "has both 'labels' and 'label'"),
        (DataLoader(TensorDataset(X, Y, Y, Y)), "for every sample, not 4 values"),
        ((pd.DataFrame({"a": range(12), "town": ["x"] * 12}), Y), "column 'town' holds .*, not numbers: encode it"),
    ],
)
def test_what_cannot_be_taken_is_named(part, words):
    with pytest.raises(InputError, match=words):
        both(part)


def test_numbers_to_predict():
    y = X[:, :1]
    found = taken(TensorDataset(X, y), (X, y), regression=True)
    assert torch.equal(found.train.y, y[:, 0]) and torch.equal(found.validation.y, y[:, 0])
