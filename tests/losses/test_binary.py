"""One logit for two classes, and a two-class member for each of several labels, against plain formulas in float64."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from autobalance import BinaryLoss, load_loss, save_loss
from autobalance.losses import ParametricLoss
from autobalance.losses.named import fixed_point

SHAPES = [(), (6,), (6, 1), (4, 3), (4, 3, 2)]
#: One of each: no, yes.
MEMBER = {"w": [0.4, 2.0], "l": [-0.1, -1.5], "delta": [0.7, 1.1], "margin": [0.1, 0.4], "scale": 1.7, "gamma": 1.3}


def drawn(shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(shape, dtype=torch.float64, generator=generator)
    return logits, torch.randint(2, shape, generator=generator)


def member(**settings):
    return ParametricLoss(2, **{**MEMBER, **settings}, dtype=torch.float64)


def by_hand(z, yes, w, l, delta, margin, scale, gamma):  # noqa: E741
    """The family's formula for outputs (-z/2, z/2), with scalars."""
    u = [scale * delta[0] * -z / 2 + l[0], scale * delta[1] * z / 2 + l[1]]
    u[yes] -= scale * margin[yes]
    p = 1 / (1 + math.exp(u[1 - yes] - u[yes]))
    return w[yes] * (1 - p) ** gamma * -math.log(p)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_without_effects_of_its_own_it_is_torch_s(shape, reduction):
    logits, target = drawn(shape)
    logits.requires_grad_()
    for given in (target.double(), torch.rand_like(logits)):
        found = BinaryLoss(ParametricLoss(2, reduction=reduction))(logits, given)
        expected = nn.BCEWithLogitsLoss(reduction=reduction)(logits, given)
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(*(torch.autograd.grad(each.sum(), logits)[0] for each in (found, expected)))
    for given in (target, target.bool(), target.float()):
        assert torch.equal(BinaryLoss(ParametricLoss(2))(logits, given), BinaryLoss(ParametricLoss(2))(logits, target))


@pytest.mark.parametrize("shape", SHAPES)
def test_one_logit_is_the_formula(shape):
    logits, target = drawn(shape)
    expected = [
        by_hand(z, y, **MEMBER) for z, y in zip(logits.flatten().tolist(), target.flatten().tolist(), strict=True)
    ]
    found = BinaryLoss(member(reduction="none"))(logits, target)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64).view(shape))
    assert BinaryLoss(member())(logits, target).item() == pytest.approx(np.mean(expected), rel=1e-12)
    assert BinaryLoss(member())(logits, target, num_items_in_batch=7).item() == pytest.approx(
        sum(expected) / 7, rel=1e-12
    )


def test_between_no_and_yes_is_between_the_losses():
    logits, _ = drawn((5,))
    loss, share = BinaryLoss(member(reduction="none")), torch.rand(5, dtype=torch.float64)
    no, yes = loss(logits, torch.zeros(5)), loss(logits, torch.ones(5))
    torch.testing.assert_close(loss(logits, share), (1 - share) * no + share * yes)


@pytest.mark.parametrize("shape", SHAPES[-2:])
def test_a_member_a_label(shape):
    logits, target = drawn(shape)
    own = [{"w": [1.0, 3.0], "scale": 2.0, "margin": [0.1, 0.3]}, {"l": [0.0, -2.0]}, {"delta": [0.5, 1.5]}]
    members = [member(**each, reduction="none") for each in own]
    loss = BinaryLoss(members)
    columns = [BinaryLoss(each)(logits[:, j], target[:, j]) for j, each in enumerate(members)]
    torch.testing.assert_close(loss(logits, target), torch.stack(columns, 1))
    counts = torch.tensor([[900, 980, 500], [100, 20, 500]])
    cells = fixed_point("group-vs", cell_counts=counts, dtype=torch.float64)
    labels = [fixed_point("vs", counts[:, j], dtype=torch.float64) for j in range(3)]
    for given in (BinaryLoss(cells), BinaryLoss(labels)):
        assert given.num_labels == 3
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: BinaryLoss(cells)(z, target), logits)


