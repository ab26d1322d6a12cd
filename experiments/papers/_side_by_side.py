"""Many trainings of one kind of model side by side: on a GPU one CUDA graph holds a step of each.

A ResNet-32 on images of 32 x 32 is so small that a GPU waits for its next kernel most of the time. A graph takes away
the calls, and branches of the graph fill the gaps of one training with the kernels of the others. All that changes
from step to step (which samples, how they are cropped, the learning rate, the stage of the loss) is drawn beforehand
and looked up by a counter on the device, so that a step needs nothing from the host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autobalance.losses import Loss, Member

MOMENTUM, PADDING = 0.9, 4
#: The streams that trainings are dealt to.
STREAMS = 8


@dataclass(frozen=True)
class Recipe:
    """How everything is trained: the standard protocol of the long-tailed CIFAR papers (Cao et al. 2019).

    Args:
        epochs: passes over the samples.
        batch_size: samples a step.
        lr: learning rate, after a linear warm-up over ``warmup`` epochs; a hundredth of it after 80 % of the epochs,
            and a hundredth of that after 90 %.
        weight_decay: λ.
        warmup: epochs.
        half: whether convolutions are in bfloat16.
        compiled: whether the model is compiled.
    """

    epochs: int = 200
    batch_size: int = 128
    lr: float = 0.1
    weight_decay: float = 2e-4
    warmup: int = 5
    half: bool = False
    compiled: bool = False

    def steps(self, samples: int) -> int:
        """Of a training; what is left over of an epoch goes into the next one's first batch."""
        return self.epochs * samples // self.batch_size

    def rates(self, steps: int) -> Tensor:
        """The learning rate of each step."""
        epoch = torch.arange(steps) * self.epochs / steps
        warm = ((epoch.floor() + 1) / max(1, self.warmup)).clamp_max(1)
        return self.lr * warm * 0.01 ** ((epoch >= 0.8 * self.epochs).float() + (epoch >= 0.9 * self.epochs).float())


class OneTraining:
    """A model with all that its steps look up.

    Args:
        model: maps images to logits; trained in place.
        loss: a member of the family, or a schedule of members.
        images: all images, zeros around them, (N, C, H + 8, W + 8), on the device.
        y: (N,), on the device.
        index: of the samples that are trained on, on the CPU.
        recipe: how.
        seed: of the order of the samples and how they are cropped.
    """

    def __init__(
        self, model: nn.Module, loss: Loss, images: Tensor, y: Tensor, index: Tensor, recipe: Recipe, seed: int
    ) -> None:
        device, generator = images.device, torch.Generator().manual_seed(seed)
        self.model, self.images, self.y, self.recipe = model.to(device).train(), images, y, recipe
        self.steps, size = recipe.steps(len(index)), recipe.batch_size
        order = torch.cat([index[torch.randperm(len(index), generator=generator)] for _ in range(recipe.epochs)])
        total = self.steps * size
        if recipe.compiled:
            self.model.compile()
        self._order = order[:total].to(device)
        self._shifts = torch.randint(2 * PADDING + 1, (2, total), generator=generator, dtype=torch.int16).to(device)
        self._mirrored = (torch.rand(total, generator=generator) < 0.5).to(device)
        self._rates = recipe.rates(self.steps).to(device)
        stages = loss.stages
        first = stages[0].loss.to(device)
        assert isinstance(first, Member)
        self._member: Member = first
        self._starts = torch.tensor([stage.start * self.steps for stage in stages[1:]], device=device)
        self._tables = {
            name: torch.stack([getattr(stage.loss, name).to(device) for stage in stages])
            for name in {name for stage in stages for name in _in_effect(stage.loss)}
        }
        self.parameters: list[Tensor] = [p for p in model.parameters() if p.requires_grad]
        self._velocity = [torch.zeros_like(p) for p in self.parameters]
        self.done = torch.zeros((), dtype=torch.long, device=device)
        self._place = torch.arange(size, device=device)

    def step(self) -> None:
        """A training step; every number in it is on the device."""
        at = self.done * self.recipe.batch_size + self._place
        index = self._order[at]
        x = self._cropped(index, self._shifts[:, at].long(), self._mirrored[at])
        stage = (self.done >= self._starts).sum()
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.recipe.half):
            logits = self.model(x)
        value = self._member.value(
            logits.float(), self.y[index], {name: _at(table, stage) for name, table in self._tables.items()}
        )
        gradients = list(torch.autograd.grad(value, self.parameters))
        with torch.no_grad():  # SGD with Nesterov's momentum off, as released by Cao et al.
            torch._foreach_add_(gradients, self.parameters, alpha=self.recipe.weight_decay)
            torch._foreach_mul_(self._velocity, MOMENTUM)
            torch._foreach_add_(self._velocity, gradients)
            change = list(torch._foreach_mul(self._velocity, -_at(self._rates, self.done)))
            torch._foreach_add_(self.parameters, change)
            self.done += 1

    def _cropped(self, index: Tensor, shifts: Tensor, mirrored: Tensor) -> Tensor:
        side = self.images.shape[-1] - 2 * PADDING
        places = torch.arange(side, device=index.device)
        rows = shifts[0][:, None] + places
        columns = shifts[1][:, None] + torch.where(mirrored[:, None], places.flip(0), places)
        x = self.images.permute(0, 2, 3, 1)[index[:, None, None], rows[:, :, None], columns[:, None, :]]
        return x.permute(0, 3, 1, 2)

    def state(self) -> list[Tensor]:
        """All that a step changes."""
        return [*self.parameters, *self._velocity, *self.model.buffers(), self.done]

    @torch.no_grad()
    def answer(self, images: Tensor, size: int = 1000) -> Tensor:
        """The logits for images with zeros around them, on the CPU."""
        self.model.eval()
        inner = images[:, :, PADDING:-PADDING, PADDING:-PADDING]
        answered = torch.cat([self.model.forward(part).float() for part in inner.split(size)]).cpu()
        self.model.train()
        return answered


