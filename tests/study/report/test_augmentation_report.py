"""What the report shows of an augmentation."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from make_run import result, write_run
from PIL import Image

from autobalance.common import InputError
from autobalance.data.augmentation import Policy, save_augmentation
from autobalance.study.report import results_table, scores, verdict, write_report
from autobalance.study.report._augmentation_plots import _mosaic
from autobalance.study.report._page import _usage
from autobalance.study.report._run import read_run
from autobalance.study.report._scores import best_fixed

K = 5
SCORES = {"searched": [6.0, 6.2], "ce": [9.0, 9.4], "la": [7.0, 7.2], "ce+augment": [5.0, 5.2]}


def policy(number=K, **more):
    return Policy("image", {"brightness": [0.8] * number, "noise": torch.linspace(0, 0.5, number)},
                  {"brightness": [0.5] * number, "noise": [1.0] * number}, **more)  # fmt: skip


def content():
    made = result(SCORES, K)
    made["search"]["free"] = ["l", "augment"]
    return made


def write_found(directory):
    """The files of the augmentation that a run found."""
    save_augmentation(policy(), directory / "augmentation.json")
    draw = np.random.default_rng(0)
    images = {"samples": draw.normal(size=(4, 3, 8, 8)), "copies": draw.normal(size=(4, 7, 3, 8, 8))}
    np.savez(directory / "augmented.npz", classes=[0, 1, 3, 4], **images)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    directory = write_run(tmp_path_factory.mktemp("run"), content())
    write_found(directory)
    return write_report(directory).read_text()


def test_the_page_shows_images_strengths_and_units(page):
    assert "The augmentation that was found" in page
    assert "Mean strength of each operation by class" in page
    assert "largest standard deviation, in the unit of the inputs, at most 0.5" in page
    for expected in ("50", "100", "0"):  # noise: 0 to 100 % of its largest; brightness: half of it
        assert re.search(rf">{expected}</text>", page)
    found = re.search(r'<image[^>]*href="data:image/png;base64,([^"]+)"', page, re.S)
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(found.group(1)))).convert("RGB"), dtype=float)
    assert shown.std() > 20  # a picture, not a blank


def test_the_usage_loads_the_policy(page):
    assert "policy = autobalance.load_augmentation(" in page
    assert "inputs, targets = policy(inputs, targets)" in page


def test_the_usage_of_a_fixed_loss_has_no_augmentation_of_the_searched_one(tmp_path):
    choice = {"chosen": "la", "best_fixed": "la", "margin": -1.0, "interval": [-2.0, 0.5], "confidence": 0.1}
    directory = write_run(tmp_path, {**content(), **choice})
    write_found(directory)
    usage = _usage(read_run(directory), directory)
    assert "load_augmentation(" not in usage and "# logit adjustment" in usage


def test_the_method_is_named_after_what_it_is_and_the_best_fixed_loss_is_fixed(page):
    made = content()
    assert "your loss with its augmentation" in verdict(made).sentence
    assert "logit adjustment" in verdict(made).sentence
    assert best_fixed(scores(made)).method == "la"
    assert results_table(made).row_count == 4
    assert "cross-entropy, same augmentation" in page and "were trained with the augmentation" in page


def test_a_run_without_a_policy_says_nothing_of_it(tmp_path):
    page = write_report(write_run(tmp_path, result({"searched": [6.0], "ce": [9.0]}, K))).read_text()
    assert "augmentation" not in page


def test_a_policy_of_rows_and_many_classes(tmp_path):
    many = 30
    made = result(SCORES, many)
    directory = write_run(tmp_path, made)
    rows = Policy("table", {"noise": [[0.1, 0.3]] * many}, {"noise": [[0.5, 0.5]] * many})
    save_augmentation(rows, directory / "augmentation.json")
    page = write_report(directory).read_text()
    assert "most frequent" in page and "<image" not in page  # no samples
    assert "policy(inputs, targets, group)" in page


def test_a_policy_for_other_classes_is_refused(tmp_path):
    directory = write_run(tmp_path, content())
    save_augmentation(policy(3), directory / "augmentation.json")
    with pytest.raises(InputError, match="has 3 classes"):
        write_report(directory)


def test_mosaic_puts_images_where_they_belong():
    images = np.zeros((2, 3, 1, 4, 5))
    images[1, 2, 0, 3, 4] = 0.5
    picture, pitch = _mosaic(images)
    assert pitch == 6 and picture.shape == (12, 18, 3)
    assert (picture[6 + 3, 12 + 4] == 0.5).all()
    assert (picture[4] == 1).all() and (picture[:, 5] == 1).all()
