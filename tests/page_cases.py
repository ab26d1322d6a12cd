"""How the blocks of code of the documentation are run: what each finds, and with what they are made quick.

A page of the site that begins with data of its own needs nothing. The others speak of "your" model and samples, and for
each of their Python blocks there is code that makes these, on a small scale.
"""

from __future__ import annotations

import re
import shlex
from contextlib import chdir
from pathlib import Path
from typing import Any, NamedTuple

from autobalance.cli import main

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
#: Pages whose blocks run one after the other, as a reader would.
WHOLE = [DOCS / "tutorial.md", *sorted(DOCS.glob("how-to/*.md")), *sorted(DOCS.glob("explanation/*.md"))]
#: What commands get so that they take seconds.
SHORT = {
    "search": ["--epochs", "2", "--seeds", "1", "--strategy", "prediction", "--budget", "2"],
    "compare": ["--epochs", "2", "--seeds", "1", "--workers", "1"],
    "predict": [],
}


class Block(NamedTuple):
    """A fenced block, and its language; "" for commands."""

    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    return [Block(*each) for each in found]


def run_whole(page: Path, place: Path) -> list[str]:
    """Runs all blocks of a page in a directory.

    Commands are shortened by `SHORT`; a block of YAML whose first line is a comment is the file that it names.

    Returns:
        the commands, as they were run; those of other programs, in blocks of the language ``console``, are not.
    """
    names: dict[str, Any] = {"__name__": page.stem}
    commands = []
    with chdir(place):
        for language, text in blocks(page):
            if language == "python":
                exec(compile(text, str(page), "exec"), names)
            elif language == "yaml":
                Path(re.fullmatch(r"# (\S+)", text.splitlines()[0])[1]).write_text(text, encoding="utf-8")
            elif language == "":
                for line in re.sub(r"\\\n", " ", text).splitlines():
                    words = shlex.split(line, comments=True)
                    assert words[0] == "autobalance", line
                    short = [] if "--resume" in words else SHORT[words[1]]
                    commands.append(shlex.join([*words[1:], *short]))
                    assert main([*words[1:], *short]) == 0, line
            else:
                assert language == "console", language
    return commands


def run_with_stand_ins(page: str, place: str) -> list[str]:
    """Runs the Python blocks of a page of `BEFORE` in a directory of its own.

    Returns:
        the names that the page has then.
    """
    names: dict[str, Any] = {"__name__": "page"}
    exec(COMMON, names)
    texts = [text for language, text in blocks(ROOT / page) if language == "python"]
    assert all(any(phrase in text for text in texts) for phrase in BEFORE[page]), page
    folder = Path(place, page.replace("/", "-"))
    folder.mkdir()
    with chdir(folder):
        for text in texts:
            for phrase in [phrase for phrase in BEFORE[page] if phrase in text]:
                exec(BEFORE[page][phrase], names)
            try:
                exec(compile(text, page, "exec"), names)
            except Exception as error:
                raise AssertionError(f"{page}: {type(error).__name__}: {error}\n{text}") from error
    return list(names)


