"""Sparse vectors of texts: their nearest neighbours, smoothing over neighbours, and the pairs above a threshold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_matrix

_BLOCK = 1_000
"""Rows of one product; bounds the memory."""
_FLOOR = 0.1
"""Lower similarities are those of texts that share a few words by chance."""
_MOST_WORDS = 48
"""Words that a smoothed vector keeps."""
_LEAST_WEIGHT = 0.05
"""A smoothed vector drops weights below this share of its largest one."""
_COMMON = 5_000
"""Words that occur in more texts than this are not used to search neighbours: they cost most and carry least information."""


def nearest(vectors: csr_matrix, k: int, least: float = _FLOOR) -> csr_matrix:
    """Find the nearest neighbours of each row by cosine similarity.

    Parameters
    ----------
    vectors : scipy.sparse.csr_matrix, shape (n, n_words)
        Rows of unit length, with weights that are not negative.
    k : int
        Neighbours of a row at most, the row itself included.
    least : float, default 0.1
        Less similar pairs are not neighbours.

    Returns
    -------
    scipy.sparse.csr_matrix, shape (n, n)
        Similarities. Of equally similar neighbours the first ones are kept.
    """
    import numpy as np
    from scipy.sparse import csr_matrix

    counts, columns, values = [], [], []
    for block in _products(vectors, least):
        for row in range(block.shape[0]):
            span = slice(block.indptr[row], block.indptr[row + 1])
            column, value = block.indices[span], block.data[span]
            if len(value) > k:
                # Round first, so that the order of summation does not decide between equal neighbours.
                chosen = np.lexsort((column, -np.round(value, 9)))[:k]
                column, value = column[chosen], value[chosen]
            counts.append(len(value))
            columns.append(column)
            values.append(value)
    pointers = np.concatenate([[0], np.cumsum(counts)])
    shape = (vectors.shape[0], vectors.shape[0])
    return csr_matrix((np.concatenate(values), np.concatenate(columns), pointers), shape=shape)


def pairs_above(vectors: Any, threshold: float) -> csr_matrix:
    """Return the similarities of all pairs of rows that reach a threshold, as a sparse matrix."""
    from scipy.sparse import csr_matrix, vstack

    blocks = list(_products(vectors, threshold))
    return csr_matrix(vstack(blocks)) if blocks else csr_matrix((0, 0))


def _products(vectors: Any, least: float) -> Iterator[Any]:
    """Multiply the rows with all rows, block by block, and keep what reaches `least`."""
    from scipy.sparse import csr_matrix, issparse

    transposed = _without_common_words(vectors).T.tocsr() if issparse(vectors) else vectors.T
    for start in range(0, vectors.shape[0], _BLOCK):
        product = vectors[start : start + _BLOCK] @ transposed
        if not issparse(
            product
        ):  # dense embeddings: set small values to zero first, so that few values are stored
            product[product < least - 1e-9] = 0
        block = csr_matrix(product)
        block.data[block.data < least - 1e-9] = 0
        block.eliminate_zeros()
        block.sort_indices()
        yield block


def _without_common_words(vectors: csr_matrix) -> csr_matrix:
    import numpy as np
    from scipy.sparse import diags

    common = np.bincount(vectors.indices, minlength=vectors.shape[1]) > _COMMON
    return vectors @ diags((~common).astype(vectors.dtype)) if common.any() else vectors


def smooth(vectors: csr_matrix, k: int, power: float) -> csr_matrix:
    """Replace each row by the weighted mean of its neighbours.

    Parameters
    ----------
    vectors : scipy.sparse.csr_matrix, shape (n, n_words)
        Rows of unit length.
    k : int
        Neighbours of a row, itself included.
    power : float
        A neighbour counts with its similarity to this power.

    Returns
    -------
    scipy.sparse.csr_matrix, shape (n, n_words)
        Rows of unit length. Each keeps its 48 largest weights.

    Notes
    -----
    Database-side feature augmentation (Arandjelović and Zisserman 2012) with the weights of alpha query
    expansion (Radenović et al. 2019): words missing from a text are added from the most similar texts, and
    words that occur in only one of them lose weight.
    """
    from sklearn.preprocessing import normalize

    neighbours = nearest(vectors, k)
    neighbours.data **= power
    return normalize(_pruned((neighbours @ vectors).tocsr()))


def _pruned(vectors: csr_matrix) -> csr_matrix:
    """Drop the small weights of each row."""
    import numpy as np

    vectors.sort_indices()
    lengths = np.diff(vectors.indptr)
    rows = np.repeat(np.arange(vectors.shape[0]), lengths)
    largest = vectors.max(axis=1).toarray().ravel()
    rank = np.empty(len(rows), dtype=np.int64)
    order = np.lexsort((vectors.indices, -np.round(vectors.data, 9), rows))
    rank[order] = np.arange(len(rows)) - np.repeat(vectors.indptr[:-1], lengths)
    vectors.data[(rank >= _MOST_WORDS) | (vectors.data < _LEAST_WEIGHT * largest[rows])] = 0
    vectors.eliminate_zeros()
    return vectors


def dense_similarities(vectors: Any, rows: np.ndarray) -> np.ndarray:
    """Return the similarities of some rows with each other, as a dense matrix."""
    import numpy as np

    chosen = vectors[rows]
    product = chosen @ chosen.T
    return np.clip(product.toarray() if hasattr(product, "toarray") else product, -1.0, 1.0)
