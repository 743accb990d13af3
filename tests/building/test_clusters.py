"""Clusters: a planted truth is found, and neither order nor repetition changes anything."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from mmdu_analysis import building
from mmdu_analysis.building.clusters import label_clusters
from mmdu_analysis.building.embedding import Embedding
from mmdu_analysis.building.neighbours import nearest, pairs_above
from mmdu_analysis.schema import DataError


def planted(n_clusters, size, words, taken, noise, vocabulary, seed, n_noise_items=0):
    """Items of clusters with words of their own, mixed with noise words that all share."""
    rng = np.random.default_rng(seed)
    rows = []
    for cluster in range(n_clusters):
        for _ in range(size if isinstance(size, int) else int(rng.integers(*size))):
            own = [f"topic{cluster}w{word}" for word in rng.choice(words, taken, replace=False)]
            others = [f"noise{word}" for word in rng.integers(0, vocabulary, noise)]
            half = len(own) // 2 + 1
            rows.append((cluster, ", ".join(own[:half] + others[:1]), " ".join(own[half:] + others[1:])))
    for number in range(n_noise_items):
        words_here = [f"noise{word}" for word in rng.integers(0, vocabulary, taken + noise)]
        rows.append((1_000_000 + number, words_here[0], " ".join(words_here[1:])))
    frame = pd.DataFrame(rows, columns=["truth", "tags", "caption"])
    return frame.assign(id=[f"i{n:05}" for n in rng.permutation(len(frame))], title="", text="")


PLANTS = [
    (30, 20, 8, 5, 3, 200), (30, 20, 10, 5, 5, 200), (30, (3, 40), 10, 5, 5, 2000), (100, (3, 15), 10, 5, 5, 300),
    (6, 5, 6, 4, 3, 30), (10, 10, 5, 3, 6, 50), (40, 25, 6, 6, 2, 40),
]  # fmt: skip


@pytest.mark.parametrize("plant", PLANTS, ids=str)
def test_planted_clusters_with_noise_words_are_found(plant):
    items = planted(*plant, seed=4)
    found = building.cluster_items(items)
    assert adjusted_rand_score(items["truth"], found["cluster"]) > 0.9


def test_items_of_no_cluster_do_not_join_all_others():
    """Where connected components alone fail, as the docstring says."""
    from scipy.sparse.csgraph import connected_components

    items = planted(10, 10, 5, 3, 6, 50, seed=1, n_noise_items=20)
    embedding = building.embed_items(items)
    truth = items.set_index("id")["truth"].reindex(list(embedding.ids))
    _, components = connected_components(pairs_above(embedding.vectors, 0.75), directed=False)
    assert adjusted_rand_score(truth, components) < 0.5
    assert adjusted_rand_score(truth, label_clusters(embedding)) > 0.8


def test_order_and_repetition_change_nothing():
    items = planted(12, 8, 8, 5, 3, 100, seed=2, n_noise_items=10)
    first = building.cluster_items(items).set_index("id")["cluster"]
    for seed in range(4):
        mixed = items.sample(frac=1, random_state=seed)
        again = building.cluster_items(mixed)
        assert again["id"].tolist() == mixed["id"].tolist()
        assert (again.set_index("id")["cluster"].reindex(first.index) == first).all()


def brute_average_linkage(similarity, threshold):
    """Merge the two clusters of highest mean similarity as long as it reaches the threshold."""
    clusters = [[n] for n in range(len(similarity))]
    while len(clusters) > 1:
        best = max(
            (similarity[np.ix_(a, b)].mean(), i, j)
            for i, a in enumerate(clusters) for j, b in enumerate(clusters) if i < j
        )  # fmt: skip
        if best[0] < threshold:
            break
        clusters[best[1]] += clusters.pop(best[2])
    labels = np.zeros(len(similarity), dtype=int)
    for number, members in enumerate(clusters):
        labels[members] = number
    return labels


@pytest.mark.parametrize("seed", range(5))
def test_looking_within_components_is_average_linkage_of_everything(seed):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(40, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = tuple(f"{n:02}" for n in range(40))
    found = label_clusters(Embedding(ids, vectors, "test"), 0.6)
    assert adjusted_rand_score(brute_average_linkage(vectors @ vectors.T, 0.6), found) == 1
    sizes = pd.Series(found).value_counts()
    assert sizes.sort_index().is_monotonic_decreasing


def test_large_components_are_cut_at_higher_thresholds(monkeypatch):
    items = planted(10, 10, 5, 3, 6, 50, seed=1, n_noise_items=20)
    monkeypatch.setattr("mmdu_analysis.building.clusters._LARGEST", 60)
    found = building.cluster_items(items)
    assert adjusted_rand_score(items["truth"], found["cluster"]) > 0.8
    same = pd.DataFrame(
        {"id": [f"{n:03}" for n in range(90)], "tags": "a b c", "caption": "d", "title": "", "text": ""}
    )
    assert building.cluster_items(same)["cluster"].tolist() == [1] * 90


def test_neighbours_are_those_of_the_full_product():
    from scipy.sparse import random as sparse_random
    from sklearn.preprocessing import normalize

    vectors = normalize(sparse_random(200, 60, 0.1, random_state=1, format="csr"))
    full = (vectors @ vectors.T).toarray()
    found = nearest(vectors, 7, least=0.2).toarray()
    for row in range(200):
        expected = np.sort(full[row][full[row] >= 0.2])[::-1][:7]
        assert np.sort(found[row][found[row] > 0])[::-1] == pytest.approx(expected)


@pytest.mark.parametrize("threshold", [0, 1, -1, 2])
def test_thresholds_that_make_no_sense(threshold):
    with pytest.raises(DataError, match="threshold"):
        building.cluster_items(building.sample_items(2, 3), threshold=threshold)


def test_repeated_ids_and_missing_models_are_refused():
    items = building.sample_items(2, 3)
    with pytest.raises(DataError, match="duplicated"):
        building.cluster_items(pd.concat([items, items]))
    with pytest.raises(DataError, match="needs a model"):
        building.cluster_items(items, embed="endpoint")
    with pytest.raises(DataError, match="expected one of tfidf"):
        building.cluster_items(items, embed="word2vec")


def test_items_without_words_are_alone():
    items = pd.DataFrame(
        {"id": ["a", "b", "c"], "tags": "", "caption": ["x", "y", ""], "title": "", "text": ""}
    )
    assert building.cluster_items(items)["cluster"].tolist() == [1, 2, 3]


def test_a_report_says_what_numpy_says():
    items = planted(5, 8, 8, 5, 3, 100, seed=3)
    clusters = building.cluster_items(items)
    embedding = building.embed_items(items)
    report = building.cluster_report(items, clusters, embedding=embedding)
    full = (embedding.vectors @ embedding.vectors.T).toarray()
    labels = clusters.set_index("id")["cluster"].reindex(list(embedding.ids)).to_numpy()
    same = labels[:, None] == labels[None, :]
    off = ~np.eye(len(labels), dtype=bool)
    row = report.table.iloc[0]
    assert row["similarity_within"] == pytest.approx(full[same & off].mean())
    assert row["similarity_between"] == pytest.approx(full[~same].mean())
    assert report.sizes["n_clusters"].sum() == clusters["cluster"].nunique()
    assert (report.sizes["size"] * report.sizes["n_clusters"]).sum() == len(items)
    again = building.cluster_report(items, clusters, embedding=embedding)
    assert report.map.equals(again.map)
    ax = building.draw_map(report.map)
    assert sum(len(c.get_offsets()) for c in ax.collections) == len(items)


def test_pairs_for_a_person_and_the_accuracy(tmp_path):
    items = building.sample_items(4, 5)
    clusters = building.cluster_items(items)
    sheet = building.draw_pairs(items, clusters, 10, seed=1)
    assert sheet["pair"].tolist() == list(range(1, 11))
    where = clusters.set_index("id")["cluster"]
    assert (sheet["id_a"].map(where) == sheet["id_b"].map(where)).all()
    assert (sheet["id_a"] != sheet["id_b"]).all()
    assert sheet["cluster"].iloc[:4].nunique() == 4  # each cluster once before any twice
    with pytest.raises(DataError, match="no pair has a decision"):
        building.cluster_accuracy(sheet)
    sheet["accept"] = ["yes"] * 7 + ["NO ", "n", ""]
    sheet.to_csv(tmp_path / "s.csv", index=False)
    [row] = building.cluster_accuracy(tmp_path / "s.csv").to_dict("records")
    p, n, z = 7 / 9, 9, 1.959964
    centre, half = (
        (p + z * z / 18) / (1 + z * z / 9),
        z * (p * (1 - p) / n + z * z / 324) ** 0.5 / (1 + z * z / 9),
    )
    assert row["mean"] == pytest.approx(100 * p)
    assert (row["low"], row["high"]) == pytest.approx(
        (100 * (centre - half), 100 * (centre + half)), abs=1e-4
    )
    assert (row["n_pairs"], row["n_missing"], row["synthetic"]) == (9, 1, True)
    with pytest.raises(DataError, match="maybe"):
        building.cluster_accuracy(sheet.assign(accept="maybe"))


def test_combinations_use_no_item_twice_and_follow_the_seed():
    items = building.sample_items(6, 9)
    clusters = building.cluster_items(items)
    found = building.draw_combinations(items, clusters, seed=5)
    assert not found["id"].duplicated().any()
    assert found.groupby("combination").size().between(2, 20).all()
    assert found.groupby("combination")["cluster"].nunique().eq(1).all()
    assert found["synthetic"].all()
    assert found.equals(building.draw_combinations(items.sample(frac=1, random_state=1), clusters, seed=5))
    assert not found.equals(building.draw_combinations(items, clusters, seed=6))


def test_companions_are_those_with_the_most_similar_captions():
    captions = ["red old bridge", "red old bridge river", "red bridge", "green hill", "blue lake"]
    items = pd.DataFrame(
        {"id": list("abcde"), "caption": captions, "title": "", "tags": "t", "text": "", "image": "x"}
    )
    clusters = pd.DataFrame({"id": list("abcde"), "cluster": 1})
    for seed in range(20):
        found = building.draw_combinations(items, clusters, n=1, sizes={3: 1}, seed=seed)
        if found["id"][0] in "abc":
            assert set(found["id"]) == set("abc")


def test_sizes_follow_their_weights_and_reuse_needs_a_number():
    items = pd.DataFrame(
        {"id": [f"{n:04}" for n in range(3000)], "caption": "a", "title": "", "tags": "", "text": ""}
    )
    clusters = pd.DataFrame({"id": items["id"], "cluster": np.arange(3000) // 30})
    found = building.draw_combinations(items, clusters, n=300, sizes={2: 3, 4: 1}, reuse=True)
    sizes = found.groupby("combination").size().value_counts()
    assert sizes[2] / 300 == pytest.approx(0.75, abs=4 * (0.75 * 0.25 / 300) ** 0.5)
    assert not found.duplicated(["combination", "id"]).any()
    assert found["id"].duplicated().any()
    sets = found.groupby("combination")["id"].agg(frozenset)
    assert sets.is_unique
    with pytest.raises(DataError, match="reuse=True needs n"):
        building.draw_combinations(items, clusters, reuse=True)
    with pytest.raises(DataError, match="2 to 20"):
        building.draw_combinations(items, clusters, sizes={1: 1})
    with pytest.raises(DataError, match="no cluster has enough"):
        building.draw_combinations(items, clusters.assign(cluster=range(3000)))


def test_combinations_survive_their_file(tmp_path):
    path = building.write_sample_items(tmp_path, 3, 4)
    items = building.load_items(path)
    found = building.draw_combinations(items, building.cluster_items(items), sizes={2: 1})
    building.write_combinations(items, found, tmp_path / "clusters.jsonl")
    loaded = building.load_combinations(tmp_path / "clusters.jsonl")
    assert [part.id for part in loaded] == found["combination"].unique().tolist()
    assert [item["id"] for part in loaded for item in part.items] == found["id"].tolist()
    assert all(part.synthetic for part in loaded)
    lines = (tmp_path / "clusters.jsonl").read_text().splitlines()
    for line, match in (
        (lines[0], "used before"),
        ("{}", "line 7"),
        (json.dumps({"id": 1, "cluster": 1, "items": []}), "0 items"),
    ):
        (tmp_path / "broken.jsonl").write_text("\n".join([*lines, line]))
        with pytest.raises(DataError, match=match):
            building.load_combinations(tmp_path / "broken.jsonl")
