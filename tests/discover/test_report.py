import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_mutual_info_score

from discover.cluster import ClusterConfig, cluster
from discover.cutting.regions import BoxRegions
from discover.embed import embed
from discover.kinds.density import DensityTree
from discover.kinds.kind_scores import kinds_of_truth, score_kinds
from discover.kinds.report_figures import spread, tree_figure
from discover.labels import Labels
from discover.report import write_report
from discover.survey import Survey, SurveyError


def test_scores_of_kinds_by_hand() -> None:
    clusters = [0, 0, 0, 1, 1, -1]
    kinds = ["bag", "bag", "can", "can", "can", "net"]
    scores = score_kinds(clusters, kinds)
    assert scores.crops == 6
    assert scores.coverage == pytest.approx(5 / 6)
    assert scores.ami == pytest.approx(adjusted_mutual_info_score(kinds[:5], clusters[:5]))
    table = scores.kinds.set_index("kind")
    assert table.loc["can", "found"] == pytest.approx(2 / 3)
    assert table.loc["bag", "found"] == 1
    assert table.loc["bag", "purity"] == pytest.approx(2 / 3)
    assert table.loc["net", ["found", "noise", "clusters"]].tolist() == [0, 1, 0]
    with pytest.raises(ValueError, match="no crop has a known kind"):
        score_kinds([], [])


@given(st.lists(st.tuples(st.integers(-1, 4), st.sampled_from("abc")), min_size=2, max_size=40))
def test_shares_of_a_kind_are_shares(rows: list[tuple[int, str]]) -> None:
    scores = score_kinds([c for c, _ in rows], [k for _, k in rows])
    table = scores.kinds
    assert table["crops"].sum() == len(rows)
    assert ((table["found"] >= 0) & (table["found"] + table["noise"] <= 1 + 1e-9)).all()
    in_clusters = {cluster for cluster, _ in rows} - {-1}
    assert table["clusters"].sum() == len(in_clusters)


def test_a_crop_takes_the_kind_of_the_object_it_lies_on(tmp_path: Path) -> None:
    box = {"width": 100, "height": 80, "mask": None}
    crops = pd.DataFrame([
        {"crop_id": "a", "path": "x/f.jpg", "x": 10, "y": 10, "w": 20, "h": 20, **box},
        {"crop_id": "b", "path": "x/f.jpg", "x": 60, "y": 40, "w": 20, "h": 20, **box},
        {"crop_id": "c", "path": "x/g.jpg", "x": 60, "y": 40, "w": 20, "h": 20, **box},
    ])  # fmt: skip
    truth = tmp_path / "truth.json"
    data = {
        "images": [{"id": 1, "file_name": "f.jpg"}],
        "categories": [{"id": 1, "name": "bag"}, {"id": 2, "name": "can"}],
        "annotations": [
            {"image_id": 1, "category_id": 1, "bbox": [12, 12, 20, 20]},
            {"image_id": 1, "category_id": 2, "bbox": [0, 60, 10, 10], "segmentation": []},
        ],
    }
    truth.write_text(json.dumps(data))
    assert kinds_of_truth(crops, truth).to_dict() == {"a": "bag"}
    with pytest.raises(SurveyError, match="no object that a crop"):
        kinds_of_truth(crops[2:], truth)
    truth.write_text("[]")
    with pytest.raises(SurveyError, match="not a COCO file"):
        kinds_of_truth(crops, truth)


def test_typical_crops_come_from_as_many_dives_as_there_are() -> None:
    rows = pd.DataFrame({
        "crop_id": list("abcdef"), "dive": ["1", "1", "1", "1", "2", "3"],
        "probability": [0.9, 0.8, 0.7, 0.6, 0.2, 0.1],
    })  # fmt: skip
    assert spread(rows, 3, ["probability"], [False]).tolist() == [0, 4, 5]
    assert len(spread(rows, 9, ["probability"], [False])) == 6


def test_the_tree_has_one_root_and_no_part_is_larger_than_its_whole() -> None:
    rng = np.random.default_rng(0)
    vectors = np.concatenate([rng.normal(size=(30, 3)) + 9 * np.eye(3)[i] for i in range(3)])
    found = DensityTree(vectors.astype(np.float32), 5).cut(5)
    figure = tree_figure(found.tree.to_pandas(), len(vectors))
    (drawn,) = figure.data
    size = dict(zip(drawn.ids, drawn.values, strict=True))
    assert sum(parent == "" for parent in drawn.parents) == 1
    below: dict[str, int] = {}
    for parent, value in zip(drawn.parents, drawn.values, strict=True):
        below[parent] = below.get(parent, 0) + value
    assert all(below[parent] <= size[parent] for parent in below if parent)
    assert {label for label in drawn.labels if label.startswith("cluster")} == {
        f"cluster {n}" for n in set(found.labels.tolist()) - {-1}
    }


def test_the_page_is_one_file_with_every_cluster_and_what_is_known(
    survey: Survey, boxes: Path, tmp_path: Path
) -> None:
    embed(survey, BoxRegions(boxes))
    run = cluster(survey, ClusterConfig("waste", keyframes=False, min_size=3))
    page = BeautifulSoup(write_report(survey, run).read_text(), "html.parser")
    assert page.find_all("script", src=True) == []
    assert page.find_all("link") == []
    titles = [h.text for h in page.find_all("h3")]
    assert len([t for t in titles if t.startswith("Cluster")]) == run.info["counts"]["clusters"]
    pictures = page.find_all("img")
    assert pictures
    assert all(str(p["src"]).startswith("data:image/jpeg;base64,") for p in pictures)
    assert "Against what is known" not in page.text

    crop = survey.table("clusters", run.name).read(["crop_id"])["crop_id"][0].as_py()
    labels = Labels(survey.labels_url)
    labels.name([crop], "<b>bag</b>", annotator="ann")
    labels.close()
    named = write_report(survey, run, out=tmp_path / "named.html").read_text()
    assert "the names that people gave: 1 crops of 1 kinds" in named
    assert "<b>bag</b>" not in named
    scored = write_report(survey, run, truth=boxes, out=tmp_path / "scored.html").read_text()
    assert "the objects of boxes.json" in scored
