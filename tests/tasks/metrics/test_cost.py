"""Costs by a file against a sum by hand."""

import pytest
import torch
import torch.nn.functional as F

from autobalance.common import InputError
from autobalance.data import Batch
from autobalance.tasks.metrics import Context
from autobalance.tasks.objectives import make_objective

CONTEXT = Context(3, class_names=("well", "ill", "very ill"))
COSTS = [[0, 1, 2], [5, 0, 1.5], [20, 4, 0]]
PLAIN = "\n".join(",".join(map(str, row)) for row in COSTS)


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return f"cost({path})"


def test_rows_are_true_and_columns_predicted_classes(tmp_path):
    y, answer = torch.tensor([0, 0, 1, 2, 2]), torch.tensor([0, 2, 0, 2, 1])
    batch = Batch(torch.empty(0), y)
    objective = make_objective(write(tmp_path / "costs.csv", PLAIN), CONTEXT)
    by_hand = 0 + 2 + 5 + 0 + 4
    assert objective.metric(F.one_hot(answer, 3).double(), batch) == pytest.approx(100 * by_hand / 5)
    z = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    p = torch.softmax(z / 0.5, 1)
    expected = sum(p[i] @ torch.tensor(COSTS[k], dtype=torch.float64) for i, k in enumerate(y.tolist())) / 5
    assert objective.soft_confusion(z, batch, 0.5).item() == pytest.approx(expected.item())
    assert torch.autograd.gradcheck(lambda logits: objective(logits, batch), z)


def test_named_rows_and_columns_may_stand_in_any_order(tmp_path):
    named = ",very ill,well,ill\nill,1.5,5,0\n well,2,0,1\nvery ill,0,20,4\n"
    batch = Batch(torch.empty(0), torch.tensor([0, 1, 2, 2]))
    z = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    plain = make_objective(write(tmp_path / "plain.csv", PLAIN), CONTEXT)
    other = make_objective(write(tmp_path / "named.csv", named), CONTEXT)
    assert other(z, batch).item() == plain(z, batch).item()
    tabs = make_objective(write(tmp_path / "tabs.tsv", PLAIN.replace(",", "\t")), CONTEXT)
    assert tabs(z, batch).item() == plain(z, batch).item()


@pytest.mark.parametrize(
    "text, words",
    [
        ("0,1\n1,0\n", "has 2 rows and 2 columns; 3 classes need 3 of each, or 4 with their names"),
        ("0,1,2\n1,0\n1,1,1\n", "has 3 rows and 2 or 3 columns"),
        ("", "has 0 rows and no columns"),
        ("0,1,2\n1,0,much\n1,1,1\n", "'much' is no number"),
        ("0,1,2\n1,0,nan\n1,1,1\n", "'nan' is no number"),
        (",well,ill,dead\nwell,0,1,1\nill,1,0,1\ndead,1,1,0\n", "there is no class 'dead'; the classes are well, ill"),
        (",well,ill,ill\nwell,0,1,1\nill,1,0,1\nill,1,1,0\n", "the class 'very ill' is missing"),
    ],
)
def test_files_that_cannot_be_are_refused(tmp_path, text, words):
    with pytest.raises(InputError, match=words):
        make_objective(write(tmp_path / "costs.csv", text), CONTEXT)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        make_objective(f"cost({tmp_path / 'nothing.csv'})", CONTEXT)
