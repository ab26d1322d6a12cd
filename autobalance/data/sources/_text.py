"""Texts as vectors: TF-IDF, reduced by a truncated singular value decomposition (latent semantic analysis)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError

if TYPE_CHECKING:
    import pandas as pd

#: Numbers that a text is reduced to. On the validation pairs of STS-B-DIR, 20 to 200 were about as good.
DIMENSIONS = 50


def encode_texts(texts: pd.DataFrame, train: NDArray[np.int64]) -> NDArray[np.float64]:
    """One column of texts as vectors, or two columns as pairs that are to be compared.

    A text t has the vector u of its 50 first coordinates in the singular value decomposition of the training texts'
    TF-IDF matrix (words, 1 + log of the counts, length one). Of a pair (t, t') the features are |u - u'|, u · u'
    (both elementwise, 50 numbers each), and the cosine of the two TF-IDF vectors, of words and of runs of 2 to 4
    characters within words. Vocabulary, frequencies and decomposition are of the training texts alone.

    Args:
        texts: one or two columns; a missing text is an empty one.
        train: positions of the training rows.

    Returns:
        (N, 50) or (N, 102); fewer where the vocabulary is smaller.

    Raises:
        InputError: the training texts hold no two words.

    Source: Deerwester et al. 1990 (latent semantic analysis); the features of a pair as in Conneau et al. 2017,
    section 3.1.
    """
    columns = [texts[name].fillna("").astype(str).to_numpy(dtype=object) for name in texts]
    words = _TfIdf(columns, train, {})
    if words.size < 2:
        raise InputError("the training texts hold a single word: there is nothing to learn")
    reduced = words.reduced()
    if len(reduced) == 1:
        return reduced[0]
    u, v = reduced
    characters = _TfIdf(columns, train, {"analyzer": "char_wb", "ngram_range": (2, 4)})
    return np.hstack([np.abs(u - v), u * v, words.cosine(), characters.cosine()])


class _TfIdf:
    """Sparse TF-IDF vectors of length one, one matrix a column, fitted on the training rows of all columns together."""

    def __init__(self, columns: list[NDArray[Any]], train: NDArray[np.int64], settings: dict[str, Any]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectoriser = TfidfVectorizer(sublinear_tf=True, **settings)
        try:
            self.fitted_on = vectoriser.fit_transform(np.concatenate([column[train] for column in columns]))
        except ValueError as error:  # an empty vocabulary
            raise InputError(f"the training texts hold no words: {error}") from None
        self.size: int = self.fitted_on.shape[1]
        self.columns = [vectoriser.transform(column) for column in columns]

    def reduced(self) -> list[NDArray[np.float64]]:
        from sklearn.decomposition import TruncatedSVD

        decomposition = TruncatedSVD(min(DIMENSIONS, self.size - 1), random_state=0).fit(self.fitted_on)
        return [decomposition.transform(column) for column in self.columns]

    def cosine(self) -> NDArray[np.float64]:
        first, second = self.columns
        return np.asarray(first.multiply(second).sum(axis=1)).reshape(-1, 1)
