"""Where losses are searched and compared: a problem, on its device, and the model for it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from torch import nn

from autobalance.common import InputError
from autobalance.data import Problem, Samples
from autobalance.data.encoders import Encoder
from autobalance.models import Structure, default_model
from autobalance.training._check_model import check_model


@dataclass(frozen=True)
class Below:
    """What a setting's samples were made by, where they are features of other samples.

    Args:
        body: in evaluation mode: samples -> features.
        structure: of the whole network, its head included.
        encoder: of its samples.
    """

    body: nn.Module
    structure: Structure
    encoder: Encoder


@dataclass(frozen=True)
class Setting:
    """A problem and how its models are made.

    Args:
        problem: the data, on the device.
        model_name: a name of `autobalance.models`, or "own" where the model is the user's.
        make: (seed, head) -> a model with the weights that the seed draws; heads are "linear" and "cosine".
        device: where the models go.
        structure: what ``make`` builds, but for the head; None where the model is the user's.
        below: where the samples are features, what they are features of.
    """

    problem: Problem
    model_name: str
    make: Callable[[int, str], nn.Module]
    device: torch.device | str = "cpu"
    structure: Structure | None = None
    below: Below | None = None

    def new_model(self, seed: int, head: str = "linear") -> nn.Module:
        """The model with the weights that ``seed`` draws, on the device.

        Raises:
            InputError: the model cannot have such a head.
        """
        torch.manual_seed(seed)
        return self.make(seed, head).to(self.device)

    def check_own_model(self, seed: int) -> None:
        """Refuses a user's model that cannot be trained, see `check_model`; reference models can.

        Raises:
            InputError: why it cannot be trained.
        """
        if self.model_name == "own":
            check_model(self.new_model(seed), self.problem.train.take(torch.arange(2)), self.problem.num_outputs)

    @property
    def pool(self) -> Samples:
        """Training samples, then validation samples."""
        return self.problem.train.join(self.problem.validation)

    def without_test(self) -> Setting:
        """The same with an empty test split: what a search, a choice and a tuning may see."""
        nothing = torch.empty(0, dtype=torch.int64, device=self.problem.test.y.device)
        return replace(self, problem=replace(self.problem, test=self.problem.test.subset(nothing)))


def setting_of(problem: Problem, model: str | None = None, device: str = "cpu") -> Setting:
    """The setting of a problem with a reference model, or with the model that its source brings.

    Args:
        problem: the data.
        model: a name of `autobalance.models`; None: the one for samples of this shape, or the source's own.
        device: where the samples and the models go.
    """
    problem = problem.to(device)
    if problem.make_model is not None:
        own, name = problem.make_model, problem.name
        return Setting(problem, "own", lambda seed, head: _own_model(own, head, name), device)
    chosen, shape = model or default_model(problem.train.shape), problem.train.shape
    if problem.bin_edges is None:
        structure = Structure(chosen, shape, problem.num_outputs)
    else:
        structure = Structure.of_numbers(chosen, shape, problem.train.y.cpu())
    return Setting(problem, chosen, lambda seed, head: replace(structure, head=head).build(), device, structure)


def setting_of_model(problem: Problem, model: nn.Module) -> Setting:
    """The setting in which every training starts from the present weights of ``model``, which stay as they are.

    Whatever head a loss is published with, the model is the one that is given.
    """

    return Setting(problem, "own", lambda seed, head: deepcopy(model), next(model.parameters()).device)


def _own_model(make: Callable[..., nn.Module], head: str, source: str) -> nn.Module:
    """What the source's function makes, with the head where it takes one."""
    if head == "linear":
        return make()
    if "head" not in inspect.signature(make).parameters:
        raise InputError(
            f"LDAM needs a head of cosines, which the model of {source} does not offer: give its function an argument "
            f'head="linear", and end the model in autobalance.models.CosineLinear where it is {head!r}; or leave the '
            "losses ldam and ldam-drw out"
        )
    return make(head=head)
