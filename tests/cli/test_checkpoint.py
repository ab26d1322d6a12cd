"""Checkpoints that are whole at any moment and run nothing."""

import hashlib
import io
import os
import pickle
import zipfile

import pytest
import torch
from toy import same

from autobalance.cli._checkpoint import Checkpoint, previous
from autobalance.common import InputError


def example(epoch=1):
    search = {"inner": {"a.weight": torch.randn(3, 4)}, "epoch": epoch, "queue": [torch.arange(3)], "betas": (0.8, 0.9)}
    return Checkpoint(search, [{"epoch": epoch, "train_loss": None}], 1.5, {"ce/0": {"balanced_error": 3.0}})


def with_sum(payload):
    return payload + b"\nsha256 " + hashlib.sha256(payload).hexdigest().encode()


def summed(content, path):
    """Writes what has the right checksum, whatever it is."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path.write_bytes(with_sum(buffer.getvalue()))


def test_what_is_saved_is_read(tmp_path):
    kept = example()
    kept.save(tmp_path / "checkpoint.pt")
    assert same(vars(Checkpoint.load(tmp_path / "checkpoint.pt")), vars(kept))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


@pytest.mark.parametrize("error", (KeyboardInterrupt, OSError(28, "No space left on device")))
def test_the_old_one_stays_if_the_new_one_breaks_off(tmp_path, monkeypatch, error):
    path, old = tmp_path / "checkpoint.pt", example(1)
    old.save(path)
    whole = torch.save

    def break_off(content, file):
        buffer = io.BytesIO()
        whole(content, buffer)
        file.write(buffer.getvalue()[: len(buffer.getvalue()) // 2])
        raise error

    monkeypatch.setattr(torch, "save", break_off)
    with pytest.raises(type(error) if isinstance(error, Exception) else error):
        example(2).save(path)
    assert same(vars(Checkpoint.load(path)), vars(old))
    monkeypatch.undo()
    example(2).save(path)
    assert Checkpoint.load(path).search["epoch"] == 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_is_an_os_error(tmp_path):
    (tmp_path / "checkpoint.pt.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        example().save(tmp_path / "checkpoint.pt")


def test_a_torn_file_is_refused_wherever_it_is_cut_or_spoilt(tmp_path):
    path = tmp_path / "checkpoint.pt"
    example().save(path)
    whole = path.read_bytes()
    for end in range(0, len(whole), len(whole) // 37):
        path.write_bytes(whole[:end])
        with pytest.raises(InputError, match=r"checkpoint\.pt cannot be read \(.*start a new run") as caught:
            Checkpoint.load(path)
        assert "\n" not in str(caught.value)
    for content in (b"not a checkpoint", pickle.dumps({1, 2}), b"\x80\x02" + bytes(range(256)), b"\0" * 999):
        path.write_bytes(content)
        with pytest.raises(InputError, match="start a new run"):
            Checkpoint.load(path)


@pytest.mark.parametrize(
    "change", [{"version": 1}, {"version": None}, {"more": 1}, {"history": "left out"}], ids=lambda change: str(change)
)
def test_another_version_or_other_parts_are_refused(tmp_path, change):
    content = {"version": 3, **vars(example()), **change}
    content = {key: value for key, value in content.items() if value != "left out"}
    summed(content, tmp_path / "checkpoint.pt")
    with pytest.raises(InputError, match="is not a checkpoint of this release"):
        Checkpoint.load(tmp_path / "checkpoint.pt")
    summed([1, 2], tmp_path / "checkpoint.pt")
    with pytest.raises(InputError, match="is not a checkpoint of this release"):
        Checkpoint.load(tmp_path / "checkpoint.pt")


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("form", ("zip", "pickle"))
def test_nothing_in_a_file_is_run(tmp_path, form):
    path, mark = tmp_path / "checkpoint.pt", tmp_path / "ran"
    content = {"version": 3, **vars(example()), "history": [Payload(str(mark))]}
    if form == "zip":
        summed(content, path)
        assert zipfile.is_zipfile(path)
    else:
        path.write_bytes(with_sum(pickle.dumps(content)))
    with pytest.raises(InputError, match=r"cannot be read \((?!it is torn)"):
        Checkpoint.load(path)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Payload(str(mark)))).close()  # and it would have run
    assert mark.exists()


def test_a_flipped_bit_is_found_wherever_it_is(tmp_path):
    path = tmp_path / "checkpoint.pt"
    example().save(path)
    whole = path.read_bytes()
    for place in range(0, len(whole), len(whole) // 53):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(InputError, match=r"cannot be read \(it is torn, or not what was written"):
            Checkpoint.load(path)
    path.write_bytes(whole + b" ")
    with pytest.raises(InputError, match="cannot be read"):
        Checkpoint.load(path)


def test_the_last_two_are_kept_and_a_torn_one_falls_back_with_a_message(tmp_path):
    path, said = tmp_path / "checkpoint.pt", []
    assert Checkpoint.latest(path, "", said.append) is None
    for epoch in (1, 2, 3):
        example(epoch).save(path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["checkpoint.previous.pt", "checkpoint.pt"]
    assert Checkpoint.latest(path, "", said.append).search["epoch"] == 3 and not said
    path.write_bytes(path.read_bytes()[:-200])
    assert Checkpoint.latest(path, "", said.append).search["epoch"] == 2
    assert len(said) == 1 and "checkpoint.pt cannot be read" in said[0] and "from the one before it" in said[0]
    path.unlink()  # killed while one took the place of the other
    assert Checkpoint.latest(path, "", said.append).search["epoch"] == 2
    example(3).save(path)
    for each in (path, previous(path)):
        each.write_bytes(b"no checkpoint")
    with pytest.raises(InputError, match="cannot be read"):
        Checkpoint.latest(path, "", said.append)


def test_that_of_another_run_is_refused(tmp_path):
    path = tmp_path / "checkpoint.pt"
    example().save(path)
    with pytest.raises(InputError, match=r"checkpoint\.pt is of a run with other options"):
        Checkpoint.latest(path, "seed 1", print)
