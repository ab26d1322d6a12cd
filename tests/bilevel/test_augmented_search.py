"""The search of an augmentation from Python and by the command."""

import json

import numpy as np
import pytest
import torch
from run_case import OPTIONS, read, same_run, search, write_data
from search_cases import interleaved, make_trainee
from toy import gaussians, linear, same

import autobalance
from autobalance.bilevel import AugmentationSpace, InterleavedState, LossSpace, OuterLoop, run
from autobalance.common import InputError
from autobalance.data.augmentation import Policy
from autobalance.hypergradients import Head, OneStep, Unrolled
from autobalance.training import Recipe, train

TRAIN, VALIDATION = gaussians([40, 17, 6], 0), gaussians([20, 9, 3], 1)
SHORT = {
    "recipe": Recipe(epochs=6, batch_size=16),
    "outer": OuterLoop(every=5, lr=0.1),
    "hypergradient": autobalance.Replay(3),
    "strategy": "interleaved",
}


def from_python(**settings):
    return autobalance.search_loss(linear(3), TRAIN, VALIDATION, **{**SHORT, "free": ("l", "augment"), **settings})


def test_a_policy_beside_the_loss():
    result = from_python()
    assert isinstance(result.augmentation, Policy)
    assert result.augmentation.operations == ("mix", "noise", "masking")
    start, end = (result.history[at]["augmentation"]["noise"] for at in (0, -1))
    assert start["strength"] == pytest.approx([0.125] * 3) and start["probability"] == [0.5] * 3
    assert max(abs(a - b) for a, b in zip(start["strength"], end["strength"], strict=True)) > 1e-3
    assert len(set(end["strength"])) == 3
    assert set(result.history[-1]["parameters"]) == {"l"}
    assert from_python(free=("l",)).augmentation is None
    assert "augmentation" not in from_python(free=("l",)).history[0]


def test_the_same_seed_finds_the_same_and_every_exact_engine_too():
    first, second = from_python(), from_python()
    assert first.history == second.history
    unrolled = from_python(hypergradient=Unrolled(3))
    torch.testing.assert_close(unrolled.augmentation.strength, first.augmentation.strength, rtol=1e-6, atol=0)
    torch.testing.assert_close(unrolled.augmentation.probability, first.augmentation.probability, rtol=1e-6, atol=0)


def test_the_augmentation_alone_and_with_other_ties():
    alone = from_python(free=("augment",), tie_augment="all", operations=("noise",))
    start = autobalance.fixed_point("la", [40, 17, 6])
    torch.testing.assert_close(alone.loss.l.float(), start.l - start.l.mean())
    assert alone.augmentation.operations == ("noise",)
    assert len(set(alone.augmentation.strength[:, 0].tolist())) == 1
    with pytest.raises(InputError, match="nothing is `free` to be searched"):
        from_python(free=())


def test_what_is_saved_loads_as_the_same_policy(tmp_path):
    result = from_python()
    result.save(tmp_path)
    loaded = autobalance.load_augmentation(tmp_path / "augmentation.json")
    assert torch.equal(loaded.strength, result.augmentation.strength)
    assert torch.equal(loaded.probability, result.augmentation.probability)
    from_python(free=("l",)).save(tmp_path / "without")
    assert not (tmp_path / "without" / "augmentation.json").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"free": ("l",), "tie_augment": "all"}, "`tie_augment` has no effect"),
        ({"free": ("l",), "operations": ("noise",)}, "`operations` has no effect"),
        ({"operations": ("shift",)}, "no operation on tables is called 'shift'"),
        ({"tie_augment": "group"}, "choose one of all, frequency, class"),
        ({"hypergradient": OneStep()}, "one-step does not work with an augmentation"),
        ({"hypergradient": Head(3, "")}, "head does not work with an augmentation"),
    ],
)
def test_what_cannot_be_is_refused(settings, words):
    with pytest.raises(InputError, match=words):
        from_python(**settings)


def test_cells_of_classes_and_groups_have_policies_of_their_own():
    parts = []
    for seed in (0, 1):
        part = gaussians([40, 20, 12], seed)
        parts.append((part.x, part.y, (torch.rand(72, generator=torch.Generator().manual_seed(seed)) < 0.3).long()))
    settings = {**SHORT, "free": ("l", "augment"), "group_names": ("a", "b")}
    result = autobalance.search_loss(linear(3), *parts, **settings)
    assert result.augmentation.num_groups == 2 and result.augmentation.group_names == ("a", "b")
    assert len(set(result.augmentation.strength[..., 1].flatten().tolist())) > 3
    assert result.loss.num_groups == 2


def test_a_regression_is_refused():
    x = torch.randn(60, 3)
    part = (x, x.sum(1))
    with pytest.raises(InputError, match="for classes only"):
        autobalance.search_loss(
            torch.nn.Linear(3, 1), part, part, task="regression", **{**SHORT, "free": ("w", "augment")}
        )


