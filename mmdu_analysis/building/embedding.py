"""Embeddings of items: tf-idf of their tags and captions, or from a server or a local model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from mmdu_analysis.building.neighbours import smooth
from mmdu_analysis.schema import DataError, require_columns, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd

Embed = Literal["tfidf", "endpoint", "sentence-transformers"]
EMBEDS: tuple[Embed, ...] = ("tfidf", "endpoint", "sentence-transformers")
WORD = r"(?u)\b\w+\b"
"""Pattern of a word; it includes single letters, unlike the default of scikit-learn."""
_NEIGHBOURS = 20
_POWER = 2.0
_ROUNDS = 3
_WORDS_OF_TEXT = 50
_BATCH = 256


@dataclass(frozen=True)
class Embedding:
    """Items as vectors of unit length.

    Attributes
    ----------
    ids : tuple of str
        The items, in the order of the rows.
    vectors : scipy.sparse.csr_matrix or numpy.ndarray, shape (n, n_dimensions)
        Cosine similarity is their scalar product.
    method : str
        The method, with the name of the model if there is one.
    """

    ids: tuple[str, ...]
    vectors: Any
    method: str


def item_texts(items: pd.DataFrame) -> list[str]:
    """Return the text of each item to be embedded: tags, title and caption.

    Parameters
    ----------
    items : pandas.DataFrame
        From `load_items`.

    Returns
    -------
    list of str
        The first 50 words of ``text`` if an item has neither tags, title nor caption.
    """
    columns = [items[name].fillna("").astype(str) for name in ("tags", "title", "caption", "text")]
    texts = []
    for tags, title, caption, text in zip(*columns, strict=True):
        short = " ".join(part for part in (tags, title, caption) if part.strip())
        texts.append(short or " ".join(text.split()[:_WORDS_OF_TEXT]))
    return texts


def embed_items(
    items: pd.DataFrame,
    embed: Embed = "tfidf",
    *,
    model: str | None = None,
    base_url: str | None = None,
) -> Embedding:
    """Embed items as vectors of unit length.

    Parameters
    ----------
    items : pandas.DataFrame
        From `load_items`.
    embed : {"tfidf", "endpoint", "sentence-transformers"}, default "tfidf"
        ``tfidf`` weights the words of tags, title and caption, and smooths each vector over its nearest
        neighbours; it needs no model. ``endpoint`` asks a server that has ``/v1/embeddings``.
        ``sentence-transformers`` takes a model from a local folder.
    model : str, optional
        Name at the server, or path of the local model.
    base_url : str, optional
        The server, such as ``http://localhost:8000/v1``.

    Returns
    -------
    Embedding
        Rows in the order of the ids, independent of the order of `items`.

    Raises
    ------
    DataError
        If ids are repeated, a model is needed and not named, or an extra is missing.

    Examples
    --------
    >>> import mmdu_analysis as mmdu
    >>> items = mmdu.building.sample_items(n_clusters=2, per_cluster=3)
    >>> mmdu.building.embed_items(items).vectors.shape[0]
    6
    """
    require_columns(items, ("id", "title", "caption", "tags", "text"), "a frame of items")
    if embed not in EMBEDS:
        raise DataError(f"embed: got {embed!r}, expected one of {', '.join(EMBEDS)}")
    if embed != "tfidf" and not model:
        raise DataError(f"embed={embed!r} needs a model: its name at the server, or the path of its folder")
    repeated = items.loc[items["id"].duplicated(), "id"]
    if len(repeated):
        raise DataError(f"items: the id {repeated.iloc[0]!r} is duplicated; ids must be unique")
    ordered = items.sort_values("id")
    texts = item_texts(ordered)
    ids = tuple(ordered["id"].astype(str))
    if embed == "tfidf":
        return Embedding(ids, _tfidf(texts), "tfidf")
    vectors = _from_server(texts, str(model), base_url) if embed == "endpoint" else _local(texts, str(model))
    return Embedding(ids, _unit(vectors), f"{embed}:{model}")


def _tfidf(texts: Sequence[str]) -> Any:
    """Compute tf-idf vectors without words of a single text, and smooth them."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ImportError:
        raise DataError("clustering needs scikit-learn; pip install 'mmdu-analysis[topics]'") from None
    import numpy as np
    from scipy.sparse import csr_matrix

    weights = TfidfVectorizer(
        stop_words="english", sublinear_tf=True, min_df=min(2, max(1, len(texts) - 1)), token_pattern=WORD
    )
    try:
        vectors = weights.fit_transform(texts)
    except ValueError:  # no word occurs in two texts
        return csr_matrix((len(texts), 1), dtype=np.float64)
    for _ in range(_ROUNDS):
        vectors = smooth(vectors, _NEIGHBOURS, _POWER)
    return vectors


def _from_server(texts: Sequence[str], model: str, base_url: str | None) -> np.ndarray:
    import numpy as np

    from mmdu_analysis.judging.endpoint import Server
    from mmdu_analysis.judging.reply import TurnError

    rows: list[list[float]] = []
    with Server(model, base_url).connect() as endpoint:
        for start in range(0, len(texts), _BATCH):
            batch = [text or "-" for text in texts[start : start + _BATCH]]  # servers reject empty texts
            try:
                rows += read_embeddings(endpoint.post("/embeddings", {"input": batch}), len(batch))
            except TurnError as error:
                raise DataError(f"{model}: no embeddings: {error}") from None
    return np.asarray(rows, dtype=np.float32)


class _Vector(msgspec.Struct):
    embedding: list[float]
    index: int


class _Reply(msgspec.Struct):
    data: list[_Vector]


def read_embeddings(raw: str, n: int) -> list[list[float]]:
    """Read the reply of a server to a request for embeddings.

    Parameters
    ----------
    raw : str
        The body of the reply.
    n : int
        Texts that were sent.

    Returns
    -------
    list of list of float
        One vector per text, in the order of the texts.

    Raises
    ------
    DataError
        If the reply has another form or number of vectors.
    """
    try:
        reply = msgspec.json.decode(raw, type=_Reply)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise DataError(f"the server did not reply with embeddings ({shorten(str(error), 120)})") from None
    vectors = {vector.index: vector.embedding for vector in reply.data}
    lengths = {len(vector) for vector in vectors.values()}
    if sorted(vectors) != list(range(n)) or len(lengths) != 1:
        raise DataError(
            f"the server sent {len(vectors)} vectors of lengths {sorted(lengths)[:5]} for {n} texts"
        )
    return [vectors[number] for number in range(n)]


def _local(texts: Sequence[str], model: str) -> np.ndarray:
    import numpy as np

    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        text = "embed='sentence-transformers' needs that package; pip install 'mmdu-analysis[embeddings]'"
        raise DataError(text) from None
    loaded = SentenceTransformer(model, local_files_only=True)
    return np.asarray(loaded.encode(list(texts), show_progress_bar=False), dtype=np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    import numpy as np

    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise DataError("the embeddings are not one finite vector per text; try another model")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)
