"""Each operation: nothing at strength 0, its derivative, and what it does by an independent computation."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from autobalance.common import InputError
from autobalance.data.augmentation import OPERATIONS, apply, changed_by, check_operations, default_operations, draw
from autobalance.data.augmentation._erasing import covered
from autobalance.data.augmentation._mix import partners

SHAPES = {"image": (3, 7, 6), "table": (9,)}
EVERY = [(kind, name) for kind, operations in OPERATIONS.items() for name in operations]
B = 6


def samples(kind: str, number: int = B) -> Tensor:
    return torch.randn(number, *SHAPES[kind], generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def drawn(kind: str, x: Tensor, *names: str, seed: int = 1) -> dict[str, Tensor]:
    return draw(kind, names, x, torch.Generator().manual_seed(seed))


def half_strength(kind: str, name: str, number: int = B) -> Tensor:
    largest = OPERATIONS[kind][name].largest
    return largest * torch.linspace(0.2, 0.9, number, dtype=torch.float64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_strength_zero_is_the_identity_bit_for_bit(kind, name, dtype):
    x = samples(kind).to(dtype)
    changed = apply(kind, x, {name: torch.zeros(B, dtype=dtype)}, drawn(kind, x, name))
    assert torch.equal(changed, x)


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_something_happens_at_other_strengths_to_every_sample(kind, name):
    x = samples(kind)
    strength = half_strength(kind, name).clamp_min(OPERATIONS[kind][name].largest / 2)
    changed = apply(kind, x, {name: strength}, drawn(kind, x, name))
    assert ((changed - x).flatten(1).abs().amax(1) > 1e-3).all()


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_gradient_is_that_of_finite_differences(kind, name):
    """In the strength and in the probability of each sample's gate, relaxed."""
    x, probe = samples(kind), torch.randn(B, *SHAPES[kind], dtype=torch.float64)
    draws = drawn(kind, x, name)

    def value(strength: Tensor, probability: Tensor) -> Tensor:
        return (probe * changed_by(kind, [name], x, strength, probability, draws, temperature=0.5)).sum()

    at = half_strength(kind, name)[:, None], torch.linspace(0.15, 0.85, B, dtype=torch.float64)[:, None]
    leaves = [each.clone().requires_grad_() for each in at]
    found = torch.autograd.grad(value(*leaves), leaves)
    for which, gradient in enumerate(found):
        for sample in range(B):
            ends = []
            for sign in (1, -1):
                moved = [each.clone() for each in at]
                moved[which][sample] += sign * 1e-6
                ends.append(value(*moved).item())
            assert gradient[sample].item() == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-6)
        assert gradient.abs().max() > 1e-3


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_gradient_at_strength_zero_is_finite(kind, name):
    x = samples(kind)
    strength = torch.zeros(B, dtype=torch.float64, requires_grad=True)
    changed = apply(kind, x, {name: strength}, drawn(kind, x, name))
    (found,) = torch.autograd.grad((changed**2).sum(), strength)
    assert found.isfinite().all()


@pytest.mark.parametrize("kind", OPERATIONS)
def test_all_together_are_the_operations_one_after_the_other(kind):
    x, names = samples(kind), list(OPERATIONS[kind])
    draws = drawn(kind, x, *names)
    strengths = {name: half_strength(kind, name) for name in names}
    together = apply(kind, x, strengths, draws)
    apart = x
    if kind == "image":
        geometry = ("shift", "rotation", "scale", "shear")
        apart = apply(kind, apart, {name: strengths[name] for name in geometry}, draws)
        names = [name for name in names if name not in geometry]
    for name in names:
        apart = apply(kind, apart, {name: strengths[name]}, draws)
    torch.testing.assert_close(together, apart, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["shift", "rotation", "scale", "shear"])
