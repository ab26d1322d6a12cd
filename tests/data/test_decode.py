"""Images as people see them: against arrays that were made by hand, and Pillow's own orientations."""

import numpy as np
import pytest
from image_cases import write_image
from PIL import Image

from autobalance.common import InputError
from autobalance.data import DataOptions, load
from autobalance.data._decode import as_rgb, fault_of, height_and_width

#: For each value of the Exif tag, what has to be done to see the image upright (Exif 2.3, section 4.6.4).
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def rgb(path):
    with Image.open(path) as image:
        return np.asarray(as_rgb(image))


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_images_are_turned_as_their_camera_was_held(tmp_path, orientation):
    stored = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    expected = UPRIGHT[orientation](stored)
    np.testing.assert_array_equal(rgb(tmp_path / "a.png"), expected)
    assert height_and_width(str(tmp_path / "a.png")) == expected.shape[:2]


def test_transparent_pixels_are_white(tmp_path):
    stored = np.random.default_rng(1).integers(0, 256, (5, 7, 4), dtype=np.uint8)
    stored[0, :, 3], stored[1, :, 3] = 0, 255
    Image.fromarray(stored).save(tmp_path / "a.png")
    share = stored[..., 3:] / 255
    expected = stored[..., :3] * share + 255 * (1 - share)
    np.testing.assert_allclose(rgb(tmp_path / "a.png"), expected, atol=1)
    assert (rgb(tmp_path / "a.png")[0] == 255).all()
    grey = Image.fromarray(stored[..., 0])
    grey.putalpha(Image.fromarray(stored[..., 3]))
    grey.save(tmp_path / "grey.png")
    np.testing.assert_allclose(
        rgb(tmp_path / "grey.png"), stored[..., :1] * share + 255 * (1 - share) + [0] * 3, atol=1
    )
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 200, 0, 0])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "a.gif", transparency=1)
    assert rgb(tmp_path / "a.gif").tolist() == [[[10, 20, 30], [255, 255, 255]]]


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_of_16_bits_is_scaled(tmp_path, suffix):
    stored = np.array([[0, 257, 1000, 32768, 65535]], dtype=np.uint16)
    Image.fromarray(stored).save(tmp_path / f"a.{suffix}")
    expected = np.round(stored / 257)[..., None] + [0] * 3
    np.testing.assert_array_equal(rgb(tmp_path / f"a.{suffix}"), expected)


@pytest.mark.parametrize(("values", "words"), [([0.5], "are floats"), (np.array([70000], np.int32), "from 70000 to")])
def test_pixels_of_an_unknown_range_are_refused(tmp_path, values, words):
    Image.fromarray(np.array([values], dtype=getattr(values, "dtype", np.float32))).save(tmp_path / "a.tif")
    assert words in fault_of(str(tmp_path / "a.tif"))


@pytest.fixture
def folder(tmp_path):
    for number in range(30):
        write_image(tmp_path / "ab"[number % 2] / f"{number}.{'jpg' if number % 3 else 'png'}", number)
    for name in ("a/0.png", "a/2.jpg"):
        file = tmp_path / name
        file.write_bytes(file.read_bytes()[:-200])
    (tmp_path / "b" / "none.png").write_text("no image")
    return tmp_path


def test_all_files_that_cannot_be_read_are_named_at_once(folder):
    with pytest.raises(InputError, match=r"3 images cannot be read: .*`skip_unreadable`") as caught:
        load(str(folder))
    said = str(caught.value)
    assert all(f"{folder / name} (" in said for name in ("a/0.png", "a/2.jpg", "b/none.png")) and "\n" not in said


def test_they_are_left_out_where_one_asks_for_it(folder):
    problem = load(str(folder), DataOptions(skip_unreadable=True, image_size=8))
    assert sum(map(len, (problem.train, problem.validation, problem.test))) == 28
    (note,) = problem.notes
    assert note.startswith("3 images cannot be read and are left out: ") and "b/none.png" in note
    for path in folder.glob("b/*"):
        path.write_bytes(b"")
    with pytest.raises(InputError, match="class"):
        load(str(folder), DataOptions(skip_unreadable=True))
    with pytest.raises(InputError, match="`skip_unreadable` has no effect on digits"):
        load("digits", DataOptions(skip_unreadable=True))


def test_a_list_of_images_is_read_before_anything_is_trained(folder):
    lines = [f"{path.relative_to(folder)} {'ab'.index(path.parent.name)}" for path in sorted(folder.glob("*/*"))]
    (folder / "train.txt").write_text("\n".join(lines))
    (folder / "val.txt").write_text("a/6.png 0\nb/1.jpg 1\n")
    with pytest.raises(InputError, match="3 images cannot be read"):
        load(str(folder))
    problem = load(str(folder), DataOptions(skip_unreadable=True))
    assert len(problem.train) + len(problem.validation) == 28 and len(problem.notes) == 1
