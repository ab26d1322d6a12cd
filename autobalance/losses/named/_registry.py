"""The named losses, in the order in which they were registered."""

from __future__ import annotations

from autobalance.common import InputError, nearest
from autobalance.losses.named._record import Index, NamedLoss

_LOSSES: dict[str, NamedLoss] = {}


def register(loss: NamedLoss) -> NamedLoss:
    """Makes a loss known by its name, to `fixed_point` as to the search, the comparison and the reports.

    Returns:
        the loss.

    Raises:
        InputError: a loss has that name already.
    """
    if loss.name in _LOSSES:
        raise InputError(
            f"a loss called {loss.name} is registered already; choose another name, or unregister it first"
        )
    _LOSSES[loss.name] = loss
    return loss


def unregister(name: str) -> None:
    """Forgets a loss.

    Raises:
        InputError: no loss is called so.
    """
    del _LOSSES[named_loss(name).name]


def named_loss(name: str) -> NamedLoss:
    """The loss of a name.

    Raises:
        InputError: no loss is called so.
    """
    if name not in _LOSSES:
        raise InputError(f"no fixed loss is called {name!r}; there are {', '.join(_LOSSES)}{nearest(name, _LOSSES)}")
    return _LOSSES[name]


def named_losses(index: Index | None = None) -> dict[str, NamedLoss]:
    """All losses by name, or those whose tables are indexed by ``index``."""
    return {name: loss for name, loss in _LOSSES.items() if index in (None, loss.index)}
