"""A layer behind any layer of a model: feature-distribution smoothing, or a normalisation to compare it with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from autobalance.common import InputError
from autobalance.common.density import bin_index, check_edges
from autobalance.models._evaluating import evaluating
from autobalance.models._fds import FDS

#: Names of the place before the first layer, and of the one behind the body of a `FeatureModel`.
INPUT, LAST = "input", "last"


class Calibrated(nn.Module):
    """A model with a further layer behind one of its layers, called and evaluated like the model.

    An `FDS` layer collects its statistics from the features that it calibrates, in training; `train` and the search
    show it the targets of each batch (`see`) and tell it that an epoch is over (`end_epoch`). Of features (B, D, ...),
    such as a convolution's, it takes each place for a sample, as batch norm does. Other layers are given the features
    as they are.

    Args:
        model: the network.
        place: a layer's name as in ``model.named_modules()``, for example ``body.2``; or ``input``; or ``last``, the
            features that the head of a `FeatureModel` is given.
        make_layer: builds the layer from the number of features D.
        sample: an input of one or more samples, by which D is found.
        bin_edges: of the target's bins, (K + 1,).

    Raises:
        InputError (a ValueError): no layer of that name, or one that does not give (B, D) or (B, D, ...).
    """

    def __init__(
        self, model: nn.Module, place: str, make_layer: Callable[[int], nn.Module], sample: Tensor, bin_edges: Any
    ) -> None:
        super().__init__()
        names = [name for name, _ in model.named_modules() if name]
        place = "body" if place == LAST and "body" in names else place
        if place != INPUT and place not in names:
            where = "; name the one that makes the features (load_fds takes `layer`)" if place == LAST else ""
            raise InputError(f"the model has no layer {place!r}: it has {INPUT}, {', '.join(names)}{where}")
        self.model, self.place = model, place
        self._edges, self._bins = check_edges(bin_edges), torch.empty(0, dtype=torch.int64)
        self._strength: Tensor | None = None
        self.layer: nn.Module = nn.Identity()
        features = _features(model, place, sample)
        if features.dim() < 2:
            raise InputError(f"the layer {place!r} gives {tuple(features.shape)}, no features (B, D) or (B, D, ...)")
        self.layer = make_layer(features.shape[1])

    def see(self, targets: Tensor, strength: Tensor | None = None) -> None:
        """Notes the targets of the batch that the model is called on next, and a strength instead of the layer's own,
        in which the output is then differentiable."""
        self._bins, self._strength = bin_index(targets, self._edges), strength

    def end_epoch(self) -> None:
        """Lets an `FDS` layer smooth what it has collected."""
        if isinstance(self.layer, FDS):
            self.layer.end_epoch()

    def forward(self, x: Tensor) -> Any:
        if self.place == INPUT:
            return self.model(self._act(x))
        hook = self.model.get_submodule(self.place).register_forward_hook(lambda module, given, out: self._act(out))
        try:
            return self.model(x)
        finally:
            hook.remove()

    def _act(self, features: Tensor) -> Tensor:
        if not isinstance(self.layer, FDS):
            return self.layer(features)
        if not self.layer.training:
            return features
        if len(self._bins) != len(features):
            raise ValueError(
                f"{len(self._bins)} targets were seen for {len(features)} samples: call see(targets) before the model"
            )
        last = features.movedim(1, -1)
        rows = last.reshape(-1, features.shape[1])
        bins = self._bins.repeat_interleave(len(rows) // len(features))
        self.layer.update(rows, bins)
        return self.layer(rows, bins, self._strength).view(last.shape).movedim(-1, 1)


@torch.no_grad()
def _features(model: nn.Module, place: str, sample: Tensor) -> Tensor:
    """What the layer gives for ``sample``, in evaluation mode; the mode of each layer is as before afterwards."""
    if place == INPUT:
        return sample
    found: list[Tensor] = []
    hook = model.get_submodule(place).register_forward_hook(lambda module, given, out: found.append(out))
    try:
        with evaluating(model):
            model(sample)
    finally:
        hook.remove()
    return found[0]
