"""The counts of training samples that losses are built from, checked; and what several losses make of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.common.density import bin_index, check_edges, make_bin_edges

Numbers = Tensor | Sequence[float]
#: Counts in the order of the classes, or by class: a dict, a ``Counter``, or a pandas ``Series``.
ClassCounts = Numbers | Mapping[Any, float]


def check_classes(counts: ClassCounts, names: Sequence[str] | None = None) -> Tensor:
    """``counts`` of the classes, (K,), in float64.

    Args:
        counts: by class they can be in any order; classes are 0..K-1, or those that ``names`` has.
        names: of the classes, in their order.

    Raises:
        InputError: another shape, or a class without samples.
    """
    classes = _numbers(_in_order(counts, names), "class_counts must be one count of at least 1 a class")
    if classes.dim() != 1 or not torch.isfinite(classes).all() or not len(classes) or (classes < 1).any():
        raise InputError(f"class_counts must be one count of at least 1 a class, got {classes.tolist()}")
    if len(classes) == 1:
        raise InputError(f"class_counts {classes.tolist()} are of one class: there is nothing to tell apart")
    return _whole(classes, "class_counts")


def _in_order(counts: Any, names: Sequence[str] | None) -> Any:
    """Counts by class in the order of the classes; others as they are.

    Raises:
        InputError: the classes are neither 0..K-1 nor those of ``names``.
    """
    if hasattr(counts, "index") and hasattr(counts, "to_dict"):
        counts = counts.to_dict()
    if not isinstance(counts, Mapping):
        return counts
    known = list(names) if names is not None and set(names) == counts.keys() else list(range(len(counts)))
    if missing := [name for name in known if name not in counts]:
        told = ", ".join(map(str, list(counts)[:10]))
        raise InputError(
            f"class_counts has no class {missing[0]!r}, but {told}: number the classes from 0, or say their order by "
            "class_names"
        )
    return [counts[name] for name in known]


def _numbers(counts: Any, words: str) -> Tensor:
    """``counts`` in float64.

    Raises:
        InputError: they make no table of numbers; ``words`` say what they must be.
    """
    try:
        return torch.as_tensor(counts, dtype=torch.float64).detach().cpu()
    except (TypeError, ValueError, RuntimeError):
        raise InputError(f"{words}, got {counts!r:.80}") from None


def _whole(counts: Tensor, name: str) -> Tensor:
    """The counts themselves.

    Raises:
        InputError: one of them is no whole number.
    """
    if (fractions := counts[counts != counts.round()]).numel():
        raise InputError(f"{name} must be whole numbers of samples, got {fractions[0].item()}: give counts, not shares")
    return counts


def check_cells(
    counts: Tensor | Sequence[Sequence[int]],
    class_names: Sequence[str] | None = None,
    group_names: Sequence[str] | None = None,
) -> Tensor:
    """``counts`` of the cells, a class in a group each, (K, G), in float64.

    Raises:
        InputError: another shape, or a cell without samples; it names the first.
    """
    cells = _numbers(counts, "cell_counts must be a count for each class in each group, (K, G)")
    if cells.dim() != 2 or not torch.isfinite(cells).all():
        raise InputError(f"cell_counts must be a count for each class in each group, (K, G), got {cells.tolist()}")
    if (cells < 1).any():
        k, g = (cells < 1).nonzero()[0].tolist()
        name = f"class {class_names[k] if class_names else k!r} of group {group_names[g] if group_names else g!r}"
        raise InputError(f"{name} has {cells[k, g].item():g} training samples: every class needs some in every group; "
                         "collect more, or merge or drop the class or the group")  # fmt: skip
    if len(cells) < 2:
        raise InputError(f"cell_counts {cells.tolist()} are of one class: there is nothing to tell apart")
    return _whole(cells, "cell_counts")


def check_bins(
    bin_counts: Numbers | None = None, targets: Numbers | None = None, bin_edges: Numbers | None = None
) -> tuple[Tensor, Tensor]:
    """Counts, (K,), and edges, (K + 1,), of the bins of a target, both in float64.

    Args:
        bin_counts: training samples of each bin, (K,); or
        targets: the training targets themselves, (N,).
        bin_edges: (K + 1,); by default those of `make_bin_edges` for ``targets``, and 0, 1, ..., K for ``bin_counts``,
            as for ages in years.

    Raises:
        InputError: neither or both of counts and targets, or values that cannot be.
    """
    if (bin_counts is None) == (targets is None):
        raise InputError("a regression loss needs either bin_counts= or targets=, the training targets")
    if targets is not None:
        values = torch.as_tensor(targets).detach().cpu().double().flatten()
        edges = make_bin_edges(values) if bin_edges is None else check_edges(bin_edges)
        return torch.bincount(bin_index(values, edges), minlength=len(edges) - 1).double(), edges
    counts = _numbers(bin_counts, "bin_counts must be one count of at least 0 a bin")
    if counts.dim() != 1 or not torch.isfinite(counts).all() or (counts < 0).any() or not counts.sum() > 0:
        raise InputError(f"bin_counts must be one count of at least 0 a bin, not all 0, got {counts.tolist()}")
    _whole(counts, "bin_counts")
    edges = check_edges(torch.arange(len(counts) + 1) if bin_edges is None else bin_edges)
    if len(edges) != len(counts) + 1:
        raise InputError(f"{len(counts)} bin_counts need {len(counts) + 1} bin_edges, got {len(edges)}")
    return counts, edges


def log_prior(class_counts: Tensor) -> Tensor:
    """log π_k = log(n_k / N), shape (K,)."""
    return torch.log(class_counts / class_counts.sum())


def inverse_frequency(class_counts: Tensor) -> Tensor:
    """1 / n_k, scaled so that the weights sum to K, shape (K,)."""
    weight = 1 / class_counts
    return weight * (len(weight) / weight.sum())


def effective_number_weights(class_counts: Tensor, beta: float = 0.9999) -> Tensor:
    """(1 - β) / (1 - β^n_k), scaled so that they sum to K, shape (K,) (Cui et al. 2019, eq. 2 and section 4).

    Raises:
        InputError: β is not in [0, 1).
    """
    if not 0 <= beta < 1:
        raise InputError(f"beta is {beta}; it lies in [0, 1), 0.9999 for example")
    weight = (1 - beta) / (1 - beta**class_counts)
    return weight * (len(weight) / weight.sum())
