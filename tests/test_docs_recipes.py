"""The scripts of docs/recipes run as they stand, train as they do with cross-entropy, and step schedules."""

from __future__ import annotations

import os
import re
import warnings
from contextlib import chdir
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import fresh
import pytest
import torch

import autobalance
from autobalance.losses import Loss, ParametricLoss, ScheduledLoss

RECIPES = Path(__file__).parent.parent / "docs" / "recipes"
#: Each page, and its number of classes.
CLASSES = {
    "plain-loop": 10,
    "lightning": 10,
    "skorch": 10,
    "binary": 2,
    "transformers": 3,
    "torchvision": 10,
    "distributed": 4,
    "tokens": 4,
    "segmentation": 3,
}
#: Those that need several processes.
LAUNCHED = {"distributed"}
#: With BERT's own cross-entropy the trainer does not add up batches as it should: compare with one large batch.
ONE_BATCH = {"gradient_accumulation_steps=3": "gradient_accumulation_steps=1", "batch_size=16": "batch_size=48"}
SCHEDULE, START = "# for a schedule", "# for a searched loss"


class Ran(NamedTuple):
    """What a script did."""

    numbers: list[torch.Tensor]  # of the model, in the end
    epochs: int
    told: list[float]  # what the loss was told by `start_epoch`
    started: list[bool]  # whether what it was given to start is a bias of the model
    stage: int
    words: list[str]  # warnings
    probabilities: Any  # where it predicts some


def test_every_page_is_known():
    assert sorted(path.stem for path in RECIPES.glob("*.md")) == sorted([*CLASSES, "README"])


@cache
def script(page: str) -> str:
    return "\n".join(re.findall(r"^```python\n(.*?)^```", (RECIPES / f"{page}.md").read_text("utf-8"), re.M | re.S))


def without(code: str, *marks: str) -> str:
    return "\n".join(line for line in code.splitlines() if not line.endswith(marks))


def as_it_was(code: str) -> str:
    """With cross-entropy."""
    code = re.sub(r"^(\s*[\w.]+ = ).*# was: (.+)$", r"\1\2", without(code, SCHEDULE, START, "# new"), flags=re.M)
    if "transformers" in code:
        for several, one in ONE_BATCH.items():
            assert several in code
            code = code.replace(several, one)
    return code


def run(code: str, loss: Loss, place: Path) -> Ran:
    """Runs a script beside the ``loss.json`` of a loss."""
    place = place / os.environ.get("RANK", "0")
    place.mkdir(exist_ok=True)
    autobalance.save_loss(loss, place / "loss.json")
    told, given, namespace = [], [], {"__name__": "__main__"}
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch, chdir(place), warnings.catch_warnings(record=True) as words:
        warnings.simplefilter("always")
        for kind in (ScheduledLoss, ParametricLoss):
            start_epoch = kind.start_epoch
            patch.setattr(kind, "start_epoch", lambda self, at, do=start_epoch: (told.append(at), do(self, at))[1])
        add = Loss.add_start_bias
        patch.setattr(Loss, "add_start_bias", lambda self, bias: (given.append(bias), add(self, bias))[1])
        exec(compile(code, "recipe", "exec"), namespace)
    model, last = namespace["model"], [each for each in map(namespace.get, ("criterion", "model")) if each is not None]
    stages = [each for part in last for each in part.modules() if isinstance(each, ScheduledLoss)]
    numbers = [value.detach().clone() for value in model.parameters()]
    return Ran(
        numbers,
        namespace["epochs"],
        told,
        [any(bias is each for each in model.parameters()) for bias in given],
        stages[0].stages.index((stages[0].starts[stages[0].stage], stages[0].current)) if stages else 0,
        [str(word.message) for word in words],
        namespace.get("probabilities"),
    )


def runs(cases: list[tuple[str, Loss]], place: Path) -> list[Ran]:
    return [run(code, loss, place) for code, loss in cases]


