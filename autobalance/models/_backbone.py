"""torchvision's classifiers without their last layer, and the weights that were published for them."""

from __future__ import annotations

import os
import pickle
from typing import Any

import torch
from torch import Tensor, nn

from autobalance.common import InputError, nearest

#: What the name of such a model starts with, as against the untrained models of the same name.
BACKBONE = "torchvision/"
#: Without a last linear layer, with further outputs in training, or for pixels that were standardised in another way.
_UNFIT = ("squeezenet1_0", "squeezenet1_1", "googlenet", "inception_v3", "efficientnet_v2_l")


class Standardised(nn.Module):
    """``(f - mean) / scale``, of features (B, D); at first 0 and 1, which leave them as they are.

    Args:
        width: D.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def measure(self, features: Tensor) -> None:
        """Takes the mean and the standard deviation of ``features``, (N, D); where they are constant, 1."""
        spread = features.std(0, correction=0)
        self.mean.copy_(features.mean(0))
        self.scale.copy_(torch.where(spread > 1e-5 * self.mean.abs(), spread, torch.ones_like(spread)))

    def forward(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.scale


def backbone_names() -> tuple[str, ...]:
    """The names that `backbone_body` knows."""
    from torchvision import models

    return tuple(name for name in models.list_models(module=models) if name not in _UNFIT)


def backbone_body(name: str) -> tuple[nn.Module, int]:
    """A classifier without its last layer and with `Standardised` in its place, and the number of its features.

    The weights are random; `pretrained_weights` has others.

    Raises:
        InputError: an unknown name.
    """
    from torchvision import models

    _check(name)
    network = models.get_model(name, weights=None)
    place = _last_layer(network)
    last = network.get_submodule(place)
    assert isinstance(last, nn.Linear)
    network.set_submodule(place, nn.Identity())
    return nn.Sequential(network, Standardised(last.in_features)), last.in_features


def backbone_size(name: str) -> int:
    """The side in pixels of the images that a classifier was trained on.

    Raises:
        InputError: an unknown name.
    """
    return int(_published(name).transforms().crop_size[0])


def pretrained_weights(name: str, file: str | os.PathLike[str] | None = None) -> dict[str, Tensor]:
    """Weights for `backbone_body`.

    Args:
        name: as there.
        file: a state_dict as ``torch.save`` writes it, maybe below the key ``state_dict`` or ``model``; its last layer
            is left out. None: those that torchvision publishes, from its cache or the network.

    Raises:
        InputError: there are none, or they do not fit; nothing of the file is run.
    """
    from torchvision import models

    published = _published(name)
    if file is not None:
        found, place = _read(file), _last_layer(models.get_model(name, weights=None))
    else:
        try:
            network = models.get_model(name, weights=published)
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"the weights of {name} cannot be downloaded ({' '.join(str(error).split())[:120]}): fetch "
                f"{published.url} where there is a network, and name the file in `weights`"
            ) from None
        found, place = network.state_dict(), _last_layer(network)
    weights = {key: value for key, value in found.items() if not key.startswith(f"{place}.")}
    body, _ = backbone_body(name)
    wanted = {key: value.shape for key, value in body.get_submodule("0").state_dict().items()}
    for key in (*wanted, *weights):
        if key not in weights or key not in wanted:
            raise InputError(f"{file} does not fit {name}: {key} is in only one of them")
        if weights[key].shape != wanted[key]:
            raise InputError(
                f"{file} does not fit {name}: {key} has shape {tuple(weights[key].shape)}, not {tuple(wanted[key])}"
            )
    return {f"0.{key}": value for key, value in weights.items()}


def _published(name: str) -> Any:
    from torchvision import models

    _check(name)
    return models.get_model_weights(name).DEFAULT


def _check(name: str) -> None:
    if name not in (known := backbone_names()):
        hint = nearest(name, known) or f"; there are {', '.join(known)}"
        raise InputError(f"there is no `backbone` {name}: it is a classifier of torchvision, such as resnet50{hint}")


def _last_layer(network: nn.Module) -> str:
    """The name of the layer that makes the logits."""
    return [name for name, module in network.named_modules() if isinstance(module, nn.Linear)][-1]


def _read(file: str | os.PathLike[str]) -> dict[str, Tensor]:
    try:
        content = torch.load(file, weights_only=True, map_location="cpu")
    except FileNotFoundError:
        raise InputError(f"there is no file {os.fspath(file)}") from None
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{os.fspath(file)} cannot be read as weights ({reason})") from None
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError(f"{os.fspath(file)} holds no state_dict: save one with torch.save(model.state_dict(), FILE)")
    return {str(key).removeprefix("module."): value for key, value in content.items()}
