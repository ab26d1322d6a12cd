"""Residual networks: the CIFAR ones of He et al. (2016), and torchvision's."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autobalance.common import InputError

SHORTCUTS = ("pad", "projection")


class PadShortcut(nn.Module):
    """Option A of He et al. (2016): every second pixel where the sides halve, zeros for the new channels."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.front = (after - before) // 2
        self.back = after - before - self.front

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.front, self.back))


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions with batch norm, and a shortcut around them."""

    def __init__(self, before: int, after: int, stride: int, shortcut: str) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.shortcut: nn.Module
        if before == after and stride == 1:
            self.shortcut = nn.Identity()
        elif shortcut == "pad":
            self.shortcut = PadShortcut(before, after, stride)
        else:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.residual(x) + self.shortcut(x))


def cifar_resnet_body(depth: int, channels: int, shortcut: str) -> tuple[nn.Module, int]:
    """The body of a ResNet of 6n + 2 layers (He et al. 2016, section 4.2): widths 16, 32, 64, n blocks each.

    Args:
        depth: 20, 32, 44, ...
        channels: channels of the images.
        shortcut: "pad" (option A, without weights) or "projection" (option B, 1 x 1 convolution and batch norm).

    Raises:
        InputError: another shortcut.
    """
    if shortcut not in SHORTCUTS:
        raise InputError(f"shortcut {shortcut!r} is unknown: choose {' or '.join(SHORTCUTS)}")
    layers: list[nn.Module] = [nn.Conv2d(channels, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    before = 16
    for after in (16, 32, 64):
        for block in range((depth - 2) // 6):
            layers.append(BasicBlock(before, after, 2 if block == 0 and after > 16 else 1, shortcut))
            before = after
    body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for module in body.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return body, before


def torchvision_body(name: str, channels: int) -> tuple[nn.Module, int]:
    """torchvision's ResNet without its last layer, untrained; its first convolution takes ``channels`` channels."""
    from torchvision import models

    body = getattr(models, name)(weights=None)
    if channels != 3:
        body.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(body.conv1.weight, mode="fan_out", nonlinearity="relu")
    width = body.fc.in_features
    body.fc = nn.Identity()
    return body, width
