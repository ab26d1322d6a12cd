"""Files are whole or as they were before, and say what they are. What the losses' files refuse is in losses/."""

import os

import pytest

from autobalance.common import InputError, JsonFormat, read_yaml, write_text

FORMAT = JsonFormat("tests-thing", 3, "a thing")


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def full(number):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            write_text(path, "new")
    assert path.read_text() == "old"
    write_text(path, "new ü")
    assert path.read_text(encoding="utf-8") == "new ü"
    assert [found.name for found in tmp_path.iterdir()] == ["a.txt"]


def test_what_is_written_is_read(tmp_path):
    FORMAT.write(tmp_path / "a.json", {"name": "ü", "values": [1.5]})
    content, fault = FORMAT.read(tmp_path / "a.json")
    assert content == {"name": "ü", "values": [1.5]}
    assert str(fault("too small")) == f"{tmp_path / 'a.json'}: too small"


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (JsonFormat("tests-thing", 2, "a thing"), "version 2 is not the version 3 that this release reads"),
        (JsonFormat("else", 3, "a thing"), 'not a thing: "format" should be "tests-thing"'),
    ],
)
def test_other_formats_and_versions_are_refused(tmp_path, other, words):
    other.write(tmp_path / "a.json", {})
    with pytest.raises(InputError, match=words):
        FORMAT.read(tmp_path / "a.json")


@pytest.mark.parametrize(("content", "words"), [(None, "there is no file"), ("a: [", "cannot be read as YAML")])
def test_yaml_that_cannot_be_read_is_named(tmp_path, content, words):
    path = tmp_path / "a.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=words) as found:
        read_yaml(path)
    assert str(path) in str(found.value) and "\n" not in str(found.value)