def _at(table: Tensor, place: Tensor) -> Tensor:
    """table[place], without a look at the place from the host, which indexing with a number on the device takes."""
    return table.index_select(0, place.view(1))[0]


def _in_effect(loss: Loss) -> list[str]:
    assert isinstance(loss, Member)
    return list(loss.parameters_in_effect)


def padded(images: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Images (N, H, W, C) of bytes, standardised, with zeros around them: (N, C, H + 8, W + 8)."""
    standard = (images.float() / 255 - mean) / deviation
    return F.pad(standard.permute(0, 3, 1, 2), [PADDING] * 4).contiguous(memory_format=torch.channels_last)


def train_side_by_side(
    trainings: Sequence[OneTraining], on_steps: Callable[[int], None] = lambda done: None, steps: int | None = None
) -> None:
    """Trains all of them in place.

    Args:
        trainings: of the same number of steps.
        on_steps: called every hundred steps with the steps done.
        steps: to take; None: all of them.
    """
    if len(numbers := {training.steps for training in trainings}) != 1:
        raise ValueError(f"trainings of {sorted(numbers)} steps do not go side by side")
    take = _graph(trainings) if trainings[0].images.is_cuda else partial(_step_of_each, trainings)
    for done in range(1, (steps or trainings[0].steps) + 1):
        take()
        if done % 100 == 0:
            if trainings[0].images.is_cuda:
                torch.cuda.synchronize()
            on_steps(done)


def _step_of_each(trainings: Sequence[OneTraining]) -> None:
    for training in trainings:
        training.step()


def _graph(trainings: Sequence[OneTraining]) -> Callable[[], object]:
    """A step of every training as one CUDA graph, which is replayed."""
    before = [tensor.detach().clone() for training in trainings for tensor in training.state()]
    streams = [torch.cuda.Stream() for _ in range(min(STREAMS, len(trainings)))]

    def step_of_each() -> None:
        current = torch.cuda.current_stream()
        for place, training in enumerate(trainings):
            stream = streams[place % len(streams)]
            stream.wait_stream(current)
            with torch.cuda.stream(stream):
                training.step()
        for stream in streams:
            current.wait_stream(stream)

    aside = torch.cuda.Stream()
    with torch.cuda.stream(aside):
        for _ in range(3):  # libraries choose their kernels and take their memory outside of the graph
            step_of_each()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step_of_each()
    with torch.no_grad():
        for tensor, value in zip((t for training in trainings for t in training.state()), before, strict=True):
            tensor.copy_(value)
    torch.cuda.synchronize()
    return graph.replay
