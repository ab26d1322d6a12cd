"""What the two kinds of loss file, classification and regression, hold beside what is common to both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch

from autobalance.common import Fault, check_count, check_number, check_strings
from autobalance.losses._base import Member
from autobalance.losses._binned import RegressionLoss
from autobalance.losses._family import IDENTITY, TABLES
from autobalance.losses._parametric import ParametricLoss
from autobalance.losses._regression import ERRORS, REGRESSION_DEFAULTS, REGRESSION_TABLES


class Kind(NamedTuple):
    """A kind of loss file.

    Args:
        keys, optional: keys of its own that the file must or may have.
        parameters: names of the parameters, all of which are written.
        tables: those that are lists.
        describe: the values of ``keys`` and ``optional`` for a loss.
        check: raises what is wrong with them.
        build: the loss of a file's content, parameters and number type.
    """

    keys: tuple[str, ...]
    optional: tuple[str, ...]
    parameters: Mapping[str, float]
    tables: tuple[str, ...]
    describe: Callable[[Any], dict[str, Any]]
    check: Callable[[dict[str, Any], Fault], None]
    build: Callable[[dict[str, Any], dict[str, Any], torch.dtype | None], Member]


def kind_of(loss: Member) -> str:
    """The ``task`` of a loss's file."""
    return "regression" if isinstance(loss, RegressionLoss) else "classification"


def _describe_classes(loss: ParametricLoss) -> dict[str, Any]:
    names = loss.class_names or tuple(str(k) for k in range(loss.num_classes))
    groups = {"group_names": list(loss.group_names)} if loss.group_names else {}
    return {"num_classes": loss.num_classes, "class_names": list(names), **groups}


def _check_classes(content: dict[str, Any], fault: Fault) -> None:
    check_count("num_classes", content["num_classes"], 2, fault)
    for key in ("class_names", "group_names"):
        if content.get(key) is not None:
            check_strings(key, content[key], fault)


def _build_classes(content: dict[str, Any], parameters: dict[str, Any], dtype: torch.dtype | None) -> Member:
    settings: dict[str, Any] = {key: content.get(key) for key in ("reduction", "class_names", "group_names")}
    return ParametricLoss(content["num_classes"], **parameters, **settings, dtype=dtype)


def _describe_bins(loss: RegressionLoss) -> dict[str, Any]:
    return {"error": loss.error, "bin_edges": loss.bin_edges.tolist()}


def _check_bins(content: dict[str, Any], fault: Fault) -> None:
    if content["error"] not in ERRORS:
        raise fault(f"error {content['error']!r} is none of {', '.join(ERRORS)}")
    if not isinstance(content["bin_edges"], list):
        raise fault("bin_edges is not a list of numbers")
    for number in content["bin_edges"]:
        check_number("bin_edges", number, fault)


def _build_bins(content: dict[str, Any], parameters: dict[str, Any], dtype: torch.dtype | None) -> Member:
    settings = {key: content[key] for key in ("error", "reduction")}
    return RegressionLoss(content["bin_edges"], **parameters, **settings, dtype=dtype)


KINDS: Mapping[str, Kind] = {
    "classification": Kind(
        ("num_classes", "class_names"),
        ("group_names",),
        IDENTITY,
        TABLES,
        _describe_classes,
        _check_classes,
        _build_classes,
    ),
    "regression": Kind(
        ("error", "bin_edges"),
        (),
        REGRESSION_DEFAULTS,
        REGRESSION_TABLES,
        _describe_bins,
        _check_bins,
        _build_bins,
    ),
}
