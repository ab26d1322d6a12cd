"""augmentation.json: what is written comes back, and nothing else is read."""

import json

import pytest
import torch

from autobalance.common import InputError
from autobalance.data.augmentation import Policy, load_augmentation, save_augmentation

STRENGTH = {"noise": [0.1, 0.2], "shift": [0.0, 0.3]}
PROBABILITY = {"noise": [0.5, 0.25], "shift": [1.0, 0.0]}


def saved(path, policy=None):
    save_augmentation(policy or Policy("image", STRENGTH, PROBABILITY, ["a", "b"]), path, {"data": "x"})
    return json.loads(path.read_text())


def test_what_is_written_comes_back(tmp_path):
    path = tmp_path / "augmentation.json"
    content = saved(path)
    policy = load_augmentation(path)
    assert policy.operations == ("shift", "noise") and policy.class_names == ("a", "b")
    torch.testing.assert_close(policy.strength, torch.tensor([[0.0, 0.1], [0.3, 0.2]]))
    torch.testing.assert_close(policy.probability, torch.tensor([[1.0, 0.5], [0.0, 0.25]]))
    assert content["operations"]["shift"]["unit"] == "largest shift, as a share of the side"
    assert content["provenance"] == {"data": "x"}
    save_augmentation(policy, tmp_path / "again.json", {"data": "x"})
    assert (tmp_path / "again.json").read_text() == path.read_text()


def test_groups_come_back(tmp_path):
    policy = Policy("table", {"mix": [[0.1, 0.2, 0.3]]}, {"mix": [[0.5, 0.5, 0.5]]}, group_names=["a", "b", "c"])
    saved(tmp_path / "a.json", policy)
    loaded = load_augmentation(tmp_path / "a.json")
    assert loaded.num_groups == 3 and loaded.group_names == ("a", "b", "c")
    assert torch.equal(loaded.strength, policy.strength)


def operation(**changes):
    return {"noise": {"strength": [0.1, 0.2], "probability": [0.5, 0.5], **changes}}


FAULTS = {
    "another format": ({"format": "autobalance-loss"}, "not an augmentation file"),
    "another version": ({"version": 2}, "version 2"),
    "an unknown key": ({"extra": 1}, "unknown keys"),
    "an unknown kind": ({"kind": "sound"}, "'sound'"),
    "a kind that is no text": ({"kind": ["image"]}, "none of image, table"),
    "no number of classes": ({"num_classes": True}, "num_classes"),
    "another number of classes": ({"num_classes": 3}, "num_classes is 3"),
    "names that are no text": ({"class_names": [1, 2]}, "class_names"),
    "too many names": ({"class_names": ["a", "b", "c"]}, "class_names has 3 names, but the tables have 2"),
    "provenance that is no object": ({"provenance": []}, "provenance"),
    "no operations": ({"operations": {}}, "one or more"),
    "operations that are a list": ({"operations": []}, "operations"),
    "an unknown operation": ({"operations": {"flip": operation()["noise"]}}, "'flip'"),
    "an operation of tables": ({"operations": {"masking": operation()["noise"]}}, "'masking'"),
    "an operation without a probability": ({"operations": {"noise": {"strength": [1, 2]}}}, "exactly"),
    "an operation with more": ({"operations": operation(more=1)}, "exactly"),
    "another unit": ({"operations": operation(unit="miles")}, "the unit of noise"),
    "a number for a list": ({"operations": operation(strength=0.1)}, "not a list"),
    "a text for a number": ({"operations": operation(strength=["0.1", 0.2])}, "not a finite number"),
    "NaN": ({"operations": operation(strength=[float("nan"), 0.2])}, "not a finite number"),
    "a ragged table": ({"operations": operation(strength=[[0.1], [0.1, 0.2]])}, "different lengths"),
    "lists of other lengths": ({"operations": operation(strength=[0.1])}, "both are"),
    "a negative strength": ({"operations": operation(strength=[-0.1, 0.2])}, "below 0"),
    "a probability above one": ({"operations": operation(probability=[1.1, 0.2])}, "above 1"),
}


@pytest.mark.parametrize(("changes", "words"), FAULTS.values(), ids=FAULTS.keys())
def test_files_with_faults_are_refused(tmp_path, changes, words):
    path = tmp_path / "augmentation.json"
    path.write_text(json.dumps(saved(path) | changes))
    with pytest.raises(InputError, match=words) as found:
        load_augmentation(path)
    assert str(path) in str(found.value)


@pytest.mark.parametrize("key", ["format", "version", "kind", "num_classes", "operations"])
def test_missing_keys_are_named(tmp_path, key):
    path = tmp_path / "augmentation.json"
    content = saved(path)
    del content[key]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="format" if key == "format" else key):
        load_augmentation(path)


def test_torn_files_are_refused(tmp_path):
    path = tmp_path / "augmentation.json"
    saved(path)
    path.write_text(path.read_text()[:-30])
    with pytest.raises(InputError, match="not a complete JSON file"):
        load_augmentation(path)
    with pytest.raises(FileNotFoundError):
        load_augmentation(tmp_path / "none.json")
