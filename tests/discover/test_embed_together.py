"""Several embeddings, several processes and several tries end in the same tables."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from classify.errors import UserError
from classify.images import Decoded
from discover import frames
from discover.cutting.regions import ClassifierRegions, Found, WholeFrame
from discover.cutting.stored_regions import StoredRegions
from discover.embed import EmbedConfig, Shard, embed
from discover.survey import Survey, SurveyError, open_survey

SMALL = EmbedConfig(size=64)
GREY = EmbedConfig(size=64, background="mean", context=0.3)


def _vectors(survey: Survey, run: str) -> dict[str, bytes]:
    rows = survey.table("embeddings", run).read()
    return dict(zip(rows["crop_id"].to_pylist(), rows["vector"].to_pylist(), strict=True))


@pytest.fixture
def other(survey: Survey, footage: Path, tmp_path: Path) -> Survey:
    """The same frames in another survey."""
    opened = open_survey(tmp_path / "other", create=True)
    frames.add_frames(opened, [footage])
    return opened


def test_stored_crops_give_the_vectors_that_one_pass_gives(
    survey: Survey, other: Survey, model: Path
) -> None:
    first = embed(survey, ClassifierRegions(model), config=SMALL)
    second = embed(survey, StoredRegions(survey), config=GREY)
    assert second.name != first.name
    assert second.info["parents"] == first.info["parents"]
    assert [run.name for run in survey.runs("crops")] == [first.info["parents"]["crops"]]
    at_once = embed(other, ClassifierRegions(model), config=GREY)
    assert at_once.name == second.name
    assert _vectors(other, at_once.name) == _vectors(survey, second.name)
    assert _vectors(survey, first.name) != _vectors(survey, second.name)
    assert survey.run("crops").is_complete


def test_the_classifiers_own_map_is_the_same_in_one_pass_and_later(
    survey: Survey, other: Survey, model: Path
) -> None:
    embed(survey, ClassifierRegions(model), config=SMALL, pooled=True)
    embed(other, ClassifierRegions(model), config=SMALL)
    embed(other, ClassifierRegions(model), config=SMALL, pooled=True)
    found = [
        next(run for run in one.runs("embeddings") if "-pooled-" in run.name)
        for one in (survey, other)
    ]
    assert found[0].name == found[1].name
    assert found[0].is_complete
    vectors = _vectors(survey, found[0].name)
    assert vectors == _vectors(other, found[1].name)
    assert len(set(vectors.values())) > len(vectors) / 2
    with pytest.raises(UserError, match="--pooled needs --model"):
        embed(survey, WholeFrame(), config=SMALL, pooled=True)


def test_shards_end_in_the_tables_of_one_run(survey: Survey, other: Survey) -> None:
    whole = embed(other, WholeFrame(), config=SMALL)
    for number in (3, 1, 1):
        part = embed(survey, WholeFrame(), config=SMALL, shard=Shard(number, 3))
        assert not part.is_complete
    part = embed(survey, WholeFrame(), config=SMALL, shard=Shard(2, 3))
    assert part.is_complete
    assert part.name == whole.name
    assert part.info["counts"] == whole.info["counts"]
    assert _vectors(survey, part.name) == _vectors(other, whole.name)
    before = (part.path / "run.json").read_bytes()
    embed(survey, WholeFrame(), config=SMALL, shard=Shard(1, 3))
    assert (part.path / "run.json").read_bytes() == before


def test_every_unit_is_in_one_shard() -> None:
    units = [f"{number:016x}" for number in range(500)]
    parts = [{u for u in units if Shard(n, 7).has(u)} for n in range(1, 8)]
    assert set.union(*parts) == set(units)
    assert sum(map(len, parts)) == len(units)
    assert min(map(len, parts)) > 40


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "-1/3", "1/0"])
def test_a_wrong_shard_is_named(text: str) -> None:
    with pytest.raises(UserError, match=f"--shard '{text}'"):
        Shard.parse(text)


_RUN = """
import sys
from discover.embed import EmbedConfig, embed
from discover.cutting.regions import WholeFrame
from discover.survey import open_survey
embed(open_survey(sys.argv[1]), WholeFrame(), config=EmbedConfig(size=64))
"""


def test_two_processes_at_once_and_a_killed_one_do_no_harm(survey: Survey, other: Survey) -> None:
    expected = embed(other, WholeFrame(), config=SMALL)
    command = [sys.executable, "-c", _RUN, str(survey.root)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    processes = [subprocess.Popen(command, env=environment) for _ in range(3)]
    os.kill(processes[0].pid, signal.SIGKILL)
    assert [process.wait() for process in processes[1:]] == [0, 0]
    run = survey.run("embeddings", expected.name)
    assert run.is_complete
    assert run.info["counts"] == expected.info["counts"]
    assert _vectors(survey, run.name) == _vectors(other, expected.name)
    assert survey.crops_of(run).read().equals(other.crops_of(expected).read())


def test_a_file_that_can_be_read_again_is_taken_in(survey: Survey, other: Survey) -> None:
    # the overlay is learned from the files that can be read, so it would not be quite the same
    whole = embed(other, WholeFrame(), config=SMALL, hide_overlay=False)
    victim = survey.frame_path(survey.frames.read(["path"])["path"][5].as_py())
    sound = victim.read_bytes()
    try:
        victim.write_bytes(sound[: len(sound) // 2])
        run = embed(survey, WholeFrame(), config=SMALL, hide_overlay=False)
        assert run.info["counts"]["unreadable"] == 1
        assert len(_vectors(survey, run.name)) == 71
        again = embed(
            survey, WholeFrame(), config=SMALL, hide_overlay=False
        )  # still torn: nothing is made anew
        assert again.info["finished"] == run.info["finished"]
    finally:
        victim.write_bytes(sound)
    run = embed(survey, WholeFrame(), config=SMALL, hide_overlay=False)
    assert run.info["counts"] == whole.info["counts"]
    assert _vectors(survey, run.name) == _vectors(other, whole.name)


def test_stored_crops_whose_frame_is_lost_wait_for_it(survey: Survey) -> None:
    first = embed(survey, WholeFrame(), config=SMALL)
    victim = survey.frame_path(survey.frames.read(["path"])["path"][5].as_py())
    sound = victim.read_bytes()
    try:
        victim.unlink()
        run = embed(survey, StoredRegions(survey), config=GREY)
        assert run.info["counts"] == {**first.info["counts"], "crops": 71, "unreadable": 1}
    finally:
        victim.write_bytes(sound)
    run = embed(survey, StoredRegions(survey), config=GREY)
    assert run.info["counts"] == first.info["counts"]


def test_crops_of_an_earlier_release_are_read(survey: Survey) -> None:
    run = embed(survey, WholeFrame(), config=SMALL)
    crops = survey.crops_of(run).folder
    old = crops.with_name("frame-0123abcd")
    crops.rename(old)
    info = json.loads((old / "run.json").read_text())
    info |= {"config": {"mode": "frame", "embed": {}}, "status": "started"}
    (old / "run.json").write_text(json.dumps(info))
    again = embed(survey, StoredRegions(survey, "frame-0123abcd"), config=SMALL)
    assert again.info["parents"] == {"crops": "frame-0123abcd"}
    ours, theirs = (_vectors(survey, one.name) for one in (again, run))
    assert ours.keys() == theirs.keys()


def test_a_damaged_shard_of_stored_crops_asks_for_what_made_them(survey: Survey) -> None:
    run = embed(survey, WholeFrame(), config=SMALL)
    victim = survey.crops_of(run).files()[0]
    victim.write_bytes(victim.read_bytes()[:-40])
    with pytest.raises(SurveyError, match="--whole-frame of that run"):
        embed(survey, StoredRegions(survey), config=GREY)
    embed(survey, WholeFrame(), config=SMALL)
    assert embed(survey, StoredRegions(survey), config=GREY).is_complete


def test_the_engine_is_one_of_two(survey: Survey) -> None:
    with pytest.raises(UserError, match="--engine 'spark' is none of local, ray"):
        embed(survey, WholeFrame(), engine="spark")


class _DiesOnce(ClassifierRegions):
    """Regions whose first worker is killed at its work."""

    def __init__(self, model: Path, died: Path) -> None:
        super().__init__(model)
        self._died = died

    def find(self, paths: list[str], frames: list[Decoded]) -> list[list[Found]]:
        if not self._died.exists():
            self._died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().find(paths, frames)


def test_ray_makes_the_same_tables_though_a_worker_is_killed(
    survey: Survey, other: Survey, model: Path, tmp_path: Path
) -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'rov-discover[ray]'")
    expected = embed(other, ClassifierRegions(model), config=SMALL, pooled=True)
    told: list[tuple[int, int]] = []
    try:
        run = embed(
            survey,
            _DiesOnce(model, tmp_path / "died"),
            config=SMALL,
            pooled=True,
            engine="ray",
            workers=1,
            progress=lambda done, total: told.append((done, total)),
        )
    finally:
        ray.shutdown()
    assert (tmp_path / "died").exists()
    assert run.name == expected.name
    assert run.is_complete
    assert run.info["counts"] == expected.info["counts"]
    for made in other.runs("embeddings"):
        assert _vectors(survey, made.name) == _vectors(other, made.name)
    assert told[0] == (0, 72)
    assert told[-1] == (72, 72)