def launched(cases: list[tuple[str, Loss]], place: Path) -> list[Ran]:
    """In several processes, which find each other once: the launcher's store has their addresses for one group."""
    import torch.distributed as dist

    dist.init_process_group("gloo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dist, "init_process_group", lambda backend: None)
        patch.setattr(dist, "destroy_process_group", lambda: None)
        found = runs(cases, place)
    dist.destroy_process_group()
    return found


def cases(page: str) -> dict[str, tuple[str, Loss]]:
    """Scripts and losses: cross-entropy, ours without and with an effect, with a schedule told and untold."""
    code, classes = script(page), CLASSES[page]
    plain = ParametricLoss(classes)
    rare = torch.linspace(1, 0.1, classes)
    loss = ParametricLoss(classes, l=rare.log(), w=1 / rare, margin=0.1 * rare, start_bias=0.1 * rare)
    late = ScheduledLoss([(0.0, plain), (0.5, loss)])
    return {
        "was": (as_it_was(code), plain),
        "plain": (code, plain),
        "short": (without(code, SCHEDULE, START), plain),
        "loss": (code, loss),
        "told": (code, late),
        "untold": (without(code, SCHEDULE), late),
    }


@cache
def outcome(page: str, place: Path) -> dict[str, Ran]:
    named = cases(page)
    given = list(named.values())
    found = fresh.under_torchrun(launched, given, place)[0].value if page in LAUNCHED else runs(given, place)
    return dict(zip(named, found, strict=True))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("recipes")


@pytest.fixture(params=CLASSES)
def ran(request, place):
    return outcome(request.param, place)


@pytest.mark.parametrize("page", CLASSES)
def test_one_or_two_lines_differ(page):
    code = script(page)
    assert 1 <= len(re.findall(r"# (?:was: .+|new)$", code, re.M)) <= 2
    assert "autobalance.load_loss" not in as_it_was(code) and "criterion.s" not in as_it_was(code)


def test_a_loss_without_effects_trains_as_cross_entropy_does(ran):
    for other in ("plain", "short"):
        torch.testing.assert_close(ran[other].numbers, ran["was"].numbers)


def test_a_loss_with_effects_trains_another_model(ran):
    assert all(value.isfinite().all() for value in ran["loss"].numbers)
    assert any(not torch.allclose(*pair) for pair in zip(ran["loss"].numbers, ran["was"].numbers, strict=True))
    assert ran["loss"].started == [True] and not ran["short"].started


def test_a_schedule_is_told_every_epoch_or_complains(ran):
    epochs = ran["told"].epochs
    assert sorted(set(ran["told"].told)) == pytest.approx([epoch / epochs for epoch in range(epochs)])
    assert ran["told"].stage == 1
    assert not any("last stage" in word for word in ran["told"].words)
    assert any("last stage until it is told the epoch" in word for word in ran["untold"].words)


def test_two_processes_take_the_steps_of_one_with_batches_twice_as_large(place):
    alone = {
        'init_process_group("gloo")': 'init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)',
        "batch_size=32": "batch_size=64",
    }
    code, loss = cases("distributed")["loss"]
    for two, one in alone.items():
        assert two in code
        code = code.replace(two, one)
    torch.testing.assert_close(outcome("distributed", place)["loss"].numbers, run(code, loss, place).numbers)


def test_skorch_predicts_probabilities(place):
    found = outcome("skorch", place)["loss"].probabilities
    assert found.min() >= 0 and found.sum(1) == pytest.approx(1, abs=1e-5)


def test_tokens_of_several_batches_are_counted_together(tmp_path):
    """What the page of Hugging Face's trainer says of tokens: batches of a step differ in how many have labels."""
    from transformers import BertConfig, BertForTokenClassification, Trainer, TrainingArguments

    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(1, 50, (48, 12), generator=generator)
    labels = torch.bucketize(tokens, torch.tensor([40, 46]))
    padding = torch.arange(12) >= torch.randint(2, 13, (48, 1), generator=generator)
    tokens, labels = tokens.masked_fill(padding, 0), labels.masked_fill(padding, -100)
    data = [{"input_ids": row, "labels": own} for row, own in zip(tokens, labels, strict=True)]
    loss = autobalance.fixed_point("vs", class_counts=labels[labels != -100].bincount())
    size = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    no_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    found = []
    for batch, batches in ((24, 1), (6, 4)):
        torch.manual_seed(0)
        model = BertForTokenClassification(BertConfig(vocab_size=50, num_labels=3, **size, **no_dropout))
        arguments = TrainingArguments(
            str(tmp_path),
            max_steps=3,
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=batches,
            learning_rate=1e-3,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        Trainer(
            model,
            arguments,
            train_dataset=data,
            compute_loss_func=lambda outputs, labels, **more: loss(outputs.logits.transpose(1, 2), labels, **more),
        ).train()
        found.append([value.detach() for value in model.parameters()])
    torch.testing.assert_close(*found)
