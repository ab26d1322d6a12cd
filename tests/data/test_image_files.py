"""Images on disk: what is taken equals torchvision's own transforms, memory does not grow, errors name the file."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from image_cases import write_image
from PIL import Image
from torchvision.transforms import InterpolationMode, v2

from autobalance.common import InputError
from autobalance.data import Samples, image_files
from autobalance.data._crops import draw_crops, resized_crop_and_flip
from autobalance.data._image_files import IMAGENET


@pytest.fixture
def paths(tmp_path):
    return [write_image(tmp_path / f"{i}.{'png' if i % 2 else 'jpg'}", i, (50 + 9 * i, 70 - 7 * i)) for i in range(5)]


def reference(path, *steps):
    """The same by torchvision's transforms."""
    to_tensor = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(*map(list, IMAGENET))]
    with Image.open(path) as image:
        return v2.Compose([*steps, *to_tensor])(image.convert("RGB"))


@pytest.mark.parametrize("centre", [True, False])
def test_evaluation_is_that_of_torchvision(paths, centre):
    steps = [v2.Resize(32), v2.CenterCrop(28)] if centre else [v2.Resize((28, 28))]
    order = torch.tensor([3, 0, 4, 4, 1, 2])
    taken = image_files(paths, 28, centre).take(order)
    assert taken.shape == (6, 3, 28, 28) and taken.is_contiguous()
    for image, i in zip(taken, order, strict=True):
        torch.testing.assert_close(image, reference(paths[i], *steps), atol=1e-5, rtol=1e-5)


def test_training_crops_are_cut_out_of_the_file_and_follow_the_generator(paths):
    files, order = image_files(paths, 28), torch.tensor([4, 1, 1, 0])
    first, again, other = (files.take(order, torch.Generator().manual_seed(s)) for s in (5, 5, 6))
    assert torch.equal(first, again) and not torch.equal(first, other) and not torch.equal(first[1], first[2])
    state = torch.get_rng_state()
    sizes = [(70 - 7 * i, 50 + 9 * i) for i in order.tolist()]
    cuts = draw_crops(sizes, torch.Generator().manual_seed(5))
    assert torch.equal(state, torch.get_rng_state())
    for image, cut, i in zip(first, cuts, order, strict=True):
        with Image.open(paths[i]) as opened:
            box = (cut.left, cut.top, cut.left + cut.width, cut.top + cut.height)
            part = opened.convert("RGB").resize((28, 28), Image.Resampling.BILINEAR, box=box)
        array = np.asarray(part)[:, ::-1] if cut.mirrored else np.asarray(part)
        by_hand = (array / 255 - np.array(IMAGENET[0])) / np.array(IMAGENET[1])
        np.testing.assert_allclose(image.permute(1, 2, 0), by_hand, atol=1e-5)


def test_crops_have_the_published_sizes():
    cuts = draw_crops([(60, 80)] * 2000, torch.Generator().manual_seed(0))
    area = np.array([cut.height * cut.width / 4800 for cut in cuts])
    ratio = np.array([cut.width / cut.height for cut in cuts])
    assert 0.07 < area.min() < 0.1 and area.max() > 0.9 and 0.7 < ratio.min() < 0.8 and 1.25 < ratio.max() < 1.55
    assert all(0 <= c.top <= 60 - c.height and 0 <= c.left <= 80 - c.width for c in cuts)
    assert 0.45 < np.mean([cut.mirrored for cut in cuts]) < 0.55


def test_images_in_memory_are_cropped_alike():
    x = torch.randn(6, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    cuts = draw_crops([(20, 24)] * 6, torch.Generator().manual_seed(3))
    made = resized_crop_and_flip(x, torch.Generator().manual_seed(3))
    assert made.shape == x.shape
    for image, cut, whole in zip(made, cuts, x, strict=True):
        part = whole[:, cut.top : cut.top + cut.height, cut.left : cut.left + cut.width]
        by_hand = v2.functional.resize(part, [20, 24], InterpolationMode.BILINEAR, antialias=True)
        torch.testing.assert_close(image, by_hand.flip(2) if cut.mirrored else by_hand)


def test_statistics_are_those_of_the_images(paths):
    files = image_files(paths, 16, centre=False)
    pixels = files.pixels(np.arange(5)).reshape(-1, 3) / 255
    measured = files.standardised()
    np.testing.assert_allclose(measured.mean, pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(measured.scale, pixels.std(0), rtol=1e-12)
    taken = measured.take(torch.arange(5))
    assert taken.mean((0, 2, 3)).abs().max() < 1e-5 and (taken.std((0, 2, 3), correction=0) - 1).abs().max() < 1e-5


def test_samples_of_files_are_subset_joined_and_gone_through_without_decoding_all(paths):
    samples = Samples(image_files(paths, 28), torch.arange(5), torch.arange(5) % 2)
    part = samples.subset(torch.tensor([4, 0])).join(samples.subset(torch.tensor([2])))
    assert part.shape == (3, 28, 28) and part.y.tolist() == [4, 0, 2] and part.group.tolist() == [0, 0, 0]
    batches = list(part.to("cpu", torch.float64).batches(2))
    assert [len(batch.y) for batch in batches] == [2, 1] and batches[0].x.dtype == torch.float64
    torch.testing.assert_close(torch.cat([b.x for b in batches]).float(), samples.take(torch.tensor([4, 0, 2])).x)
    assert torch.equal(part.all().x, samples.take(torch.tensor([4, 0, 2])).x)
    large = Samples(image_files(paths * 20, 224), torch.zeros(100, dtype=torch.int64))
    assert len(next(large.batches()).y) == 55


@pytest.mark.parametrize("content", [b"", b"no image", None])
@pytest.mark.parametrize("crops", [None, torch.Generator()])
def test_a_file_that_is_no_image_is_named(paths, content, crops):
    whole = paths[3].read_bytes()
    paths[3].write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(InputError, match=r"3\.png cannot be read as an image, repair or remove it"):
        image_files(paths, 8).take(torch.arange(5), crops)
    paths[3].unlink()
    with pytest.raises(InputError, match=r"3\.png cannot be read"):
        image_files(paths, 8).take(torch.arange(5), crops)


MEMORY = """
import resource, sys, torch
from autobalance.data import Samples, image_files
files = image_files(sys.argv[2:] * (int(sys.argv[1]) // 20), 64, centre=False)
samples = Samples(files, torch.zeros(len(files), dtype=torch.int64))
list(samples.subset(torch.arange(64)).batches(64))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
total = sum(batch.x.sum().item() for batch in samples.batches(64))
print(len(files), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_is_that_of_a_batch(tmp_path):
    paths = [str(write_image(tmp_path / f"{i}.png", i, (16, 16))) for i in range(20)]
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, "2000", *paths], capture_output=True, text=True, check=True, timeout=100
    )
    number, grown = map(int, run.stdout.split())
    as_floats = number * 3 * 64 * 64 * 4 / 1024
    assert number == 2000 and as_floats > 95_000  # kilobytes
    assert grown < 20_000, f"{grown} kB more for {number} images"
