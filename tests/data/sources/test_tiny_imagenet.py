"""Tiny ImageNet as it is downloaded: classes, the labelled validation part as test part, errors with the line."""

import pytest
from image_cases import write_image

from autobalance.common import InputError
from autobalance.data import DataOptions, load


def tiny(folder):
    """Tiny ImageNet as it is downloaded, with two classes."""
    for k, name in enumerate(("n01", "n02")):
        for i in range(6):
            write_image(folder / "train" / name / "images" / f"{name}_{i}.JPEG", 10 * k + i, (64, 64))
    lines = []
    for i in range(4):
        write_image(folder / "val" / "images" / f"val_{i}.JPEG", 50 + i, (64, 64))
        lines.append(f"val_{i}.JPEG\tn0{1 + i % 2}\t0\t0\t62\t62\n")
    (folder / "val" / "val_annotations.txt").write_text("".join(lines))
    (folder / "wnids.txt").write_text("n02\nn01\n")
    (folder / "test" / "images").mkdir(parents=True)
    return folder / "val" / "val_annotations.txt"


def test_tiny_imagenet(tmp_path):
    annotations = tiny(tmp_path)
    problem = load(str(tmp_path))
    assert problem.class_names == ("n01", "n02") and problem.test.y.tolist() == [0, 1, 0, 1]
    assert problem.train.shape == (3, 64, 64) and len(problem.train) + len(problem.validation) == 12
    long_tail = load(str(tmp_path), DataOptions(imbalance=3))
    assert (long_tail.train.class_counts(2) + long_tail.validation.class_counts(2)).tolist() == [6, 2]
    with annotations.open("a") as file:
        file.write("val_9.JPEG\tn01\t0\n")
    with pytest.raises(InputError, match=r"val_annotations.txt, line 5: there is no image .*val_9.JPEG"):
        load(str(tmp_path))
    annotations.write_text("val_0.JPEG\tn09\n")
    with pytest.raises(InputError, match=r"line 1, is 'val_0.JPEG\\tn09': it must be a file and a class"):
        load(str(tmp_path))
    with pytest.raises(InputError, match="leave `task` regression out"):
        load(str(tmp_path), DataOptions(task="regression"))
