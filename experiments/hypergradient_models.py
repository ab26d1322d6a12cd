"""Kinds of models that hypergradients are tried on, each in a tiny and in a larger size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

CLASSES = 3


@dataclass(frozen=True)
class Size:
    """How large a model is.

    Args:
        width: features of a hidden layer.
        side: of the images.
        length: of the sequences and sets.
    """

    width: int
    side: int
    length: int


TINY = Size(width=8, side=8, length=4)
LARGE = Size(width=128, side=32, length=32)


@dataclass(frozen=True)
class Kind:
    """A kind of model.

    Args:
        make: builds it in a size.
        draw: (size, number of samples) -> inputs for it.
    """

    make: Callable[[Size], nn.Module]
    draw: Callable[[Size, int], Tensor]


def rows(size: Size, number: int) -> Tensor:
    return torch.randn(number, size.width)


def images(size: Size, number: int) -> Tensor:
    return torch.randn(number, 3, size.side, size.side)


def sequences(size: Size, number: int) -> Tensor:
    return torch.randn(number, size.length, 4)


def words(size: Size, number: int) -> Tensor:
    return torch.randint(5 * size.length, (number, size.length))


def mlp(size: Size, *between: nn.Module) -> nn.Module:
    wide = 4 * size.width
    return nn.Sequential(
        *(nn.Linear(size.width, wide), *between, nn.GELU()),
        *(nn.Linear(wide, wide), nn.Tanh(), nn.Linear(wide, CLASSES)),
    )


def cnn(norm: Callable[[int, int], nn.Module], size: Size) -> nn.Module:
    width, side = size.width // 4 + 2, size.side
    return nn.Sequential(
        *(nn.Conv2d(3, width, 3, 1, 1, bias=False), norm(width, side), nn.SiLU()),
        *(nn.Conv2d(width, 2 * width, 3, 2, 1, bias=False), norm(2 * width, side // 2), nn.ELU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, CLASSES)),
    )


def vision(name: str, size: Size) -> nn.Module:
    """torchvision's models with few and narrow blocks."""
    from torchvision import models
    from torchvision.models.convnext import CNBlockConfig
    from torchvision.models.efficientnet import FusedMBConvConfig, MBConvConfig
    from torchvision.models.mobilenetv3 import InvertedResidualConfig

    width = size.width // 16 * 8 or 8  # what mobile networks round to
    if name == "resnet":
        return models.ResNet(models.resnet.BasicBlock, [1, 1, 1, 1], CLASSES)
    if name == "mobilenet_v3":
        first = InvertedResidualConfig(width, 3, width, width, True, "RE", 2, 1, 1.0)
        second = InvertedResidualConfig(width, 3, 2 * width, width, True, "HS", 1, 1, 1.0)
        return models.MobileNetV3([first, second], 2 * width, CLASSES)
    if name == "efficientnet":
        blocks = [FusedMBConvConfig(1, 3, 1, width, width, 1), MBConvConfig(2, 3, 2, width, width, 1)]
        return models.EfficientNet(blocks, 0.2, 0.2, CLASSES, last_channel=2 * width)
    if name == "convnext":
        blocks = [CNBlockConfig(width, 2 * width, 1), CNBlockConfig(2 * width, None, 1)]
        return models.ConvNeXt(blocks, 0.2, 0.1, CLASSES)
    heads = 4 if width > 8 else 2
    return models.VisionTransformer(
        size.side, 4, 2 if width > 8 else 1, heads, size.width, 2 * size.width, num_classes=CLASSES
    )