def test_a_state_goes_on_as_if_nothing_had_happened(tmp_path):
    """Random numbers of the augmentation included."""
    counts = TRAIN.class_counts(3)
    point = autobalance.fixed_point("la", counts, dtype=torch.float64)
    space, augmentation = LossSpace(point, counts, ("l",)), AugmentationSpace(TRAIN.x, counts)
    parts = linear(3), (TRAIN, VALIDATION), space
    trainee = make_trainee(*parts, recipe=SHORT["recipe"], augmentation=augmentation)
    search = interleaved(trainee, SHORT["hypergradient"], SHORT["outer"])
    whole = run(search)
    state = search.init()
    for _ in range(3):
        state, _ = search.step(state)
    torch.save(state.to_dict(), tmp_path / "state.pt")
    again = InterleavedState.from_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert same(run(search, again).to_dict(), whole.to_dict())


def test_training_with_a_policy_is_training_on_what_it_makes_of_each_batch():
    nothing = Policy("table", {"noise": [0.0] * 3}, {"noise": [1.0] * 3})
    strong = Policy("table", {"noise": [2.0] * 3}, {"noise": [1.0] * 3})
    loss, found = autobalance.fixed_point("ce", [40, 17, 6]), {}
    for name, policy in {"without": None, "nothing": nothing, "strong": strong, "again": strong}.items():
        model = linear(3)
        train(model, TRAIN, loss, Recipe(epochs=1, batch_size=63), 0, policy=policy)
        found[name] = model.weight.detach()
    # One epoch of one batch: whatever the policy draws comes after the order of the samples.
    torch.testing.assert_close(found["nothing"], found["without"], rtol=0, atol=0)
    assert (found["strong"] - found["without"]).abs().max() > 1e-3
    assert torch.equal(found["strong"], found["again"])


def images(path):
    generator = np.random.default_rng(0)
    counts = [30, 20, 10]
    y = np.repeat(np.arange(3), counts)
    x = generator.integers(0, 256, (60, 8, 8, 3)).astype(np.uint8)
    x[np.arange(60), y] = 255
    np.savez(path, x_train=x, y_train=y, x_test=x[::2], y_test=y[::2])
    return path


def test_the_command_writes_a_policy_trains_with_it_and_tells_it_from_the_loss(tmp_path):
    data, out = images(tmp_path / "a.npz"), tmp_path / "out"
    assert search(data, out, "--free", "l,augment", "--tie-augment", "class", "--operations", "shift, noise") == 0
    result, policy = read(out), autobalance.load_augmentation(out / "augmentation.json")
    assert list(result["test"]) == ["searched", "ce", "la", "ce+augment"]
    assert result["search"]["free"] == ["l", "augment"] and result["search"]["tie_augment"] == "class"
    assert result["search"]["operations"] == list(policy.operations) == ["shift", "noise"]
    assert policy.kind == "image" and policy.class_names == ("0", "1", "2")
    last = json.loads((out / "history.jsonl").read_text().splitlines()[-1])["augmentation"]
    assert set(last) == {"shift", "noise"} and len(last["shift"]["probability"]) == 3
    shown = np.load(out / "augmented.npz", allow_pickle=False)
    assert shown["classes"].tolist() == [0, 1, 2]
    assert shown["copies"].shape == (3, 7, 3, 8, 8)
    same_as = shown["copies"] == shown["samples"][:, None]
    assert not same_as.all() and np.isfinite(shown["copies"]).all()


def test_an_interrupted_run_with_a_policy_ends_as_one_that_was_not(tmp_path, monkeypatch, no_page):
    from autobalance.training import Arm

    data, arguments = write_data(tmp_path / "a.npz"), ("--free", "l,augment")
    assert search(data, tmp_path / "whole", *arguments) == 0

    def interrupt(*args, **settings):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Arm, "train", interrupt)
        assert search(data, tmp_path / "cut", *arguments) == 130
    assert search(data, tmp_path / "cut", "--resume", *arguments) == 0
    same_run(tmp_path / "whole", tmp_path / "cut")
    first, second = ((tmp_path / name / "augmentation.json").read_bytes() for name in ("whole", "cut"))
    assert first == second


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tie-augment", "all"], "--tie-augment has no effect: 'augment' is not among what is --free"),
        (["--operations", "noise"], "--operations has no effect"),
        (["--free", "augment", "--operations", "shift"], "no operation on tables is called 'shift'"),
        (["--free", "l,augment", "--hypergradient", "one-step"], "use --hypergradient replay or unrolled or implicit"),
        (["--free", "l,augment", "--hypergradient", "head"], "use --hypergradient replay"),
    ],
)
def test_options_that_cannot_be_are_refused_in_one_line(tmp_path, capsys, arguments, words):
    options = [o for o in OPTIONS]
    if "one-step" in arguments:
        at = options.index("--unroll")
        del options[at : at + 2]
    status = search(write_data(tmp_path / "a.npz"), tmp_path / "out", *arguments, options=options)
    error = capsys.readouterr().err
    assert status == 2 and error.startswith("error: ") and error.count("\n") == 1
    assert words in error
