import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch.nn import functional

from classify.backbones import load_backbone
from classify.runs import RunError
from discover.adapt import AdaptConfig, adapt, contrast
from discover.cutting.regions import BoxRegions
from discover.cutting.same_object import same_objects
from discover.cutting.stored_regions import StoredRegions
from discover.embed import EmbedConfig, embed
from discover.survey import Survey, SurveyError
from tests.discover.tables_by_hand import add_run


def test_an_object_is_followed_through_its_burst_and_no_further() -> None:
    crops = pd.DataFrame(
        [
            ("f1", "b1", "waste"), ("f1", "b1", "waste"), ("f1", "b1", "fauna"),
            ("f2", "b1", "waste"), ("f2", "b1", "waste"), ("f2", "b1", "fauna"),
            ("f3", "b2", "waste"), ("f4", None, "waste"), ("f5", None, "waste"),
        ],
        columns=["frame_id", "burst_id", "class"],
    )  # fmt: skip
    bag, can = [1.0, 0.1, 0.0], [0.1, 1.0, 0.0]
    vectors = np.array([bag, can, bag, can, bag, bag, bag, bag, bag], np.float32)
    groups = same_objects(crops, vectors)
    assert groups[0] == groups[4]
    assert groups[1] == groups[3]
    assert groups[2] == groups[5]
    assert len(set(groups)) == 6


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=25))
def test_an_object_is_never_in_two_bursts(rows: list[tuple[int, int]]) -> None:
    crops = pd.DataFrame({
        "frame_id": [f"f{frame}" for frame, _ in rows],
        "burst_id": [f"b{frame // 4}" if frame < 8 else None for frame, _ in rows],
        "class": ["waste" if kind % 2 else "fauna" for _, kind in rows],
    })  # fmt: skip
    vectors = np.random.default_rng(1).normal(size=(len(rows), 4)).astype(np.float32)
    groups = same_objects(crops, vectors)
    together = crops.assign(group=groups).groupby("group")
    assert (together["burst_id"].nunique(dropna=False) == 1).all()
    assert (together["class"].nunique() == 1).all()
    alone = crops["burst_id"].isna().to_numpy()
    assert (np.bincount(groups)[groups[alone]] == 1).all()


def test_views_of_one_object_are_drawn_together_and_of_one_scene_never_apart() -> None:
    torch.manual_seed(0)
    start = functional.normalize(torch.randn(8, 5), dim=1)
    vectors = start.clone().requires_grad_(True)
    scenes = torch.tensor([0, 1, 2, 2, 0, 1, 2, 2])  # objects 2 and 3 are in one scene
    contrast(vectors, scenes, 0.5).backward()
    assert vectors.grad is not None
    moved = functional.normalize(start - 0.1 * vectors.grad, dim=1)
    before, after = start @ start.T, moved @ moved.T
    assert (after - before)[range(4), range(4, 8)].mean() > 0
    alone = torch.zeros(8, dtype=torch.int64)  # all of one scene: nothing is pushed apart
    assert contrast(start, alone, 0.5).item() == pytest.approx(0, abs=1e-4)
    unlike = contrast(torch.eye(8), torch.arange(4).repeat(2), 1.0).item()
    assert unlike == pytest.approx(math.log(7), abs=1e-4)


def test_a_backbone_learns_from_the_crops_alone_and_embeds_them_anew(
    survey: Survey, boxes: Path, tmp_path: Path
) -> None:
    first = embed(survey, BoxRegions(boxes))
    frames = survey.frames.read(["frame_id", "dive", "index"]).to_pydict()
    bursts = [f"{d}/{i // 3}" for d, i in zip(frames["dive"], frames["index"], strict=True)]
    add_run(survey, "bursts", frame_id=frames["frame_id"], burst_id=bursts)
    config = AdaptConfig(size=64, epochs=1, batch=16)
    run = adapt(survey, tmp_path / "a", config=config)
    again = adapt(survey, tmp_path / "b", config=config)
    counts = run.info["counts"]
    assert counts["crops"] == first.info["counts"]["crops"]
    assert counts["objects"] <= counts["crops"]
    assert len(counts["loss"]) == 1
    tuned, repeated = (load_file(r.path / "backbone.safetensors") for r in (run, again))
    assert all(torch.equal(tuned[name], repeated[name]) for name in tuned)
    start = load_backbone("tf_efficientnet_lite0", "bundled").state_dict()
    assert not torch.equal(tuned["conv_head.weight"], start["conv_head.weight"])
    assert torch.equal(tuned["bn1.running_mean"], start["bn1.running_mean"])

    second = embed(
        survey, StoredRegions(survey), config=EmbedConfig(backbone=str(tmp_path / "a"), size=64)
    )
    assert second.info["parents"] == first.info["parents"]
    assert second.info["counts"]["crops"] == first.info["counts"]["crops"]
    with pytest.raises(RunError, match="holds an adapted backbone already"):
        adapt(survey, tmp_path / "a", config=config)


def test_what_cannot_be_adapted_is_said(survey: Survey, tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match="no embeddings"):
        adapt(survey, tmp_path / "out")
    with pytest.raises(RunError, match="--batch 2"):
        AdaptConfig(batch=2)
    with pytest.raises(RunError, match="--temperature 0"):
        AdaptConfig(temperature=0)
