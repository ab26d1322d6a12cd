"""Steps that change what is trained on: resampling, and mixtures of samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from step_cases import training_of, vectors

from autobalance.common import InputError
from autobalance.data import load
from autobalance.study import named_method
from autobalance.study.steps import Resampled
from autobalance.study.steps.samples import Mixed
from autobalance.training import Recipe, Setting, Stream, setting_of

COUNTS = [900, 90, 10]
RECIPE = Recipe(epochs=10, batch_size=100)


@pytest.fixture(scope="module")
def setting() -> Setting:
    return setting_of(load("digits"), "mlp")


def stream_of(setting: Setting, name: str, **hyper: float) -> Stream:
    samples = vectors(COUNTS)
    method, training = training_of(setting, name, samples, RECIPE, **hyper)
    stream = Stream(samples, RECIPE)
    for step in method.steps:
        assert step.stream is not None
        stream = step.stream(stream, training)
    return stream


def drawn(stream: Stream, progress: float) -> torch.Tensor:
    """How often each class is drawn in five epochs."""
    orders = [stream.order(progress, torch.Generator().manual_seed(seed)) for seed in range(5)]
    assert {len(index) for order in orders for index in order} == {100} and len(orders[0]) == 10
    return torch.bincount(stream.samples.y[torch.cat([index for order in orders for index in order])])


def test_resampling_draws_all_classes_alike(setting: Setting) -> None:
    assert (drawn(stream_of(setting, "ce+rs"), 0.0) - 5000 / 3).abs().max() < 5 * (5000 * 2 / 9) ** 0.5


def test_deferred_resampling_begins_late(setting: Setting) -> None:
    stream = stream_of(setting, "la+drs", drs_start=0.6)
    assert drawn(stream, 0.5).tolist() == [5 * n for n in COUNTS]
    assert (drawn(stream, 0.6) - 5000 / 3).abs().max() < 5 * (5000 * 2 / 9) ** 0.5


def test_with_groups_cells_are_alike() -> None:
    grouped = setting_of(load("digits-groups"), "mlp")
    method, training = training_of(grouped, "ce+rs")
    (step,) = method.steps
    assert step.stream is not None
    stream, samples = step.stream(Stream(training.samples, RECIPE), training), training.samples
    index = torch.cat([torch.cat(stream.order(0.0, torch.Generator().manual_seed(s))) for s in range(20)])
    share = samples.subset(index).cell_counts(2, 2) / len(index)
    assert (share - 0.25).abs().max() < 0.02 < (samples.cell_counts(2, 2) / len(samples) - 0.25).abs().max()


def remix_by_hand(first: int, second: int, share: float, kappa: float, tau: float) -> float:
    """Chou et al. 2020, equation 6."""
    if first / second >= kappa and share < tau:
        return 0.0
    if first / second <= 1 / kappa and 1 - share < tau:
        return 1.0
    return share


@pytest.mark.parametrize("share", [0.1, 0.45, 0.55, 0.95])
def test_the_label_of_a_mixture_goes_to_the_rarer_class(setting: Setting, share: float) -> None:
    stream = stream_of(setting, "ce+remix", remix_kappa=5.0, remix_tau=0.5)
    assert isinstance(stream, Mixed)
    first, second = torch.tensor([0, 0, 1, 2, 2, 1]), torch.tensor([1, 2, 0, 0, 2, 1])
    expected = [remix_by_hand(COUNTS[a], COUNTS[b], share, 5.0, 0.5) for a, b in zip(first, second, strict=True)]
    assert stream.own(first, second, share).tolist() == expected
    plain = stream_of(setting, "ce+mixup")
    assert isinstance(plain, Mixed) and plain.own(first, second, share).tolist() == [share] * 6


@pytest.mark.parametrize("name", ["ce+mixup", "ce+remix"])
def test_mixtures_of_a_batch_are_those_of_numpy(setting: Setting, name: str) -> None:
    stream, index = stream_of(setting, name, **{f"{name[3:]}_alpha": 0.7}), torch.arange(880, 1000)
    batch = stream.take(index, torch.Generator().manual_seed(4))
    x, y = (t[index].numpy() for t in (stream.samples.x, stream.samples.y))  # type: ignore[index]
    generator = torch.Generator().manual_seed(4)
    share = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator))).beta(0.7, 0.7)
    other = torch.randperm(len(index), generator=generator).numpy()
    np.testing.assert_allclose(batch.x.numpy(), share * x + (1 - share) * x[other], rtol=1e-5, atol=1e-6)
    for row, a, b in zip(batch.y.numpy(), y, y[other], strict=True):
        own = share if name == "ce+mixup" else remix_by_hand(COUNTS[a], COUNTS[b], share, 3.0, 0.5)
        expected = np.zeros(10)
        expected[a] += own
        expected[b] += 1 - own
        np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-6)


def test_streams_go_around_each_other(setting: Setting) -> None:
    stream = stream_of(setting, "ce+rs+mixup")
    assert isinstance(stream, Mixed) and isinstance(stream.inner, Resampled)
    assert (drawn(stream, 0.0) - 5000 / 3).abs().max() < 5 * (5000 * 2 / 9) ** 0.5


def test_mixtures_need_a_loss_that_takes_them(setting: Setting) -> None:
    refused = {"csl+mixup": "not for CSL", "ce+mixup+group-dro": "GroupDRO", "ib+remix": "ScheduledLoss"}
    for name, words in refused.items():
        with pytest.raises(InputError, match=words):
            named_method(name).check(setting, RECIPE)
    grouped = setting_of(load("digits-groups"), "mlp")
    with pytest.raises(InputError, match="different groups"):
        named_method("group-la+mixup").check(grouped, RECIPE)
    named_method("la+drw+mixup").check(setting, RECIPE)
    words_of = replace(setting.problem.train, x=setting.problem.train.x.long())  # type: ignore[union-attr]
    texts = replace(setting, problem=replace(setting.problem, train=words_of))
    with pytest.raises(InputError, match=r"numbers of something \(torch.int64\)"):
        named_method("ce+mixup").check(texts, RECIPE)


def test_a_mixed_training_is_trained_alone(setting: Setting) -> None:
    assert not named_method("ce+mixup").is_plain and not named_method("ce+drs").is_plain
    assert named_method("ce+las").is_plain