def test_geometry_is_that_of_grid_sample(name):
    """torch's own sampling of the same affine map, pixels off the image taken from its border."""
    x = torch.randn(4, 2, 9, 9, dtype=torch.float64)
    draws, strength = drawn("image", x, name), half_strength("image", name, 4)
    first = strength * draws[name][:, 0]
    zero, one = torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    if name == "shift":
        rows = [[one, zero, 2 * first], [zero, one, 2 * strength * draws[name][:, 1]]]
    elif name == "rotation":
        cos, sin = (first * math.pi / 180).cos(), (first * math.pi / 180).sin()
        rows = [[cos, -sin, zero], [sin, cos, zero]]
    elif name == "scale":
        rows = [[first.exp(), zero, zero], [zero, first.exp(), zero]]
    else:
        rows = [[one, first, zero], [zero, one, zero]]
    matrix = torch.stack([torch.stack(row, 1) for row in rows], 1)
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    expected = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    torch.testing.assert_close(apply("image", x, {name: strength}, draws), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")  # torch's forward mode
def test_geometry_can_be_differentiated_twice_and_in_forward_mode():
    x = samples("image")
    draws = drawn("image", x, "rotation")

    def value(strength: Tensor) -> Tensor:
        return (apply("image", x, {"rotation": strength}, draws) ** 2).sum()

    at = half_strength("image", "rotation").requires_grad_()
    assert torch.autograd.gradgradcheck(value, at)
    assert torch.autograd.gradcheck(value, at, check_forward_ad=True)


def test_colours_by_a_plain_loop():
    x = samples("image")
    names = ["brightness", "contrast", "saturation"]
    draws = drawn("image", x, *names)
    strengths = {name: half_strength("image", name) for name in names}
    found = apply("image", x, strengths, draws)
    for i, image in enumerate(x):
        step, contrast, saturation = (strengths[name][i].item() * draws[name][i, 0].item() for name in names)
        image = image + step
        image = image.mean() + math.exp(contrast) * (image - image.mean())
        grey = (image[0] + image[1] + image[2]) / 3
        for c in range(3):
            torch.testing.assert_close(found[i, c], grey + math.exp(saturation) * (image[c] - grey))


def test_erased_share_of_each_pixel_is_the_area_that_the_square_covers():
    centre, half = torch.tensor([2.3, 0.4, 5.9]).double(), torch.tensor([0.7, 1.0, 0.2]).double()
    fine = (torch.arange(6000).double() + 0.5) / 1000
    inside = (fine - centre[:, None]).abs() <= half[:, None]
    expected = inside.double().view(3, 6, 1000).mean(2)
    torch.testing.assert_close(covered(centre, half, 6), expected, rtol=0, atol=2e-3)


def test_erasing_puts_the_mean_colour_into_a_square():
    x = samples("image", 1)
    draws = {"erasing": torch.tensor([[1.0, 0.5, 0.5]]).double()}
    found = apply("image", x, {"erasing": torch.tensor([1.0]).double()}, draws)
    torch.testing.assert_close(found, x.mean((2, 3), keepdim=True).expand_as(x))  # the whole image


def test_noise_has_the_standard_deviation_that_was_asked_for():
    x = torch.zeros(4000, 20, dtype=torch.float64)
    found = apply("table", x, {"noise": torch.full((4000,), 0.3, dtype=torch.float64)}, drawn("table", x, "noise"))
    # A uniform share v of the strength: E v² = 1/3.
    assert found.std().item() == pytest.approx(0.3 / math.sqrt(3), rel=0.02)
    assert abs(found.mean().item()) < 0.005


def test_masking_sets_about_the_share_asked_for_to_zero():
    x = torch.ones(4000, 20, dtype=torch.float64)
    found = apply("table", x, {"masking": torch.full((4000,), 0.4, dtype=torch.float64)}, drawn("table", x, "masking"))
    assert (found == 0).double().mean().item() == pytest.approx(0.3, abs=0.01)  # and 0.1 in part
    assert (found == 1).double().mean().item() == pytest.approx(0.6, abs=0.01)


def test_every_partner_is_another_sample_and_each_is_taken_once():
    found = partners(torch.rand(50, generator=torch.Generator().manual_seed(0)))
    assert (found != torch.arange(50)).all()
    assert sorted(found.tolist()) == list(range(50))


def test_mixing_takes_less_than_half_of_the_partner():
    x = torch.eye(5, dtype=torch.float64)
    largest = torch.full((5,), OPERATIONS["table"]["mix"].largest, dtype=torch.float64)
    draws = drawn("table", x, "mix")
    found = apply("table", x, {"mix": largest}, draws)
    torch.testing.assert_close(found.sum(1), torch.ones(5, dtype=torch.float64))
    assert (found.diagonal() > 0.5).all()
    share = found[torch.arange(5), partners(draws["mix"][:, 1])]
    torch.testing.assert_close(share, largest * draws["mix"][:, 0])


def test_random_numbers_come_from_the_generator_alone():
    x = samples("image")
    names = default_operations(SHAPES["image"])
    first, again, other = (drawn("image", x, *names, seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) and not torch.equal(first[name], other[name]) for name in first)


def test_operations_that_fit():
    assert default_operations((3, 8, 8)) == tuple(OPERATIONS["image"])
    assert "saturation" not in default_operations((1, 8, 8))
    assert check_operations(["noise", "shift"], (1, 8, 8)) == ("shift", "noise")
    for names, shape, words in [
        (["saturation"], (1, 8, 8), "needs three"),
        (["shift"], (9,), "no operation on tables is called 'shift'; there are mix, noise, masking"),
        ([], (9,), "no operation is named"),
        (["noise"], (2, 3), "samples of shape"),
    ]:
        with pytest.raises(InputError, match=words):
            check_operations(names, shape)
