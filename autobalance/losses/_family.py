"""The family of losses: weight, additive and multiplicative logit adjustment, margin, scale and focusing.

For logits ``z`` of one sample with target class ``y``

    u_j  = s Δ_j z_j + l_j - s m_y [j = y]
    loss = w_y (1 - p_y)^γ (-log p_y),    p = softmax(u)

Sources: w, l, Δ: Li et al. 2021 (AutoBalance), eq. 2.1 and 2.2, with groups eq. 4.2; m, s: Cao et al. 2019 (LDAM),
eq. 13; γ: Lin et al. 2017 (focal loss), eq. 4.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

REDUCTIONS = ("mean", "batch_mean", "sum", "none")

#: Each parameter of the family with the value at which it has no effect. All but the last two are tables over classes.
IDENTITY: Mapping[str, float] = {"w": 1.0, "l": 0.0, "delta": 1.0, "margin": 0.0, "scale": 1.0, "gamma": 0.0}
TABLES = ("w", "l", "delta", "margin")


def _of_target(table: Tensor, target: Tensor, group: Tensor | None) -> Tensor:
    """The entry of each sample's target (and group): shape (B,)."""
    return table[target] if table.dim() == 1 else table[target, group]


def _of_logits(table: Tensor, group: Tensor | None) -> Tensor:
    """The entries of all classes for each sample: (K,) without groups, (B, K) with them."""
    return table if table.dim() == 1 else table.t()[group]


def adjusted_logits(
    logits: Tensor, target: Tensor, parameters: Mapping[str, Tensor], group: Tensor | None = None
) -> Tensor:
    """u = s Δ z + l - s m_y [j = y], shape (B, K). Parameters that are absent have no effect."""
    scale, multiplier = parameters.get("scale"), parameters.get("delta")
    if multiplier is not None:
        multiplier = _of_logits(multiplier, group)
    if scale is not None:
        multiplier = scale if multiplier is None else scale * multiplier
    offset = parameters.get("l")
    if offset is not None:
        offset = _of_logits(offset, group)
    if multiplier is not None:
        logits = logits * multiplier if offset is None else torch.addcmul(offset, logits, multiplier)
    elif offset is not None:
        logits = logits + offset
    margin = parameters.get("margin")
    if margin is not None:
        shift = _of_target(margin, target, group)
        if scale is not None:
            shift = scale * shift
        logits = logits.scatter_add(1, target[:, None], -shift[:, None].to(logits.dtype))
    return logits


def reduce(losses: Tensor, weights: Tensor | None, reduction: str) -> Tensor:
    """Reduces per-sample ``losses`` (B,) that already carry their ``weights`` (B,).

    ``mean``: sum of the losses over the sum of the weights, as torch's weighted cross-entropy; ``batch_mean``: over B;
    ``sum``; ``none``.
    """
    if reduction == "none":
        return losses
    total = losses.sum()
    if reduction == "sum":
        return total
    return total / (losses.numel() if reduction == "batch_mean" or weights is None else weights.sum())


