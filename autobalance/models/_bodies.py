"""Small bodies: a perceptron for vectors and a convolutional network for images."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

MLP_WIDTH = 128


def linear_body(sample_shape: Sequence[int]) -> tuple[nn.Module, int]:
    """The inputs themselves, flattened, and their number."""
    return nn.Flatten(), math.prod(sample_shape)


def mlp_body(sample_shape: Sequence[int]) -> tuple[nn.Module, int]:
    """Two hidden layers of 128 units with ReLU, and their width."""
    body = nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(sample_shape), MLP_WIDTH),
        nn.ReLU(),
        nn.Linear(MLP_WIDTH, MLP_WIDTH),
        nn.ReLU(),
    )
    return body, MLP_WIDTH


def cnn_body(sample_shape: Sequence[int]) -> tuple[nn.Module, int]:
    """Three 3 x 3 convolutions with batch norm, each further one halving the sides, then the mean over the image.

    The widths are 16, 32, 64 for images of up to 16 x 16 and 32, 64, 128 for larger ones, which get a fourth
    convolution.
    """
    channels, height, width = sample_shape
    small = max(height, width) <= 16
    layers: list[nn.Module] = []
    before = channels
    for after, stride in [(16, 1), (32, 2), (64, 2)] if small else [(32, 1), (64, 2), (128, 2), (128, 2)]:
        layers += [nn.Conv2d(before, after, 3, stride, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        before = after
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), before
