"""What the two kinds of loss file, classification and regression, hold beside what is common to both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch

from autobalance.common import Fault, check_count, check_number, check_strings, check_table
from autobalance.losses._binned import RegressionLoss
from autobalance.losses._member import Held
from autobalance.losses._parametric import ParametricLoss
from autobalance.losses._regression import ERRORS


class Kind(NamedTuple):
    """A kind of loss file.

    Args:
        loss: what it holds; all its parameters are written.
        keys, optional: keys of its own that the file must or may have.
        describe: the values of ``keys`` and ``optional`` for a loss.
        check: raises what is wrong with them.
    """

    loss: type[Held]
    keys: tuple[str, ...]
    optional: tuple[str, ...]
    describe: Callable[[Any], dict[str, Any]]
    check: Callable[[dict[str, Any], Fault], None]

    def build(self, content: dict[str, Any], parameters: dict[str, Any], dtype: torch.dtype | None) -> Held:
        """The loss of a file's content, with ``parameters``."""
        return self.loss(**{key: content.get(key) for key in self.loss.settings}, **parameters, dtype=dtype)


def _describe_classes(loss: ParametricLoss) -> dict[str, Any]:
    names = loss.class_names or tuple(str(k) for k in range(loss.num_classes))
    groups = {"group_names": list(loss.group_names)} if loss.group_names else {}
    bias = {} if loss.start_bias is None else {"start_bias": loss.start_bias.tolist()}
    return {"num_classes": loss.num_classes, "class_names": list(names), **groups, **bias}


def _check_classes(content: dict[str, Any], fault: Fault) -> None:
    check_count("num_classes", content["num_classes"], 2, fault)
    for key in ("class_names", "group_names"):
        if content.get(key) is not None:
            check_strings(key, content[key], fault)
    if content.get("start_bias") is not None:
        check_table("start_bias", content["start_bias"], fault)


def _describe_bins(loss: RegressionLoss) -> dict[str, Any]:
    return {"error": loss.error, "bin_edges": loss.bin_edges.tolist()}


def _check_bins(content: dict[str, Any], fault: Fault) -> None:
    if content["error"] not in ERRORS:
        raise fault(f"error {content['error']!r} is none of {', '.join(ERRORS)}")
    if not isinstance(content["bin_edges"], list):
        raise fault("bin_edges is not a list of numbers")
    for number in content["bin_edges"]:
        check_number("bin_edges", number, fault)


KINDS: Mapping[str, Kind] = {
    kind.loss.task: kind
    for kind in (
        Kind(
            ParametricLoss,
            ("num_classes", "class_names"),
            ("group_names", "start_bias"),
            _describe_classes,
            _check_classes,
        ),
        Kind(RegressionLoss, ("error", "bin_edges"), (), _describe_bins, _check_bins),
    )
}
