"""A searched loss in the place of nn.CrossEntropyLoss: shapes, targets, graphs, checkpoints, frameworks."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from autobalance import BinaryLoss, load_loss, save_loss
from autobalance.losses import ParametricLoss, ScheduledLoss
from autobalance.losses.named import fixed_point

K = 4
SHAPES = [(), (6,), (3, 5), (2, 3, 2)]
W = torch.tensor([0.4, 1.0, 2.0, 0.7], dtype=torch.float64)
#: Every way through the family: torch's own loss, margins, focusing, and tables of groups.
MEMBERS = {
    "plain": {},
    "adjusted": {"w": W, "l": W.log(), "delta": W.sqrt()},
    "margins": {"w": W, "margin": W / 4, "scale": 3.0},
    "focal": {"l": W, "gamma": 1.5},
    "groups": {"w": torch.stack([W, 2 * W], 1), "l": torch.stack([W, -W], 1), "gamma": 0.5},
}


def drawn(shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(*shape[:1], K, *shape[1:], dtype=torch.float64, generator=generator)
    target = torch.randint(K, shape, generator=generator)
    return logits, target, torch.randint(2, shape, generator=generator)


def member(name, **settings):
    return ParametricLoss(K, **MEMBERS[name], dtype=torch.float64, **settings)


def by_hand(loss, logits, target, group):
    """One sample at a time, from the definition: (N,), and the weights."""
    parameters = {name: getattr(loss, name) for name in loss.defaults}
    values, weights = [], []
    for z, y, g in zip(logits.movedim(1, -1).reshape(-1, K), target.flatten(), group.flatten(), strict=True):
        own = {name: table[:, g] if table.dim() == 2 else table for name, table in parameters.items()}
        u = own["scale"] * own["delta"] * z + own["l"]
        u = u - own["scale"] * own["margin"] * torch.nn.functional.one_hot(y, K)
        p = torch.softmax(u, 0)[y]
        weights.append(own["w"][y])
        values.append(own["w"][y] * (1 - p) ** own["gamma"] * -torch.log(p))
    return torch.stack(values), torch.stack(weights)


@pytest.mark.parametrize("smoothing, reduction, shape", list(product((0.0, 0.2), ("mean", "sum", "none"), SHAPES)))
def test_without_effects_of_its_own_it_is_torch_s(smoothing, reduction, shape):
    logits, target, _ = drawn(shape)
    settings = {"reduction": reduction, "label_smoothing": smoothing, "ignore_index": 1}
    for w in (None, W):
        theirs = nn.CrossEntropyLoss(w, **settings)
        ours = ParametricLoss(K, w=w, dtype=torch.float64, **settings)
        if shape or target != 1:
            torch.testing.assert_close(ours(logits, target), theirs(logits, target))
        theirs = nn.CrossEntropyLoss(w, reduction=reduction, label_smoothing=smoothing)
        shares = torch.softmax(logits.flip(0), min(1, logits.dim() - 1))
        torch.testing.assert_close(ours(logits, shares), theirs(logits, shares))
    assert torch.equal(ours(input=logits, target=shares, words_of_a_trainer=3), ours(logits, shares))


@pytest.mark.parametrize("name, shape", list(product(MEMBERS, SHAPES[1:])))
def test_every_position_is_a_sample(name, shape):
    logits, target, group = drawn(shape)
    loss = member(name, reduction="none")
    values, weights = by_hand(loss, logits, target, group)
    torch.testing.assert_close(loss(logits, target, group=group), values.view(shape))
    mean = loss.replace(reduction="mean")(logits, target, group=group)
    torch.testing.assert_close(mean, values.sum() / weights.sum())
    if len(shape) > 1:
        of_samples = group.flatten(1)[:, 0]
        spread = of_samples.view(-1, *[1] * (len(shape) - 1)).expand(shape)
        torch.testing.assert_close(loss(logits, target, group=of_samples), loss(logits, target, group=spread))


@pytest.mark.parametrize("name, reduction", list(product(MEMBERS, ("mean", "batch_mean", "sum", "none"))))
def test_targets_that_are_ignored_are_as_if_they_were_not_there(name, reduction):
    logits, target, group = drawn((9,))
    logits.requires_grad_()
    kept = torch.tensor([0, 2, 3, 5, 8])
    ignored = torch.full_like(target, -7)
    ignored[kept] = target[kept]
    for smoothing in (0.0, 0.1):
        loss = member(name, reduction=reduction, ignore_index=-7, label_smoothing=smoothing)
        found = loss(logits, ignored, group=group)
        expected = loss(logits[kept], target[kept], group=group[kept])
        if reduction == "none":
            assert (found[[1, 4, 6, 7]] == 0).all()
            found = found[kept]
        torch.testing.assert_close(found, expected)
        gradients = [torch.autograd.grad(value.sum(), logits)[0] for value in (found, expected)]
        torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_call_leaves_its_logits_as_they_are(name):
    logits, target, group = drawn((9,))
    before = logits.clone()
    member(name)(logits, target, group=group)
    ParametricLoss(K, margin=W, dtype=torch.float64)(logits, target)
    assert torch.equal(logits, before)


@pytest.mark.parametrize("gamma", [0.3, 1.0, 1.5, 2.0])
def test_second_derivatives_of_focusing_are_finite_for_the_ignored_and_the_sure(gamma):
    logits = torch.tensor([[200.0, 0, 0, 0], [1.0, 2, 0, 0], [0.5, 0, 1, 0]], requires_grad=True)
    loss = ParametricLoss(K, gamma=gamma, reduction="sum")
    (slope,) = torch.autograd.grad(loss(logits, torch.tensor([0, -100, 2])), logits, create_graph=True)
    (curve,) = torch.autograd.grad(slope.square().sum(), logits)
    assert (slope[:2] == 0).all() and (curve[:2] == 0).all()
    alone = logits.detach()[2:].requires_grad_()
    (slope,) = torch.autograd.grad(loss(alone, torch.tensor([2])), alone, create_graph=True)
    torch.testing.assert_close(curve[2:], *torch.autograd.grad(slope.square().sum(), alone))


@pytest.mark.parametrize("name", MEMBERS)
def test_batches_that_are_added_up_give_the_gradient_of_one_batch(name):
    """As trainers call it that add up gradients: a mean over the batch would weigh every batch alike."""
    logits, target, group = drawn((9,))
    logits.requires_grad_()
    target[[1, 5, 6]] = -100
    for smoothing, reduction in product((0.0, 0.1), ("mean", "batch_mean")):
        loss, parts = member(name, reduction=reduction, label_smoothing=smoothing), []
        for rows in (slice(0, 4), slice(4, 9)):
            parts.append(loss(logits[rows], target[rows], group=group[rows], num_items_in_batch=torch.tensor(6)))
        whole = loss.replace(reduction="batch_mean")(logits, target, group=group)
        torch.testing.assert_close(sum(parts), whole)
        torch.testing.assert_close(*(torch.autograd.grad(value, logits)[0] for value in (sum(parts), whole)))
    for reduction in ("sum", "none"):
        loss = member(name, reduction=reduction)
        assert torch.equal(*(loss(logits, target, group=group, **more) for more in ({}, {"num_items_in_batch": 6})))


@pytest.mark.parametrize("name", MEMBERS)
def test_shares_mean_the_losses_of_the_classes(name):
    logits, target, group = drawn((6,))
    loss = member(name, reduction="none")
    shares = torch.softmax(logits.flip(0), 1)
    of_classes = [by_hand(loss, logits, torch.full((6,), k), group)[0] for k in range(K)]
    expected = (shares * torch.stack(of_classes, 1)).sum(1)
    torch.testing.assert_close(loss(logits, shares, group=group), expected)
    mean = loss.replace(reduction="mean")(logits, shares, group=group)
    torch.testing.assert_close(mean, expected.mean())
    smoothed = loss.replace(label_smoothing=0.3)(logits, target, group=group)
    shares = 0.7 * torch.nn.functional.one_hot(target, K) + 0.3 / K
    torch.testing.assert_close(smoothed, (shares * torch.stack(of_classes, 1)).sum(1))


@pytest.mark.parametrize("name", MEMBERS)
def test_a_compiled_graph_an_exported_one_and_vmap(name):
    logits, target, group = drawn((6,))
    loss = member(name)
    expected = loss(logits, target, group=group)
    whole = torch.compile(loss, fullgraph=True, backend="eager")
    torch.testing.assert_close(whole(logits, target, group=group), expected)
    exported = torch.export.export(loss, (logits, target), {"group": group})
    torch.testing.assert_close(exported.module()(logits, target, group=group), expected)
    rows = torch.func.vmap(lambda z, y, g: loss(z[None], y[None], group=g[None]))(logits, target, group)
    each = [loss(logits[i : i + 1], target[i : i + 1], group=group[i : i + 1]) for i in range(6)]
    torch.testing.assert_close(rows, torch.stack(each))


class Made(TorchDispatchMode):
    """On which devices tensors are made."""

    def __init__(self):
        super().__init__()
        self.devices = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        self.devices |= {each.device.type for each in tree_leaves(made) if isinstance(each, torch.Tensor)}
        return made


def without_values(loss, logits, *targets, **more):
    """Calls and gradients with tensors that have no values, so that nothing can look at one. Nor may anything come from
    the host: a CUDA graph, for which there is no device here, can hold neither."""
    loss, logits = loss.to("meta"), logits.to("meta").requires_grad_()
    for target in targets:
        given = {name: each.to("meta") for name, each in more.items()}
        with Made() as made:
            loss(logits, target.to("meta"), **given).sum().backward()
        assert made.devices == {"meta"}


def test_a_look_at_a_value_and_numbers_from_the_host_are_found():
    class Looks(nn.Module):
        def forward(self, logits, target):
            return logits * logits.max().item()

    class Brings(nn.Module):
        def forward(self, logits, target):
            return logits * torch.tensor(2.0)

    with pytest.raises(RuntimeError, match=r"item\(\) cannot be called on meta tensors"):
        without_values(Looks(), torch.ones(3), torch.ones(3))
    with pytest.raises(AssertionError):
        without_values(Brings(), torch.ones(3), torch.ones(3))


@pytest.mark.parametrize("name, reduction", list(product(MEMBERS, ("mean", "batch_mean", "sum", "none"))))
def test_no_call_waits_for_a_value(name, reduction):
    for shape, smoothing in product(((6,), (3, 5)), (0.0, 0.1)):
        logits, target, group = drawn(shape)
        loss = member(name, reduction=reduction, label_smoothing=smoothing)
        without_values(loss, logits, target, torch.softmax(logits, 1), group=group)
        without_values(loss, logits, target, group=group, num_items_in_batch=torch.tensor(9))


def test_nor_does_one_with_a_schedule_or_of_one_logit():
    loss = fixed_point("ldam-drw", [9, 5, 3, 2])
    loss.start_epoch(0.0)
    without_values(loss, torch.randn(6, K), torch.randint(K, (6,)))
    binary = BinaryLoss([fixed_point("ldam", [9, 5])] * 3)
    without_values(binary, torch.randn(6, 3), torch.randint(2, (6, 3)))


def test_a_loss_with_a_schedule_is_compiled_whole_and_follows_it():
    loss = fixed_point("ldam-drw", [9, 5, 3, 2])
    logits, target = torch.randn(6, K), torch.tensor([0, 1, 2, 3, 3, 3])
    whole, found = torch.compile(loss, fullgraph=True, backend="eager"), []
    for progress in (0.0, 0.9):
        loss.start_epoch(progress)
        found.append(whole(logits, target).item())
        assert found[-1] == pytest.approx(loss.at(progress)(logits, target).item(), rel=1e-6)
    assert found[0] != found[1]
    state = {name: value.clone() for name, value in loss.state_dict().items()}
    loss.start_epoch(0.0)
    loss.load_state_dict(state)
    assert loss.current is loss.at(0.9)


def test_a_checkpoint_of_a_training_with_cross_entropy_is_resumed():
    model = nn.Module()
    model.layer, model.criterion = nn.Linear(3, K), nn.CrossEntropyLoss(torch.ones(K))
    state = model.state_dict()
    assert "criterion.weight" in state
    for loss in (member("adjusted"), fixed_point("ldam-drw", [9, 5, 3, 2])):
        model.criterion, before = loss, {name: value.clone() for name, value in loss.state_dict().items()}
        model.load_state_dict(state)
        assert all(torch.equal(value, before[name]) for name, value in loss.state_dict().items())


@pytest.mark.parametrize("scheduled", [False, True])
def test_a_file_is_loaded_as_it_is_to_be_called(tmp_path, scheduled):
    loss = fixed_point("ldam-drw", [9, 5, 3, 2]) if scheduled else fixed_point("vs", [9, 5, 3, 2])
    save_loss(loss, tmp_path / "loss.json")
    loaded = load_loss(tmp_path / "loss.json", reduction="sum", ignore_index=255, label_smoothing=0.1)
    assert isinstance(loaded, ScheduledLoss) == scheduled
    for stage in loaded.stages:
        assert (stage.loss.reduction, stage.loss.ignore_index, stage.loss.label_smoothing) == ("sum", 255, 0.1)
    logits, target = torch.randn(3, K), torch.tensor([0, 255, 2])
    assert torch.equal(loaded(logits, target), loaded(logits[[0, 2]], target[[0, 2]]))
    with pytest.raises(ValueError, match="reduction is 'average'"):
        load_loss(tmp_path / "loss.json", reduction="average")
    with pytest.raises(ValueError, match="`label_smoothing` is 2"):
        load_loss(tmp_path / "loss.json", label_smoothing=2)


@pytest.mark.parametrize("loss", [fixed_point(name, [60, 20]) for name in ("la", "ldam-drw", "equalization")])
def test_skorch_predicts_probabilities(loss):
    import skorch

    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [60, 20])
    x = (rng.normal(size=(80, 2)) + y[:, None]).astype(np.float32)
    loss.start_epoch(0.0)
    torch.manual_seed(0)
    net = skorch.NeuralNetClassifier(nn.Linear(2, 2), criterion=loss, max_epochs=3, train_split=None, verbose=0)
    found = net.fit(x, y).predict_proba(x)
    with torch.no_grad():
        expected = torch.softmax(net.module_(torch.from_numpy(x)), 1).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_what_is_out_of_range_is_said():
    logits, _, _ = drawn((2,))
    for name in MEMBERS:
        with pytest.raises(ValueError, match="target 9 is out of range: the loss has 4 classes"):
            member(name, ignore_index=-7)(logits, torch.tensor([-7, 9]), group=torch.tensor([0, 1]))
    with pytest.raises(ValueError, match=r"shares of classes have the logits' shape \(2, 4\), not \(2, 3\)"):
        member("plain")(logits, torch.ones(2, 3))
