"""What may help a training that diverged, by its cause."""

from __future__ import annotations

from torch import Tensor

from autobalance.data import Samples
from autobalance.training._optimisers import OPTIMIZERS
from autobalance.training._recipe import Recipe

#: Inputs beyond this break a network whatever its learning rate.
LARGE_INPUT = 1e6
#: Beyond this many times the optimiser's usual learning rate, that is to blame for what it does together with others.
LARGE_RATE = 10


def advice(recipe: Recipe, samples: Samples) -> str:
    """What to change so that a training does not diverge.

    Weight decay λ alone lets weights grow where the steps η λ overshoot zero, from 1 on; Adam divides by the size of
    the gradient that λ is part of, so that it is none.

    Args:
        recipe: of the training.
        samples: that it was on.
    """
    x = samples.x
    if isinstance(x, Tensor) and x.is_floating_point() and x.numel():
        largest = x.abs().amax()
        if not largest <= LARGE_INPUT:
            place = int(x.abs().flatten(1).amax(1).argmax())
            return f"an input of training sample {place} is {largest:.3g}: bring the inputs to a range around 1"
    product, usual = recipe.lr * recipe.weight_decay, OPTIMIZERS[recipe.optimizer].lr
    if recipe.optimizer != "adam" and product >= 1 and recipe.lr <= LARGE_RATE * usual:
        return f"lower the weight decay, `weight_decay`: times the learning rate it is {product:.3g}, 1 or more"
    clip = "" if recipe.clip is not None else ", or limit the gradients by `clip`"
    return f"lower the learning rate, `lr`{clip}"
