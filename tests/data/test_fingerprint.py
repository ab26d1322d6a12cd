"""A resumed run notices other data, and not other rounding."""

from dataclasses import replace

import pytest
import torch
from image_cases import write_image

from autobalance.common import InputError
from autobalance.data import Problem, Samples, image_files, keep_or_check

X, Y = torch.randn(40, 3, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 2


def problem(**changed):
    parts = {"train": Samples(X, Y), "validation": Samples(X[:9], Y[:9]), "test": Samples(X[:8], Y[:8])} | changed
    return Problem("mine", **parts, class_names=("a", "b"))


def test_the_same_data_pass_and_so_does_other_rounding(tmp_path):
    file = tmp_path / "data.json"
    keep_or_check(problem(), file, resume=False)
    kept = file.read_text()
    keep_or_check(problem(), file, resume=True)
    keep_or_check(problem(train=Samples(X * (1 + 1e-6), Y)), file, resume=True)
    assert file.read_text() == kept
    file.unlink()
    keep_or_check(problem(), file, resume=True)  # a run of an earlier release
    assert file.read_text() == kept


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"train": Samples(X[:-1], Y[:-1])}, "the number and shape of the train samples differ"),
        ({"test": Samples(X[:8], Y[:8].flip(0))}, "the targets of the test samples differ"),
        ({"validation": Samples(X[:9], Y[:9], Y[:9])}, "the targets of the validation samples differ"),
        ({"train": Samples(X + 0.1, Y)}, "the inputs of the train samples differ"),
        ({"train": Samples(X[:, [1, 0, 2]], Y)}, "the inputs of the train samples differ"),
    ],
)
def test_other_data_are_refused(tmp_path, changed, words):
    keep_or_check(problem(), tmp_path / "data.json", resume=False)
    with pytest.raises(InputError, match=words):
        keep_or_check(problem(**changed), tmp_path / "data.json", resume=True)


@pytest.mark.parametrize("names", [{"class_names": ("b", "a")}, {"class_names": ("a", "c")}])
def test_other_names_of_the_classes_are_refused(tmp_path, names):
    keep_or_check(problem(), tmp_path / "data.json", resume=False)
    with pytest.raises(InputError, match="the names of the class labels differ, or their order"):
        keep_or_check(replace(problem(), **names), tmp_path / "data.json", resume=True)


def test_image_files_of_another_size_are_noticed_and_another_folder_is_not(tmp_path):
    paths = [write_image(tmp_path / "a" / f"{i}.png", i) for i in range(8)]
    samples = Samples(image_files(paths), Y[:8])
    keep_or_check(problem(test=samples), tmp_path / "data.json", resume=False)
    (tmp_path / "a").rename(tmp_path / "b")
    moved = replace(samples, x=image_files([tmp_path / "b" / path.name for path in paths]))
    keep_or_check(problem(test=moved), tmp_path / "data.json", resume=True)
    write_image(tmp_path / "b" / "3.png", 99, (50, 50))
    with pytest.raises(InputError, match="the files of the test samples differ"):
        keep_or_check(problem(test=moved), tmp_path / "data.json", resume=True)


def test_a_file_is_compared_as_a_whole(tmp_path):
    table = tmp_path / "table.csv"
    for before, now, same in (("a\n1\n", "a\n1\n", True), ("a\n1\n", "a\n1.0000001\n", False)):
        table.write_text(before)
        keep_or_check(problem(), tmp_path / "data.json", resume=False, source=str(table))
        table.write_text(now)
        if same:
            keep_or_check(problem(), tmp_path / "data.json", resume=True, source=str(table))
            continue
        with pytest.raises(InputError, match=r"the content of .*table\.csv differs"):
            keep_or_check(problem(), tmp_path / "data.json", resume=True, source=str(table))
    keep_or_check(problem(), tmp_path / "data.json", resume=True, source="digits")


def test_a_torn_file(tmp_path):
    (tmp_path / "data.json").write_text('{"train": ')
    with pytest.raises(InputError, match=r"data.json is damaged"):
        keep_or_check(problem(), tmp_path / "data.json", resume=True)
