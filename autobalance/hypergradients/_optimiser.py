"""What an inner optimiser is: a pure update that can be differentiated, and what it says of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

Tensors = dict[str, Tensor]
#: What an optimiser remembers: by kind (momentum, ...), then by parameter name.
Slots = dict[str, Tensors]
#: A learning rate: a number, or a function of the number of steps taken so far.
Rate = float | Callable[[int], float]

#: What of the training recipe can be searched besides the loss: the recipe's name for it, and the name under which the
#: hyper-parameters hold its log factor, 0 where nothing is changed. With `Groups` each may have one entry a group.
RECIPE_PARAMETERS: Mapping[str, str] = {"lr": "log_lr", "weight_decay": "log_weight_decay"}


@dataclass(frozen=True)
class OptimiserAbilities:
    """What an optimiser's update is like.

    Args:
        title: what a message calls it.
        recipe_parameters: of `RECIPE_PARAMETERS`, those that change the update.
        linear: whether the result is linear in the gradient, which spares `Replay` copies of the gradients.
        elementwise: whether each number of the result depends on the same number of the arguments alone. Then all
            parameters go through as one, any part of them can be stepped alone, and models side by side stay apart.
        combines: whether, but for `RECIPE_PARAMETERS` that are searched, every number of the result is one and the same
            linear combination of weight, gradient and memory. Its way back is then found from a single number.
        rests: whether training comes to rest where ``residual`` vanishes.
        plain_sgd: whether the steps are those of ``torch.optim.SGD``.
    """

    title: str
    recipe_parameters: tuple[str, ...] = ()
    linear: bool = False
    elementwise: bool = False
    combines: bool = False
    rests: bool = False
    plain_sgd: bool = False

    @property
    def decays(self) -> bool:
        """Whether there is weight decay."""
        return "weight_decay" in self.recipe_parameters


class Optimiser(ABC):
    """One training step's change of the weights, as a function without side effects.

    Autograd differentiates ``update`` wherever gradients are enabled; `inner_step` calls it with them off.
    """

    @property
    @abstractmethod
    def abilities(self) -> OptimiserAbilities:
        """What the update is like."""

    @abstractmethod
    def init(self, parameters: Mapping[str, Tensor]) -> Slots:
        """What is remembered before the first step."""

    @abstractmethod
    def update(
        self,
        parameters: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        slots: Slots,
        step: int,
        hyper: Mapping[str, Tensor],
    ) -> tuple[Tensors, Slots]:
        """New parameters and memory. The old tensors stay as they were.

        Args:
            parameters, gradients: by name, in the same order.
            slots: as ``init`` or the last ``update`` made them.
            step: number of steps taken before.
            hyper: read for `RECIPE_PARAMETERS`, other entries are for the loss.
        """

    def residual(
        self, parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor], hyper: Mapping[str, Tensor]
    ) -> Tensors:
        """What vanishes where training comes to rest: the gradient with the weight decay, g + λ θ.

        Raises:
            ValueError: where training comes to rest is not where such a sum vanishes (AdamW, clipped gradients).
        """
        raise ValueError(f"{self.abilities.title} does not come to rest where the gradient vanishes")

    def side_by_side(self) -> Optimiser:
        """The same for models side by side, whose parameters have a first dimension of models.

        Raises:
            ValueError: it would join the models.
        """
        if not self.abilities.elementwise:
            raise ValueError(f"{self.abilities.title} cannot step models side by side: train them one by one")
        return self