class Tokens(nn.Module):
    """torch's transformer on a sequence."""

    def __init__(self, size: Size, dropout: float = 0.0, feedforward: int = 4) -> None:
        super().__init__()
        self.embed = nn.Linear(4, size.width)
        layer = nn.TransformerEncoderLayer(size.width, 4, feedforward * size.width, dropout, "gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(size.width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(self.embed(x)).mean(1))


class Bert(nn.Module):
    """BERT of the library transformers, with its usual dropout."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        from transformers import BertConfig, BertForSequenceClassification

        config = BertConfig(
            vocab_size=5 * size.length,
            hidden_size=size.width,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=4 * size.width,
            max_position_embeddings=size.length,
        )
        config.num_labels = CLASSES
        self.model = BertForSequenceClassification(config)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(input_ids=x).logits


class Recurrent(nn.Module):
    def __init__(self, layer: Any, size: Size) -> None:
        super().__init__()
        self.layer, self.head = layer(4, size.width, batch_first=True), nn.Linear(size.width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x)[0][:, -1])


class Bag(nn.Module):
    """The mean of a bag of words."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.words = nn.EmbeddingBag(5 * size.length, size.width, mode="mean", padding_idx=0)
        self.net = mlp(size)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(self.words(x))


class Graph(nn.Module):
    """Two graph convolutions over a ring of nodes, whose messages are summed by ``index_add``."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, size.width), nn.Linear(size.width, size.width)
        self.head = nn.Linear(size.width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        begin = torch.arange(x.shape[1])
        end = (begin + 1) % len(begin)
        for layer in (self.first, self.second):
            x = layer(x)
            x = torch.tanh(x.index_add(1, end, x[:, begin]).index_add(1, begin, x[:, end]))
        return self.head(x.mean(1))


class Tied(nn.Module):
    """An autoencoder's weight, there and back, and a classifier in the middle."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.into, self.back = nn.Linear(size.width, 2 * size.width), nn.Linear(2 * size.width, 2 * size.width)
        self.again = nn.Linear(2 * size.width, 2 * size.width)
        self.again.weight, self.head = self.back.weight, nn.Linear(2 * size.width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.again(torch.tanh(self.back(self.into(x))))))


def frozen(size: Size) -> nn.Module:
    """A backbone whose first layer, and one bias behind it, do not move."""
    model = mlp(size)
    for parameter in (*model[0].parameters(), model[2].bias):  # type: ignore[index]
        parameter.requires_grad_(False)
    return model


def parametrised(size: Size) -> nn.Module:
    """Weight norm, and a weight that is symmetric."""

    class Symmetric(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.triu() + x.triu(1).transpose(-1, -2)

    model = mlp(size)
    nn.utils.parametrizations.weight_norm(model[0])  # type: ignore[index]
    nn.utils.parametrize.register_parametrization(model[2], "weight", Symmetric())  # type: ignore[index]
    return model


class TwoHeads(nn.Module):
    """The logits of two heads on one body, as a tuple."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(size.width, 4 * size.width), nn.LayerNorm(4 * size.width), nn.GELU())
        self.heads = nn.ModuleList([nn.Linear(4 * size.width, CLASSES) for _ in range(2)])

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        body = self.body(x)
        return tuple(head(body) for head in self.heads)


MODELS: dict[str, Kind] = {
    "MLP": Kind(mlp, rows),
    "CNN, batch norm": Kind(partial(cnn, lambda width, _: nn.BatchNorm2d(width)), images),
    "CNN, group norm": Kind(partial(cnn, lambda width, _: nn.GroupNorm(2, width)), images),
    "CNN, layer norm": Kind(partial(cnn, lambda width, side: nn.LayerNorm([width, side, side])), images),
    "ResNet": Kind(partial(vision, "resnet"), images),
    "MobileNetV3": Kind(partial(vision, "mobilenet_v3"), images),
    "EfficientNet": Kind(partial(vision, "efficientnet"), images),
    "ConvNeXt": Kind(partial(vision, "convnext"), images),
    "ViT": Kind(partial(vision, "vit"), images),
    "TransformerEncoder": Kind(Tokens, sequences),
    "TransformerEncoder, dropout": Kind(partial(Tokens, dropout=0.1), sequences),
    "BERT": Kind(Bert, words),
    "LSTM": Kind(partial(Recurrent, nn.LSTM), sequences),
    "GRU": Kind(partial(Recurrent, nn.GRU), sequences),
    "EmbeddingBag": Kind(Bag, words),
    "graph convolution": Kind(Graph, sequences),
    "dropout": Kind(lambda size: mlp(size, nn.Dropout(0.3)), rows),
    "tied weights": Kind(Tied, rows),
    "frozen parts": Kind(frozen, rows),
    "parametrised": Kind(parametrised, rows),
    "two heads": Kind(TwoHeads, rows),
}
