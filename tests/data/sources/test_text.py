"""Texts as vectors: against scikit-learn's pieces put together by hand, training texts alone, pairs, errors."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from autobalance.common import InputError
from autobalance.data import DataOptions, load
from autobalance.data.encoders._text import TextEncoder

WORDS = ["red", "green", "blue", "cat", "dog", "bird", "sits", "runs", "flies", "under", "over", "tree", "house"]


def encode_texts(texts, train):
    """All texts as vectors, with what the rows at ``train`` know."""
    return TextEncoder.fit(texts.iloc[train]).vectors(texts)


def sentences(n, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, 5)) for _ in range(n)]


def test_pairs_have_the_distance_the_product_and_two_cosines():
    frame = pd.DataFrame({"a": sentences(40), "b": sentences(40, 1)})
    frame.loc[39, "b"] = frame.loc[39, "a"]
    train = np.arange(30)
    features = encode_texts(frame, train)
    rank = len(WORDS) - 1
    assert features.shape == (40, 2 * rank + 2)

    vectoriser = TfidfVectorizer(sublinear_tf=True).fit([*frame["a"][:30], *frame["b"][:30]])
    first, second = (vectoriser.transform(frame[c]).toarray() for c in "ab")
    basis = np.linalg.svd(np.concatenate([first[:30], second[:30]]), full_matrices=False)[2][:rank]
    u, v = first @ basis.T, second @ basis.T
    # the signs of singular vectors are arbitrary; neither feature depends on them
    np.testing.assert_allclose(features[:, :rank], np.abs(u - v), atol=1e-6)
    np.testing.assert_allclose(features[:, rank:-2], u * v, atol=1e-6)
    np.testing.assert_allclose(features[:, -2], (first * second).sum(1), atol=1e-12)
    assert features[39, :rank].max() < 1e-12 and features[39, -2:] == pytest.approx([1, 1])


def test_one_column_gives_the_vectors_and_only_training_texts_have_a_say():
    frame = pd.DataFrame({"a": [*sentences(30), "unheard of things", None]})
    features = encode_texts(frame, np.arange(30))
    assert features.shape == (32, len(WORDS) - 1) and not features[30:].any()
    frame.loc[31, "a"] = "red red wholly other words"
    np.testing.assert_array_equal(encode_texts(frame, np.arange(30))[:30], features[:30])


def table(n=120):
    frame = pd.DataFrame({"note": sentences(n), "other": sentences(n, 1), "size": np.arange(n), "name": np.arange(n)})
    frame["name"] = [f"no {i}" for i in range(n)]
    return frame.assign(score=[(s.count("red") + s.count("cat")) / 2 for s in frame["note"]])


def opened(path, frame, **options):
    frame.to_csv(path / "mine.tsv", index=False, sep="\t")
    return load(
        str(path / "mine.tsv"), DataOptions(**{"target": "score", "task": "regression", "drop": ["name"], **options})
    )


def test_texts_stand_beside_the_other_columns_of_a_table(tmp_path):
    problem = opened(tmp_path, table(), text=["note", "other"])
    rank = len(WORDS) - 1
    assert problem.train.x.shape[1] == 2 * rank + 2 + 1
    assert problem.train.x.mean(0).abs().max() < 1e-5
    assert (problem.train.x.std(0, correction=0) - 1).abs().max() < 1e-3
    # the words decide the score: least squares on the training split predicts the test split
    problem = opened(tmp_path, table(), text=["note"], drop=["name", "other"])
    inputs = [np.c_[part.x.double().numpy(), np.ones(len(part))] for part in (problem.train, problem.test)]
    solution = np.linalg.lstsq(inputs[0], problem.train.y.double().numpy(), rcond=None)[0]
    assert np.corrcoef(inputs[1] @ solution, problem.test.y)[0, 1] > 0.6


def test_a_class_can_be_read_from_texts_too(tmp_path):
    frame = table().assign(score=np.where(np.arange(120) % 3 == 0, "a", "b"))
    assert (
        opened(tmp_path, frame, text=["note"], task="classification", drop=["name", "size", "other"]).num_classes == 2
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"text": ["nota"]}, r"`text`: .*mine.tsv has no column 'nota': it has note, other"),
        ({"drop": ["nam"]}, r"`drop`: .*mine.tsv has no column 'nam'"),
        ({"text": ["score"]}, "`text` score is the target"),
        ({"text": ["note", "other", "name"]}, "give one column, or two"),
        ({"text": ["name"]}, "'name' cannot be both in `text` and in `drop`"),
    ],
)
def test_what_is_refused(options, words, tmp_path):
    with pytest.raises(InputError, match=words):
        opened(tmp_path, table(), **options)


def test_texts_that_differ_in_every_row_are_left_out(tmp_path):
    problem = opened(tmp_path, table(), drop=[], text=["note"])
    assert [name for name, _ in problem.encoder.dropped] == ["other", "name"]


@pytest.mark.parametrize(("text", "words"), [("", "hold no words"), ("word", "a single word")])
def test_texts_without_content(text, words):
    with pytest.raises(InputError, match=words):
        encode_texts(pd.DataFrame({"a": [text] * 5}), np.arange(4))


def test_sources_without_columns():
    with pytest.raises(InputError, match="`text` a,b has no effect on digits"):
        load("digits", DataOptions(text=["a", "b"]))
    with pytest.raises(InputError, match="`split` part has no effect on diabetes"):
        load("diabetes", DataOptions(task="regression", split="part"))