def parametric_loss(
    logits: Tensor,
    target: Tensor,
    parameters: Mapping[str, Tensor],
    group: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The family as a function, differentiable (any number of times) in the logits and in every parameter.

    Args:
        logits: (B, K). Half-precision logits are taken to float32 first.
        target: (B,), int64, values 0..K-1.
        parameters: any of ``w``, ``l``, ``delta``, ``margin``, each (K,) or (K, G), and the scalars ``scale``, ``gamma``.
        group: (B,), int64, values 0..G-1; needed where a table is (K, G).
        reduction: see `reduce`.

    Returns:
        a scalar, or (B,) for ``reduction="none"``.
    """
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    losses = F.cross_entropy(adjusted_logits(logits, target, parameters, group), target, reduction="none")
    gamma = parameters.get("gamma")
    if gamma is not None:
        # 1 - p without cancellation; the floor keeps the power differentiable where p rounds to one.
        miss = (-torch.expm1(-losses)).clamp_min(torch.finfo(losses.dtype).tiny)
        losses = miss**gamma * losses
    weights = None
    if (w := parameters.get("w")) is not None:
        weights = _of_target(w, target, group).to(losses.dtype)
        losses = weights * losses
    return reduce(losses, weights, reduction)


class ParametricLoss(nn.Module):
    """A member of the family with its parameters held as buffers; called like ``nn.CrossEntropyLoss``.

    Args:
        num_classes: K.
        w, l, delta, margin: numbers a class, (K,), or a class and group, (K, G). None: no effect.
        scale, gamma: numbers.
        reduction: ``mean`` (sum of w_y * loss over the sum of w_y, as torch), ``batch_mean``, ``sum`` or ``none``.
        class_names, group_names: for people; saved with the loss.
        dtype: of the buffers; torch's default where None.

    Example:
        >>> loss = ParametricLoss(2, l=[0.0, 1.0])
        >>> z, y = torch.tensor([[0.3, -1.2]]), torch.tensor([1])
        >>> torch.allclose(loss(z, y), torch.log1p((z[0, 0] - z[0, 1] - 1).exp()))
        True
    """

    def __init__(
        self,
        num_classes: int,
        *,
        w: Tensor | list | None = None,
        l: Tensor | list | None = None,  # noqa: E741 - the published symbol
        delta: Tensor | list | None = None,
        margin: Tensor | list | None = None,
        scale: float = 1.0,
        gamma: float = 0.0,
        reduction: str = "mean",
        class_names: tuple[str, ...] | list[str] | None = None,
        group_names: tuple[str, ...] | list[str] | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction is {reduction!r}; choose one of {', '.join(REDUCTIONS)}")
        self.num_classes, self.reduction = num_classes, reduction
        self.num_groups = 0
        for name, value in {"w": w, "l": l, "delta": delta, "margin": margin}.items():
            if value is None:
                table = torch.full((num_classes,), IDENTITY[name], dtype=dtype)
            else:
                table = torch.as_tensor(value, dtype=dtype or torch.get_default_dtype()).detach().clone()
            self._check_table(name, table)
            self.register_buffer(name, table)
        for name, number in {"scale": scale, "gamma": gamma}.items():
            self.register_buffer(name, torch.as_tensor(float(number), dtype=dtype or torch.get_default_dtype()))
        self.class_names = self._check_names("class", class_names, num_classes)
        self.group_names = self._check_names("group", group_names, self.num_groups)
        self._check_values()

    def _check_table(self, name: str, table: Tensor) -> None:
        if table.dim() not in (1, 2) or len(table) != self.num_classes:
            raise ValueError(f"{name} has shape {tuple(table.shape)}; a loss over {self.num_classes} classes needs "
                             f"({self.num_classes},) or ({self.num_classes}, number of groups)")  # fmt: skip
        groups = table.shape[1] if table.dim() == 2 else 0
        if groups and self.num_groups and groups != self.num_groups:
            raise ValueError(f"{name} has {groups} groups, an earlier parameter has {self.num_groups}")
        self.num_groups = self.num_groups or groups

    @staticmethod
    def _check_names(kind: str, names: tuple[str, ...] | list[str] | None, number: int) -> tuple[str, ...] | None:
        if names is not None and len(names) != number:
            raise ValueError(f"{len(names)} {kind} names for {number} {'classes' if kind == 'class' else 'groups'}")
        return None if names is None else tuple(names)

    def _check_values(self) -> None:
        """Refuses NaN and infinity, and notes which parameters have an effect, so that the others cost nothing."""
        for name in IDENTITY:
            value = getattr(self, name)
            if not torch.isfinite(value).all():
                raise ValueError(f"{name} is not finite: {value.tolist()}")
        if (self.w < 0).any():
            raise ValueError(f"w has a negative weight: {self.w.tolist()}")
        if self.gamma < 0:
            raise ValueError(f"gamma is {self.gamma.item()}; the focusing exponent is at least 0")
        self._active = tuple(name for name, at in IDENTITY.items() if (getattr(self, name) != at).any())

    def _load_from_state_dict(self, *args: object, **kwargs: object) -> None:
        super()._load_from_state_dict(*args, **kwargs)  # type: ignore[arg-type]
        self._check_values()

    @property
    def parameters_in_effect(self) -> dict[str, Tensor]:
        """The parameters that differ from their identity, by name."""
        return {name: getattr(self, name) for name in self._active}

    def forward(self, logits: Tensor, target: Tensor, group: Tensor | None = None) -> Tensor:
        """The loss of ``logits`` (B, K) for ``target`` (B,), with ``group`` (B,) where the loss has groups.

        Raises:
            ValueError: logits of another width, targets or groups out of range, a group missing. The ranges are
                checked on the CPU only: on an accelerator the check would wait for the device, whose own kernels
                refuse such an index.
        """
        check_call(logits, target, group, self.num_classes, self.num_groups)
        return parametric_loss(logits, target, self.parameters_in_effect, group, self.reduction)

    def extra_repr(self) -> str:
        shown = ", ".join(self._active) or "plain cross-entropy"
        return f"{self.num_classes} classes, {shown}, reduction={self.reduction!r}"


def check_call(logits: Tensor, target: Tensor, group: Tensor | None, num_classes: int, num_groups: int = 0) -> None:
    """Raises the ValueErrors of a loss call that cannot be right; shared by all losses of the package."""
    if logits.dim() != 2 or logits.shape[1] != num_classes:
        raise ValueError(f"logits have shape {tuple(logits.shape)}, the loss has {num_classes} classes: "
                         f"it needs (batch, {num_classes})")  # fmt: skip
    if target.shape != logits.shape[:1]:
        raise ValueError(f"target has shape {tuple(target.shape)}, logits have {logits.shape[0]} rows")
    if target.dtype != torch.int64:
        raise ValueError(f"target has dtype {target.dtype}; class indices are torch.int64")
    _check_range("target", target, num_classes, "classes")
    if num_groups:
        if group is None:
            raise ValueError(f"the loss has {num_groups} groups: call loss(logits, target, group=...)")
        if group.shape != target.shape:
            raise ValueError(f"group has shape {tuple(group.shape)}, target has {tuple(target.shape)}")
        _check_range("group", group, num_groups, "groups")


def _check_range(name: str, index: Tensor, number: int, unit: str) -> None:
    if index.device.type == "cpu" and index.numel() and not (0 <= int(index.min()) and int(index.max()) < number):
        bad = index[(index < 0) | (index >= number)][0].item()
        raise ValueError(f"{name} {bad} is out of range: the loss has {number} {unit}, 0 to {number - 1}")