#: What every page below finds.
COMMON = """
import numpy as np
import torch
import autobalance
from autobalance import Recipe
from autobalance.models import make_model

generator = torch.Generator().manual_seed(0)
x_train, x_val, x_test = (torch.randn(n, 4, generator=generator) for n in (60, 30, 30))
y_train, y_val, y_test = (torch.arange(len(x)) % 3 for x in (x_train, x_val, x_test))
group_train, group_val, group_test = (torch.arange(len(x)) // 3 % 2 for x in (x_train, x_val, x_test))
logits, target, group = torch.randn(12, 3, generator=generator), y_train[:12], group_train[:12]
model = make_model("linear", (4,), 3)
few, n = Recipe(epochs=2, batch_size=20), [30, 20, 10]
"""
#: A short search in place of one with the defaults.
QUICK = """
import functools
some = Recipe(epochs=8, batch_size=10)
autobalance.search_loss = functools.partial(autobalance.search_loss, recipe=some)
"""
SAVED = """
autobalance.save_loss(autobalance.fixed_point("la", class_counts=[30, 20, 10]), "loss.json")
import pathlib, shutil
pathlib.Path("runs/digits").mkdir(parents=True, exist_ok=True)
shutil.copy("loss.json", "runs/digits/loss.json")
"""
NUMBERS = """
y_train, y_val = (x[:, 0] + 3 for x in (x_train, x_val))
model = make_model("mlp", (4,), 1)
"""
DIABETES = """
import pathlib
from autobalance.models import Smoothing
place = pathlib.Path("runs/diabetes")
place.mkdir(parents=True)
edges = torch.linspace(float(y_train.min()), float(y_train.max()), 6).tolist()
autobalance.save_loss(autobalance.fixed_point("sqinv", targets=y_train, bin_edges=edges), place / "loss.json")
Smoothing("last", tuple(edges)).save(place / "fds.json")
prediction, target, bin_counts = torch.randn(9), y_train[:9], [5, 30, 2]
"""
TABLE = """
import pandas as pd
import autobalance.cli._run
from autobalance.cli import main
autobalance.cli._run.write_report = lambda directory: None
frame = pd.DataFrame(x_train.numpy(), columns=list("abcd")).assign(label=["p", "q", "q"] * 20)
frame.to_csv("table.csv", index=False)
new_table = frame.drop(columns="label")
quick = "--epochs 2 --seeds 1 --strategy prediction --budget 2 --model linear --out runs/table"
assert main(["search", "--data", "table.csv", "--target", "label", *quick.split()]) == 0
"""
IMAGES = """
import pathlib
from autobalance.data.augmentation import Policy, save_augmentation
pathlib.Path("runs/images").mkdir(parents=True)
tables = {"shift": [0.1] * 3, "mix": [0.2] * 3}
save_augmentation(Policy("image", tables, tables), "runs/images/augmentation.json")
x, y = torch.rand(6, 3, 8, 8), torch.arange(6) % 3
"""
INNER = """
from autobalance.hypergradients import SGD, Inner, Replay
from autobalance.data import Batch
def train_loss(hyper, logits, batch):
    return torch.nn.functional.cross_entropy(logits + hyper["l"], batch.y)
def objective(logits, batch):
    return torch.nn.functional.cross_entropy(logits, batch.y)
hyper = {"l": torch.zeros(3)}
batches, outer_batch = [Batch(x_train[i::5], y_train[i::5]) for i in range(5)], Batch(x_val, y_val)
"""
#: For pages whose Python blocks speak of the reader's own things: what stands before the block that holds a phrase.
BEFORE: dict[str, dict[str, str]] = {
    "README.md": {
        "load_model(": TABLE,
        "pd.read_csv": "from functools import partial\nautobalance.AutoBalanceClassifier = partial("
        "autobalance.AutoBalanceClassifier, recipe=few, budget=2)",
        "load_loss(": SAVED,
        "add_start_bias": "model = make_model('linear', (4,), 3)",
    },
    "docs/augmentation.md": {
        "load_augmentation": IMAGES,
        "v2.Compose": "mean, std = [0.5] * 3, [0.2] * 3\nimage, label = x[0], 1",
    },
    "docs/comparing.md": {"Halve()": "class Halve(torch.nn.Module):\n    pass"},
    "docs/data.md": {},
    "docs/fairness.md": {
        "group-la": "logits, target = torch.randn(12, 2), y_train[:12] % 2",
        "search_loss(": QUICK + "logits, target = torch.randn(12, 3), y_train[:12]",
        "fairness_report(": "predictions, class_names, group_names = logits.argmax(1), ['x', 'y', 'z'], ['a', 'b']",
    },
    "docs/hypergradients.md": {"inner = Inner(": INNER},
    "docs/losses.md": {
        "load_loss(": SAVED + "shares = torch.softmax(torch.randn(12, 3), 1)",
        "start_epoch(": "epochs, batches = 2, [(x_train, y_train)]",
    },
    "docs/objectives.md": {},
    "docs/regression.md": {
        "search_loss(": NUMBERS + QUICK,
        "targets=y_train": DIABETES,
        "load_fds(": "epochs, batches = 2, [(x_train, y_train)]",
        "import resreg": "import sys, types\nsys.modules['resreg'] = types.ModuleType('resreg')",
    },
    "docs/search.md": {
        "search_loss(": QUICK + "train_set, validation_set = (x_train, y_train), (x_val, y_val)",
    },
}
