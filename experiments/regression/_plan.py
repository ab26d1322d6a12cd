"""The plan of an ablation: a method in parts, and what is taken out of it, put in its place or added. A YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from autobalance.common import InputError, import_function, read_yaml
from autobalance.common.density import KERNELS, REWEIGHTS
from experiments.regression._own import SIGNATURES

#: The parts of a method with what can stand in their place; the first means that there is nothing.
CHOICES: Mapping[str, tuple[str, ...]] = {
    "weight": ("none", "inv", "sqinv", "lds", "focal-r", "balanced-mse", "searched"),
    "layer": ("none", "fds", "batch-norm", "layer-norm", "instance-norm"),
    "data": ("none", "smote"),
    "stages": ("none", "rrt"),
}
METRICS = ("mae", "mse", "gm", "balanced_mae", "pearson", "spearman")
#: Metrics of which more is better, and those that there are over all samples alone.
HIGHER_IS_BETTER = ("pearson", "spearman")
ACTIONS = ("remove", "replace", "add")
_NUMBERS: Mapping[str, tuple[type, ...]] = {
    "ks": (int,),
    "sigma": (int, float),
    "fds_ks": (int,),
    "fds_sigma": (int, float),
    "noise_sigma": (int, float),
}


@dataclass(frozen=True)
class Parts:
    """A method in parts.

    Args:
        weight: how the samples are weighted, or what loss is trained with.
        layer, place: what is put behind which layer of the model: ``input``, ``last`` or a layer's name.
        data: what is added to the training samples.
            Each of these can be a component of one's own, ``package.module:function``, see `SIGNATURES`.
        stages: ``rrt`` trains the body unweighted and then the head anew with the weights.
        kernel, ks, sigma, reweight: of LDS.
        fds_kernel, fds_ks, fds_sigma: of FDS.
        error: what the weighted losses weight: ``l1``, ``mse`` or ``huber``.
        noise_sigma: of balanced MSE, in standard deviations of the target.
    """

    weight: str = "none"
    layer: str = "none"
    place: str = "last"
    data: str = "none"
    stages: str = "none"
    kernel: str = "gaussian"
    ks: int = 5
    sigma: float = 2.0
    reweight: str = "sqrt_inv"
    fds_kernel: str = "gaussian"
    fds_ks: int = 5
    fds_sigma: float = 2.0
    error: str = "l1"
    noise_sigma: float = 0.4

    @property
    def kind(self) -> Parts:
        """The method with LDS and FDS as they are by default: their settings share a learning rate."""
        return Parts(
            self.weight,
            self.layer,
            data=self.data,
            stages=self.stages,
            error=self.error,
            noise_sigma=self.noise_sigma,
        )


@dataclass(frozen=True)
class Plan:
    """What is compared: methods by name, the first being the whole method, and the metrics of the table."""

    methods: dict[str, Parts]
    metrics: tuple[str, ...]


def read_plan(path: Path) -> Plan:
    """Reads a plan.

    ``method`` holds the parts of the whole method. Each entry of ``ablations`` has a ``name`` and a ``part``, an
    ``action`` (``remove``, ``replace`` or ``add``) and, but for ``remove``, a ``replacement``; or several such
    ``changes``.

    Raises:
        InputError: the file cannot be read, or an entry of it cannot be; with its name.
    """
    content = read_yaml(path)
    if not isinstance(content, dict) or set(content) - {"method", "ablations", "metrics"}:
        raise InputError(f"{path} should hold method, ablations and metrics, and nothing else")
    metrics = tuple(content.get("metrics") or ("mae", "mse", "gm"))
    if unknown := [metric for metric in metrics if metric not in METRICS]:
        raise InputError(f"{path}: metric {unknown[0]!r} is none of {', '.join(METRICS)}")
    whole = Parts()
    for part, value in (content.get("method") or {}).items():
        whole = _with(whole, part, value, f"{path}: method")
    methods = {"full method": whole}
    for entry in content.get("ablations") or []:
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or name in methods:
            raise InputError(f"{path}: each ablation needs a name of its own, got {name!r}")
        method = whole
        for change in entry.get("changes") or [{key: value for key, value in entry.items() if key != "name"}]:
            method = _changed(method, change, f"{path}: {name}")
        methods[name] = method
    return Plan(methods, metrics)


def _changed(method: Parts, change: Any, where: str) -> Parts:
    if not isinstance(change, dict) or set(change) - {"part", "action", "replacement"} or "part" not in change:
        raise InputError(f"{where}: a change has a part, an action and a replacement, got {change}")
    part, action = change["part"], change.get("action")
    if action not in ACTIONS:
        raise InputError(f"{where}: action {action!r} is none of {', '.join(ACTIONS)}")
    if (action == "remove") == ("replacement" in change):
        raise InputError(f"{where}: {action} takes {'no' if action == 'remove' else 'a'} replacement")
    if action in ("remove", "add") and part not in CHOICES:
        raise InputError(f"{where}: {part!r} can only be replaced; {', '.join(CHOICES)} can be removed or added")
    if action == "add" and getattr(method, part) != "none":
        raise InputError(f"{where}: there is a {part} already, {getattr(method, part)}: replace it")
    if action == "remove" and getattr(method, part) == "none":
        raise InputError(f"{where}: there is no {part} to remove")
    return _with(method, part, change.get("replacement", "none"), where)


def _with(method: Parts, part: Any, value: Any, where: str) -> Parts:
    known = {field.name for field in fields(Parts)}
    if part not in known:
        raise InputError(f"{where}: there is no part {part!r}; there are {', '.join(sorted(known))}")
    texts = {
        **CHOICES,
        **{"kernel": KERNELS, "fds_kernel": KERNELS, "reweight": REWEIGHTS, "error": ("l1", "mse", "huber")},
    }
    own = part in SIGNATURES and isinstance(value, str) and ":" in value
    if part in texts and value not in texts[part] and not own:
        more = f", nor package.module:function, {SIGNATURES[part]}" if part in SIGNATURES else ""
        raise InputError(f"{where}: {part} {value!r} is none of {', '.join(texts[part])}{more}")
    if own:
        import_function(value)  # so that what cannot be imported is said now
    if part in _NUMBERS and (not isinstance(value, _NUMBERS[part]) or isinstance(value, bool)):
        raise InputError(f"{where}: {part} is {value!r}, not a number")
    if part == "place" and not isinstance(value, str):
        raise InputError(f"{where}: place is {value!r}, not the name of a layer")
    return replace(method, **{part: value})
