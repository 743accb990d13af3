"""Random draws of related items from clusters, one combination at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mmdu_analysis.building.embedding import WORD

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class Drawn(NamedTuple):
    """One combination.

    Attributes
    ----------
    cluster : int
        The cluster of its items.
    ids : list of str
        Its items, in the order of the images.
    similarities : list of float
        Cosine of each caption to that of the first item.
    """

    cluster: int
    ids: list[str]
    similarities: list[float]


class Pools:
    """The items that are left in each cluster.

    Parameters
    ----------
    items : pandas.DataFrame
        With ``id``, ``cluster``, ``caption`` and ``title``, sorted by ``id``.
    weights : mapping
        Number of images to its weight.
    rng : numpy.random.Generator
        Random number generator.
    reuse : bool
        Whether items stay in the pool after they are drawn.
    """

    def __init__(
        self, items: pd.DataFrame, weights: Mapping[int, float], rng: np.random.Generator, *, reuse: bool
    ) -> None:
        import numpy as np

        self._weights, self._rng, self._reuse = dict(sorted(weights.items())), rng, reuse
        self._least = min(weights)
        groups = {int(key): rows for key, rows in items.groupby("cluster") if len(rows) >= self._least}
        self._groups, self._names = list(groups.values()), list(groups)
        self._free = [np.ones(len(rows), dtype=bool) for rows in self._groups]
        self._left = np.array([len(rows) for rows in self._groups], dtype=float)
        self._vectors: dict[int, Any] = {}

    def draw(self) -> Drawn | None:
        """Draw a cluster (weighted by its remaining items), one of its items, and those with the most similar captions.

        Returns
        -------
        Drawn or None
            None where no cluster has enough items.
        """
        import numpy as np

        total = self._left.sum()
        if not total:
            return None
        index = int(self._rng.choice(len(self._left), p=self._left / total))
        free = np.flatnonzero(self._free[index])
        first = int(self._rng.choice(free))
        others = free[free != first]
        similarity = self._similarity(index, first)
        ranked = others[np.argsort(-np.round(similarity[others], 6), kind="stable")]
        chosen = [first, *(int(other) for other in ranked[: self._size(len(free)) - 1])]
        if not self._reuse:
            self._free[index][chosen] = False
            left = int(self._free[index].sum())
            self._left[index] = left if left >= self._least else 0
        ids = self._groups[index]["id"].iloc[chosen].tolist()
        return Drawn(self._names[index], ids, [float(similarity[one]) for one in chosen])

    def _size(self, most: int) -> int:
        """Draw a number of images that the pool allows."""
        import numpy as np

        fitting = [size for size in self._weights if size <= most]
        chances = np.array([self._weights[size] for size in fitting])
        return int(fitting[self._rng.choice(len(fitting), p=chances / chances.sum())])

    def _similarity(self, index: int, first: int) -> np.ndarray:
        """Compare one caption with all of its cluster."""
        import numpy as np

        if index not in self._vectors:
            self._vectors[index] = _caption_vectors(self._groups[index])
        vectors = self._vectors[index]
        return np.asarray((vectors @ vectors[first].T).toarray()).ravel()


def _caption_vectors(rows: pd.DataFrame) -> Any:
    """Return tf-idf vectors of the captions of one cluster; a missing caption is replaced by the title."""
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

    captions = rows["caption"].where(rows["caption"].str.strip() != "", rows["title"])
    try:
        return TfidfVectorizer(stop_words="english", token_pattern=WORD).fit_transform(captions)
    except ValueError:  # no words at all
        return csr_matrix((len(rows), 1))
