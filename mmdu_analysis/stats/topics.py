"""Topics of the dialogues: clusters by their words, and a map of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mmdu_analysis.schema import NotAvailable
from mmdu_analysis.stats.breakdowns import as_benchmark
from mmdu_analysis.stats.tokens import without_placeholders
from mmdu_analysis.stats.words import words_of

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark


N_TOPICS = 8
"""Default number of groups."""


class Topics(NamedTuple):
    """Groups of dialogues.

    Attributes
    ----------
    dialogs : pandas.DataFrame
        Index ``dialog_id``: ``topic`` (1..), ``x`` and ``y`` (position on the map), ``silhouette`` (-1 to 1),
        ``synthetic``.
    topics : pandas.DataFrame
        Index ``topic``: ``name`` (its top words), ``n_dialogs``, ``silhouette`` (mean), ``synthetic``.
    """

    dialogs: pd.DataFrame
    topics: pd.DataFrame


def topic_groups(benchmark: Benchmark | str | Path, n_topics: int = N_TOPICS, *, seed: int = 0) -> Topics:
    """Cluster dialogues by the words of their questions and references.

    Parameters
    ----------
    benchmark : Benchmark, path or name
        The dialogues, at least `n_topics` + 1.
    n_topics : int, default 8
        Number of groups.
    seed : int, default 0
        Of the clustering.

    Returns
    -------
    Topics
        Groups by size. The silhouette measures how well a dialogue fits its own group. It is not an accuracy:
        the paper's 89-94 % (table ``cluster_accuracy``) were judged by people.

    Raises
    ------
    NotAvailable
        If scikit-learn isn't installed, or there are too few dialogues.

    Notes
    -----
    TF-IDF of words, k-means, and a t-SNE map by cosine of the latent directions, all from scikit-learn.
    On the map, close dialogues are similar; large distances are not interpretable.
    """
    try:
        from sklearn.cluster import KMeans
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.manifold import TSNE
        from sklearn.metrics import silhouette_samples
    except ImportError:
        raise NotAvailable("topics need scikit-learn; pip install 'mmdu-analysis[topics]'") from None
    import pandas as pd

    benchmark = as_benchmark(benchmark)
    if len(benchmark.dialogs) <= n_topics:
        raise NotAvailable(f"got {len(benchmark.dialogs)} dialogues, expected more than n_topics={n_topics}")
    texts = (
        without_placeholders(benchmark.turns["question"])
        + " "
        + without_placeholders(benchmark.turns["answer"].fillna(""))
    )
    texts = (
        texts.groupby(benchmark.turns["dialog_id"])
        .agg(" ".join)
        .reindex(benchmark.dialogs.index, fill_value="")
    )
    vectorizer = TfidfVectorizer(analyzer=words_of, sublinear_tf=True, min_df=2, max_df=0.5)
    weights = vectorizer.fit_transform(texts)
    groups = KMeans(n_topics, n_init=10, random_state=seed).fit_predict(weights)
    order = pd.Series(groups).value_counts().index
    topic = pd.Series(groups, index=texts.index).map({group: number for number, group in enumerate(order, 1)})
    latent = TruncatedSVD(min(50, *(side - 1 for side in weights.shape)), random_state=seed).fit_transform(
        weights
    )
    perplexity = min(30, (len(texts) - 1) / 3)
    position = TSNE(
        2, metric="cosine", init="random", perplexity=perplexity, random_state=seed
    ).fit_transform(latent)
    dialogs = pd.DataFrame({"topic": topic, "x": position[:, 0], "y": position[:, 1]})
    dialogs["silhouette"] = silhouette_samples(weights, groups, metric="cosine")
    names = vectorizer.get_feature_names_out()
    tops = {
        number: weights[(topic == number).to_numpy()].mean(axis=0).A1.argsort()[::-1][:3]
        for number in range(1, n_topics + 1)
    }
    by_topic = dialogs.groupby("topic")
    topics = pd.DataFrame({"name": {key: ", ".join(names[top]) for key, top in tops.items()}}).rename_axis(
        "topic"
    )
    topics = topics.assign(n_dialogs=by_topic.size(), silhouette=by_topic["silhouette"].mean())
    synthetic = bool(benchmark.synthetic)
    return Topics(dialogs.assign(synthetic=synthetic), topics.assign(synthetic=synthetic))