def test_labels_with_schedules_change_each_in_its_time():
    losses = [fixed_point("ldam-drw", [90, 10], drw_start=at, dtype=torch.float64) for at in (0.5, 0.8)]
    loss = BinaryLoss([*losses, fixed_point("ldam", [80, 20], dtype=torch.float64)])
    logits, target = drawn((5, 3))
    values = []
    for progress in (0.0, 0.5, 0.8):
        loss.start_epoch(progress)
        values.append(loss(logits, target).item())
        parts = [BinaryLoss(each.at(progress))(logits[:, j], target[:, j]) for j, each in enumerate(losses)]
        last = BinaryLoss(fixed_point("ldam", [80, 20], dtype=torch.float64))(logits[:, 2], target[:, 2])
        assert values[-1] == pytest.approx((sum(parts) + last).item() / 3, rel=1e-12)
        assert loss.at(progress)(logits, target).item() == pytest.approx(values[-1], rel=1e-12)
    assert len(set(values)) == 3
    with pytest.warns(UserWarning, match="last stage"):
        BinaryLoss(losses[0])(logits.requires_grad_(), target)


def test_graphs_vmap_checkpoints_and_files(tmp_path):
    logits, target = drawn((4, 3))
    loss = BinaryLoss([member(), member(l=[1.0, 0.0]), member(w=[1.0, 1.0])])
    expected = loss(logits, target)
    torch.testing.assert_close(torch.compile(loss, fullgraph=True, backend="eager")(logits, target), expected)
    torch.testing.assert_close(torch.export.export(loss, (logits, target)).module()(logits, target), expected)
    rows = torch.func.vmap(lambda z, y: loss(z[None], y[None]))(logits, target)
    torch.testing.assert_close(rows.mean(), expected)
    model = nn.Module()
    model.criterion = nn.BCEWithLogitsLoss(pos_weight=torch.ones(3))
    state = model.state_dict()
    model.criterion = loss
    model.load_state_dict(state)
    torch.testing.assert_close(loss(logits, target), expected)
    save_loss(loss.base, tmp_path / "loss.json")
    torch.testing.assert_close(BinaryLoss(load_loss(tmp_path / "loss.json"))(logits.float(), target), expected.float())


def test_the_start_bias_is_of_the_logits():
    one = BinaryLoss(member(start_bias=[-0.5, 1.0]))
    assert one.start_bias.tolist() == [1.5]
    two = BinaryLoss([member(start_bias=[-0.5, 1.0]), member()])
    bias = nn.Parameter(torch.ones(2))
    two.add_start_bias(bias)
    assert bias.tolist() == [2.5, 1.0]
    assert BinaryLoss(member()).start_bias is None
    groups = ParametricLoss(2, l=torch.zeros(2, 3) + torch.arange(3), start_bias=[0.0, 1.0])
    assert BinaryLoss(groups).start_bias.tolist() == [1.0, 1.0, 1.0]


def test_skorch_predicts_probabilities():
    import skorch

    rng = np.random.default_rng(0)
    y = np.repeat([0.0, 1.0], [60, 20]).astype(np.float32)
    x = (rng.normal(size=(80, 2)) + y[:, None]).astype(np.float32)
    torch.manual_seed(0)
    loss = BinaryLoss(fixed_point("la", [60, 20]))
    net = skorch.NeuralNetBinaryClassifier(nn.Linear(2, 1), criterion=loss, max_epochs=2, train_split=None, verbose=0)
    found = net.fit(x, y).predict_proba(x)
    with torch.no_grad():
        yes = torch.sigmoid(net.module_(torch.from_numpy(x))).numpy()
    np.testing.assert_allclose(found, np.hstack([1 - yes, yes]), rtol=1e-5)


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (ParametricLoss(3), "members of the family for two classes, not of a ParametricLoss for 3"),
        (fixed_point("equalization", [9, 3]), "not of a Equalization for 2"),
        ([], "one for each label"),
        ([ParametricLoss(2, gamma=1.0), ParametricLoss(2)], "differ in gamma: 1.0 and 0.0"),
        ([ParametricLoss(2), ParametricLoss(2, reduction="sum")], "differ in reduction"),
        ([ParametricLoss(2, l=torch.zeros(2, 3) + torch.arange(3))], "has 3 groups"),
    ],
)
def test_losses_that_make_no_binary_loss(base, message):
    with pytest.raises(ValueError, match=message):
        BinaryLoss(base)


def test_calls_that_do_not_fit():
    loss = BinaryLoss([ParametricLoss(2)] * 3)
    with pytest.raises(ValueError, match=r"target has shape \(4,\), logits have \(4, 3\)"):
        loss(torch.zeros(4, 3), torch.zeros(4))
    with pytest.raises(ValueError, match=r"logits have shape \(4, 2\), the loss has 3 labels"):
        loss(torch.zeros(4, 2), torch.zeros(4, 2))
    for bad in (-1, 2):
        with pytest.raises(ValueError, match=f"target {bad} is out of range"):
            loss(torch.zeros(2, 3), torch.tensor([[0, 1, bad], [0, 0, 0]]))
