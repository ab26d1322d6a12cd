"""Reference models by name."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from autobalance.common import InputError, nearest
from autobalance.models._backbone import BACKBONE, backbone_body
from autobalance.models._base import CosineLinear, FeatureModel
from autobalance.models._bodies import cnn_body, linear_body, mlp_body
from autobalance.models._resnet import cifar_resnet_body, torchvision_body

_FOR_ANY = {"linear": linear_body, "mlp": mlp_body}
_CIFAR_DEPTH = {"resnet20": 20, "resnet32": 32}
_TORCHVISION = ("resnet18", "resnet50")


def model_names() -> tuple[str, ...]:
    """The names that ``make_model`` knows."""
    return (*_FOR_ANY, "cnn", *_CIFAR_DEPTH, *_TORCHVISION)


def default_model(sample_shape: Sequence[int]) -> str:
    """The name of the model that suits samples of this shape: "cnn" for images (C, H, W), otherwise "mlp"."""
    return "cnn" if len(sample_shape) == 3 else "mlp"


def make_model(
    name: str, sample_shape: Sequence[int], num_classes: int, *, head: str = "linear", shortcut: str | None = None
) -> FeatureModel:
    """Build a reference model. Its weights are drawn from torch's global generator, which the caller seeds.

    Args:
        name: "linear" (softmax regression); "mlp" (two hidden layers of 128); "cnn" (3 to 4 convolutions);
            "resnet20", "resnet32" (for CIFAR, He et al. 2016); "resnet18", "resnet50" (torchvision's, untrained);
            "torchvision/NAME", any of `backbone_names`, for `pretrained_weights`.
        sample_shape: (D,) for vectors or (C, H, W) for images. "linear" and "mlp" flatten images.
        num_classes: K, the width of the logits.
        head: "linear", or "cosine" for ``CosineLinear`` (LDAM's head, Cao et al. 2019).
        shortcut: of resnet20 and resnet32: "pad" (the default, option A) or "projection" (option B).

    Returns:
        A ``FeatureModel``: logits of shape (B, K), with ``return_features=True`` also its features.

    Raises:
        InputError: an unknown name, head or shortcut; an image model for vectors; a shortcut for a model without one.
    """
    if name.startswith(BACKBONE):
        body, width = backbone_body(name.removeprefix(BACKBONE))
        return FeatureModel(body, _make_head(head, width, num_classes))
    if name not in model_names():
        raise InputError(
            f"model {name!r} is unknown: choose one of {', '.join(model_names())}{nearest(name, model_names())}"
        )
    if shortcut is not None and name not in _CIFAR_DEPTH:
        raise InputError(f"a shortcut has no effect on the model {name}: it is for {' and '.join(_CIFAR_DEPTH)}")
    if name not in _FOR_ANY and len(sample_shape) != 3:
        raise InputError(
            f"the model {name} is for images (C, H, W), but the samples have shape {tuple(sample_shape)}: "
            f"choose {' or '.join(_FOR_ANY)}"
        )
    if name in _FOR_ANY:
        body, width = _FOR_ANY[name](sample_shape)
    elif name == "cnn":
        body, width = cnn_body(sample_shape)
    elif name in _CIFAR_DEPTH:
        body, width = cifar_resnet_body(_CIFAR_DEPTH[name], sample_shape[0], shortcut or "pad")
    else:
        body, width = torchvision_body(name, sample_shape[0])
    return FeatureModel(body, _make_head(head, width, num_classes))


def _make_head(kind: str, width: int, num_classes: int) -> nn.Module:
    if kind == "linear":
        return nn.Linear(width, num_classes)
    if kind == "cosine":
        return CosineLinear(width, num_classes)
    raise InputError(f"head {kind!r} is unknown: choose linear or cosine")
