"""Texts as vectors: TF-IDF, reduced by a truncated singular value decomposition (latent semantic analysis)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from autobalance.common import InputError
from autobalance.data.encoders._encoder import Kept

if TYPE_CHECKING:
    import pandas as pd

#: Numbers that a text is reduced to. On the validation pairs of STS-B-DIR, 20 to 200 were about as good.
DIMENSIONS = 50

#: What is counted in a text: words, or runs of 2 to 4 characters within words.
_COUNTED: dict[str, dict[str, Any]] = {"words": {}, "characters": {"analyzer": "char_wb", "ngram_range": (2, 4)}}


@dataclass(frozen=True)
class TfIdf:
    """TF-IDF vectors of length one: (1 + log count) * idf.

    Args:
        counted: a name of `_COUNTED`.
        terms: the vocabulary, V of them.
        idf: of each, (V,).
    """

    counted: str
    terms: tuple[str, ...]
    idf: NDArray[np.float64]

    @classmethod
    def fit(cls, counted: str, texts: NDArray[Any]) -> TfIdf:
        """The terms of ``texts`` and their inverse frequencies.

        Raises:
            InputError: there is none.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectoriser = TfidfVectorizer(sublinear_tf=True, **_COUNTED[counted])
        try:
            vectoriser.fit(texts)
        except ValueError as error:  # an empty vocabulary
            raise InputError(f"the training texts hold no words: {error}") from None
        return cls(counted, tuple(vectoriser.get_feature_names_out().tolist()), vectoriser.idf_)

    @cached_property
    def _vectoriser(self) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectoriser = TfidfVectorizer(sublinear_tf=True, vocabulary=self.terms, **_COUNTED[self.counted])
        vectoriser.idf_ = self.idf
        return vectoriser

    def __call__(self, texts: NDArray[Any]) -> Any:
        """A sparse matrix (N, V)."""
        return self._vectoriser.transform(texts)


@dataclass(frozen=True)
class TextEncoder:
    """One column of texts as vectors, or two columns as pairs that are to be compared.

    A text t has the vector u of its 50 first coordinates in the singular value decomposition of the training texts'
    TF-IDF matrix (words, 1 + log of the counts, length one). Of a pair (t, t') the features are |u - u'|, u · u'
    (both elementwise, 50 numbers each), and the cosine of the two TF-IDF vectors, of words and of runs of 2 to 4
    characters within words. Vocabulary, frequencies and decomposition are of the training texts alone.

    Args:
        columns: the names of one or two columns; a missing text is an empty one.
        words: counts words.
        basis: of the decomposition, (50, V), or fewer rows where the vocabulary is smaller.
        characters: counts runs of characters, for a pair.

    Source: Deerwester et al. 1990 (latent semantic analysis); the features of a pair as in Conneau et al. 2017,
    section 3.1.
    """

    columns: tuple[str, ...]
    words: TfIdf
    basis: NDArray[np.float64]
    characters: TfIdf | None = None

    @classmethod
    def fit(cls, texts: pd.DataFrame) -> TextEncoder:
        """Fitted on the training texts.

        Raises:
            InputError: they hold no two words.
        """
        from sklearn.decomposition import TruncatedSVD

        names = tuple(map(str, texts.columns))
        columns = _columns(texts, names)
        together = np.concatenate(columns)
        words = TfIdf.fit("words", together)
        if len(words.terms) < 2:
            raise InputError("the training texts hold a single word: there is nothing to learn")
        decomposition = TruncatedSVD(min(DIMENSIONS, len(words.terms) - 1), random_state=0).fit(words(together))
        characters = TfIdf.fit("characters", together) if len(columns) == 2 else None
        return cls(names, words, decomposition.components_, characters)

    def vectors(self, texts: pd.DataFrame) -> NDArray[np.float64]:
        """(N, 50) or (N, 102); fewer where the vocabulary is smaller."""
        columns = _columns(texts, self.columns)
        counted = [self.words(column) for column in columns]
        reduced = [each @ self.basis.T for each in counted]
        if self.characters is None:
            return reduced[0]
        u, v = reduced
        runs = [self.characters(column) for column in columns]
        return np.hstack([np.abs(u - v), u * v, _cosine(*counted), _cosine(*runs)])

    def kept(self) -> Kept:
        """See `Encoder.kept`."""
        counts = {each.counted: each for each in (self.words, self.characters) if each is not None}
        settings = {"columns": list(self.columns), "terms": {name: list(each.terms) for name, each in counts.items()}}
        idf = {name: torch.from_numpy(each.idf) for name, each in counts.items()}
        return Kept(settings, {"basis": torch.from_numpy(np.ascontiguousarray(self.basis)), **idf})

    @classmethod
    def made_of(cls, kept: Kept) -> TextEncoder:
        """See `Encoder.made_of`."""
        counts = {
            name: TfIdf(name, tuple(map(str, terms)), kept.tensors[name].double().numpy())
            for name, terms in kept.settings["terms"].items()
        }
        columns = tuple(map(str, kept.settings["columns"]))
        return cls(columns, counts["words"], kept.tensors["basis"].double().numpy(), counts.get("characters"))


def _columns(texts: pd.DataFrame, names: Sequence[str]) -> list[NDArray[Any]]:
    return [texts[name].fillna("").astype(str).to_numpy(dtype=object) for name in names]


def _cosine(first: Any, second: Any) -> NDArray[np.float64]:
    return np.asarray(first.multiply(second).sum(axis=1)).reshape(-1, 1)
