"""The user's own data and model: a function in an importable module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from autobalance.common import ForeignError, InputError, check_arguments, described, foreign, import_function, nearest
from autobalance.common.density import check_edges
from autobalance.data._assemble import Found, assemble
from autobalance.data._options import DataOptions
from autobalance.data._parts import check_given, check_names, num_groups
from autobalance.data._problem import Problem
from autobalance.data._samples import Samples
from autobalance.data._source import Source
from autobalance.data.intake import to_given

_KEYS = ("train", "val", "test", "model", "class_names", "group_names")
_REGRESSION_KEYS = _KEYS[:-2]


def load_user(source: str, options: DataOptions) -> Problem:
    """Call ``package.module:function`` without arguments and make a problem of what it returns.

    The function returns a ``Problem``, or a dict with "train", "test" and maybe "val", each (x, y) or (x, y, group) of
    arrays or tensors, or a torch ``Dataset`` of such items; maybe "model", a function that builds a fresh
    ``nn.Module``; and maybe "class_names" and "group_names". Float inputs are left as they are, bytes are standardised.
    For a regression y holds numbers, and there are no groups and no class names. For a long tail let the function thin
    out its samples, `long_tail_counts` helps.
    A model is built once, on the side, to see that it maps the samples to K logits, or to one number.

    Raises:
        InputError: the function cannot be imported, or what it returns cannot be used.
    """
    function = import_function(source)
    check_arguments(source, function)
    with foreign(f"{source} fails"):
        returned = function()
    if isinstance(returned, Problem):
        options.refuse(["validation", "bins"], source)
        problem = _check_problem(source, returned, options)
    elif isinstance(returned, Mapping):
        problem = _from_dict(source, returned, options)
    else:
        raise InputError(f"{source} returns a {type(returned).__name__}: it must return a Problem or a dict")
    if problem.make_model is not None:
        _check_model(source, problem)
    return problem


def _from_dict(source: str, returned: Mapping[str, Any], options: DataOptions) -> Problem:
    keys = _REGRESSION_KEYS if options.regression else _KEYS
    for key in returned:
        if key not in keys:
            raise InputError(
                f"{source} returns the unknown key {key!r}: the keys are {', '.join(keys)}{nearest(key, keys)}"
            )
    for key in ("train", "test"):
        if key not in returned:
            raise InputError(f"{source} returns no {key!r}: it must return the {key} samples")
    given = {
        part: to_given(returned[part], part) for part in ("train", "val", "test") if returned.get(part) is not None
    }
    parts = check_given(given, options.regression)
    found = Found(
        source.partition(":")[2],
        parts["train"],
        parts["test"],
        parts.get("val"),
        returned.get("class_names"),
        returned.get("group_names"),
        returned.get("model"),
        standardise=False,
    )
    return assemble(found, options)


def _check_problem(source: str, problem: Problem, options: DataOptions) -> Problem:
    """The problem itself, once its tensors are known to be usable."""
    if options.regression != (problem.bin_edges is not None):
        has, needs = ("classes", "bin_edges") if options.regression else ("bin_edges", "`task` regression")
        raise InputError(f"the problem of {source} has {has}: it needs {needs}")
    dtype, what = (torch.float32, "float32 targets") if options.regression else (torch.int64, "int64 classes")
    parts = {"train": problem.train, "val": problem.validation, "test": problem.test}
    for part, samples in parts.items():
        if not isinstance(samples, Samples) or samples.y.dtype != dtype:
            raise InputError(f"the {part} part of the problem must be Samples with {what}")
    train = check_given({part: to_given(s, part) for part, s in parts.items()}, options.regression)["train"]
    if options.regression:
        check_edges(problem.bin_edges or ())
        check_names(problem.class_names, len(problem.bin_edges or ()) - 1)
        return problem
    check_names(problem.class_names, int(train.y.max()) + 1)
    if train.group is None and problem.group_names is None:
        return problem
    names = check_names(problem.group_names, num_groups(train), "group")
    return problem if names == problem.group_names else replace(problem, group_names=names)


def _check_model(source: str, problem: Problem) -> None:
    """Builds the model beside the global random state and runs two samples through it."""
    make_model = problem.make_model
    if isinstance(make_model, nn.Module) or not callable(make_model):
        raise InputError(
            f"the model of {source} must be a function that builds a fresh nn.Module, not a {make_model!r:.60}"
        )
    check_arguments(f"the model function of {source}", make_model)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        with foreign(f"the model function of {source} fails"):
            model = make_model()
        if not isinstance(model, nn.Module):
            raise InputError(f"the model function of {source} builds a {type(model).__name__}, not an nn.Module")
        try:
            logits = model.eval()(problem.train.first(2))
        except RuntimeError as error:
            shape, reason = problem.train.shape, " ".join(str(error).split())
            raise InputError(f"the model of {source} fails on samples of shape {shape}: {reason}") from error
        except (Exception, SystemExit) as error:
            raise ForeignError(f"the model of {source} fails: {described(error)}") from error
    wanted = (2, problem.num_outputs)
    one_number = problem.bin_edges is not None and isinstance(logits, Tensor) and logits.shape == (2,)
    if not one_number and (not isinstance(logits, Tensor) or logits.shape != wanted):
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        what = "logits" if problem.bin_edges is None else "numbers"
        raise InputError(f"the model of {source} maps two samples to {got}, not to {wanted} {what}")


USER = Source("function", "package.module:function", load_user, matches=lambda source, _: ":" in source)
