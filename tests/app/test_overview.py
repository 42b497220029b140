import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from plotly.utils import PlotlyJSONEncoder

from app import shell
from app.data import Explorer
from app.figures import survey as figures_survey
from app.jobs import parts as job_parts
from app.jobs.commands import task_of
from app.jobs.jobs import DONE, FAILED, RUNNING, STOPPED, Job, Jobs
from app.overview import data as survey_data
from app.overview.steps import Action, Step, steps
from app.pages import overview
from classify.runs import start_run
from discover.kinds.members import FEWEST
from discover.summary import survey_status
from discover.survey import Survey, concat_rows, open_survey
from discover.tables import SCHEMAS
from tests.app.survey_on_disk import EMBED_RUN, RUNS, build


def text(component: Any) -> str:  # noqa: ANN401
    return json.dumps(component.to_plotly_json(), cls=PlotlyJSONEncoder)


def left(explorer: Explorer) -> list[Step]:
    return steps(explorer, explorer.latest_runs())


def labels(found: list[Step]) -> list[str]:
    return [action.label for step in found for action in step.actions]


def add_bursts(survey: Survey) -> None:
    run = start_run(survey.run_folder("bursts", "b-1"), command="discover bursts", config={})
    run.complete(counts={"frames": 60, "bursts": 20, "in_bursts": 45, "dives": 4})


def add_suggestions(survey: Survey, crops: list[str]) -> None:
    head = start_run(survey.root / "heads" / "h1", command="discover learn", config={})
    confusion = {"kinds": ["bag", "can"], "counts": [[9, 1], [2, 8]]}
    counts = {
        "named": 20, "accuracy": 0.85, "balanced_accuracy": 0.85, "held_out_by": "dive",
    }  # fmt: skip
    head.complete(counts=counts, confusion=confusion)
    folder = survey.run_folder("suggestions", "all-1")
    run = start_run(folder, command="discover predict", config={"head": str(head.path)})
    rows: dict[str, list[object]] = {
        name: [None] * len(crops) for name in SCHEMAS["suggestions"].names
    }
    rows |= {"crop_id": list(crops), "name": ["can"] * len(crops), "confidence": [0.9] * len(crops)}
    survey.table("suggestions", run.name).write("all", concat_rows(rows, "suggestions"))
    run.complete(counts={"suggested": len(crops)})


def test_the_steps_come_in_the_order_of_the_work(tmp_path: Path, explorer: Explorer) -> None:
    bare = Explorer(build(tmp_path / "a", crops=False))
    assert labels(left(bare)) == ["Find bursts", "Embed whole frames"]
    add_bursts(bare.survey)
    trained = start_run(tmp_path / "a/runs/elements", command="classify train elements", config={})
    trained.complete(counts={})
    (embed,) = left(bare)
    assert embed.command == "discover embed --model runs/elements"

    unclustered = Explorer(build(tmp_path / "b", clusters=False))
    add_bursts(unclustered.survey)
    (cluster,) = left(unclustered)
    assert labels([cluster]) == ["Cluster waste", "Cluster fauna"]  # the largest first
    assert cluster.command == "discover cluster --class waste"
    assert survey_status(unclustered.survey)["next"] == cluster.command

    add_bursts(explorer.survey)
    first = left(explorer)
    assert labels(first) == ["Open the queue", "Open the queue"]
    assert "Name 3 clusters of waste" in first[0].text
    assert survey_status(explorer.survey)["next"] == "discover explore"


def test_names_lead_to_learning_suggestions_and_export(explorer: Explorer) -> None:
    add_bursts(explorer.survey)
    crops = [explorer.crops(run) for run in explorer.class_runs()]
    ids = [crop for table in crops for crop in table["crop_id"]]
    explorer.labels.name(ids[:40], "can", annotator="mara")
    explorer.labels.name(ids[40:], "bag", annotator="mara")
    last = ["Export as CSV", "Report on waste", "Report on fauna"]
    assert labels(left(explorer)) == ["Learn the kinds", *last]
    explorer.labels.undo(annotator="mara")
    explorer.labels.name(ids[40:45], "bag", annotator="mara")
    add_suggestions(explorer.survey, ids[45:60])
    assert labels(left(explorer))[-5:] == ["Learn the kinds", "Open the queue", *last]
    assert "Look at 15 suggestions" in left(explorer)[-2].text
    explorer.labels.name(ids[45:], "can", annotator="mara")
    assert survey_data.waiting_suggestions(explorer.survey) == 0


def test_what_no_cluster_held_is_clustered_again(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_bursts(explorer.survey)
    for run in explorer.class_runs():
        crops = explorer.crops(run)
        held = crops.loc[crops["cluster"] >= 0, "crop_id"]
        explorer.labels.name(held, "thing", annotator="mara")
    assert "Cluster the rest" not in labels(left(explorer))  # a handful is not worth it
    monkeypatch.setattr("app.overview.steps._REST", 3)
    rest = next(step for step in left(explorer) if "no name yet" in step.text)
    assert rest.command in {f"discover cluster --class {c} --unnamed" for c in ("waste", "fauna")}
    assert rest.actions[0].job is not None
    assert task_of(rest.actions[0].job, explorer).tokens[2] == "--unnamed"


def add_crops(survey: Survey, scores: list[float], *, vectors: bool = True) -> None:
    """Add crops of waste that are on no map, one for each score."""
    known = survey.table("crops", EMBED_RUN).read()
    kind = known.filter(pc.field("class") == "waste").slice(0, len(scores))
    unit = f"new-{len(survey.table('crops', EMBED_RUN).units())}"
    columns = {name: kind[name].to_pylist() for name in kind.column_names}
    columns |= {"crop_id": [f"{unit}-{i}" for i in range(len(scores))], "score": scores}
    survey.table("crops", EMBED_RUN).write(unit, concat_rows(columns, "crops"))
    if vectors:
        rows = survey.table("embeddings", EMBED_RUN).read().slice(0, len(scores))
        rows = rows.set_column(0, "crop_id", pa.array(columns["crop_id"]))
        survey.table("embeddings", EMBED_RUN).write(unit, rows)


def test_new_crops_are_placed_on_the_map_of_their_class(explorer: Explorer) -> None:
    survey = explorer.survey
    add_bursts(survey)
    assert not [step for step in left(explorer) if "new crop" in step.text]
    add_crops(survey, [0.9] * 4)
    add_crops(survey, [0.9] * 3, vectors=False)  # are not embedded yet
    first = left(explorer)[0]
    assert first.text.startswith("Place 4 new crops on the map of waste")
    assert first.command == "discover cluster --place-new --class waste"
    assert first.actions[0].job is not None
    assert "--place-new" in task_of(first.actions[0].job, explorer).tokens

    add_part(survey, "waste-u", unnamed=True)  # does not hold them, nor could
    assert left(explorer)[0] == first
    rows = survey.table("clusters", RUNS["waste"]).read().slice(0, 4)
    placed = rows.set_column(0, "crop_id", pa.array([f"new-2-{i}" for i in range(4)]))
    survey.table("clusters", RUNS["waste"]).write("placed", placed)
    assert not [step for step in left(explorer) if "new crop" in step.text]


def test_crops_that_a_run_leaves_out_are_not_new(explorer: Explorer) -> None:
    file = explorer.survey.run_folder("clusters", RUNS["waste"]) / "run.json"
    info = json.loads(file.read_text())
    info["config"]["min_score"] = 0.5
    file.write_text(json.dumps(info))
    add_crops(explorer.survey, [0.4, 0.4, 0.6])
    run = explorer.latest_runs()["waste"]
    assert survey_data.new_crops(explorer, run) == 1
    assert survey_data.new_crops(explorer, explorer.latest_runs()["fauna"]) == 0


def add_class(survey: Survey, name: str, crops: int) -> None:
    rows = survey.table("crops", EMBED_RUN).read().slice(0, crops)
    columns = {column: rows[column].to_pylist() for column in rows.column_names}
    columns |= {"class": [name] * crops, "crop_id": [f"{name}-{i}" for i in range(crops)]}
    survey.table("crops", EMBED_RUN).write(name, concat_rows(columns, "crops"))


def test_status_and_overview_name_the_class_without_clusters(explorer: Explorer) -> None:
    add_bursts(explorer.survey)
    add_class(explorer.survey, "rocks", FEWEST - 1)  # too few to be clustered
    assert survey_status(explorer.survey)["next"] == "discover explore"
    add_class(explorer.survey, "algae", FEWEST)
    step = left(explorer)[0]
    assert labels([step]) == ["Cluster algae"]
    assert survey_status(explorer.survey)["next"] == step.command
    file = explorer.survey.table("crops", EMBED_RUN).files()[0]
    file.write_bytes(file.read_bytes()[:-40])
    assert survey_status(explorer.survey)["next"] == "discover doctor"


def test_every_button_asks_for_a_job_that_may_start(tmp_path: Path, explorer: Explorer) -> None:
    found = left(explorer) + left(Explorer(build(tmp_path / "b", clusters=False)))
    jobs = [action.job for step in found for action in step.actions if action.job]
    assert jobs
    for job in jobs:
        assert task_of(job, explorer).tokens[0] == job["command"]


def test_the_page_shows_facts_and_only_what_is_known(explorer: Explorer) -> None:
    add_bursts(explorer.survey)
    shown = text(overview.layout(explorer, {}))
    assert "75 % of the frames share one" in shown
    assert '"label": "Depth"' in shown
    assert '"label": "Time"' not in shown  # no frame has a time
    assert "data-job" not in text(overview._button(Action("a", href="/b"), primary=False))


def add_part(survey: Survey, name: str, **config: object) -> None:
    """Cluster some of the waste again."""
    folder = survey.run_folder("clusters", name)
    about = {"class_name": "waste", **config}
    parents = {"embeddings": EMBED_RUN}
    run = start_run(folder, command="discover cluster", config=about, parents=parents)
    for table in ("clusters", "maps"):
        rows = survey.table(table, RUNS["waste"]).read().slice(0, 20)
        survey.table(table, name).write("all", rows)
    run.complete(counts={"crops": 20, "clusters": 2})


def test_a_run_of_a_part_does_not_stand_for_its_class(explorer: Explorer) -> None:
    whole = explorer.class_run()
    add_part(explorer.survey, "waste-a", within_run=RUNS["waste"], within_cluster=0)
    add_part(explorer.survey, "waste-b", unnamed=True)
    add_part(explorer.survey, "waste-c", unnamed=True)
    assert explorer.class_run() == whole
    assert {name: run.name for name, run in explorer.latest_runs().items()} == RUNS
    part = explorer.class_run("waste-a")
    assert part is not None
    assert not part.whole
    crops = len(explorer.crops(explorer.latest_runs()["waste"]))
    assert f"0 of {crops} crops" in text(overview.layout(explorer, {}))
    chosen = {run.name: label for run, label in shell._run_labels(explorer.class_runs())}
    assert chosen == {
        "waste-11112222": "waste · 3 clusters", "fauna-33334444": "fauna · 2 clusters",
        "waste-a": "waste · within 0", "waste-b": "waste-b · unnamed",
        "waste-c": "waste · unnamed",
    }  # fmt: skip


def test_a_part_stands_for_its_class_where_nothing_else_does(tmp_path: Path) -> None:
    bare = Explorer(build(tmp_path / "a", clusters=False))
    folder = bare.survey.run_folder("clusters", "waste-u")
    about = {"class_name": "waste", "unnamed": True}
    parents = {"embeddings": EMBED_RUN}
    start_run(folder, command="discover cluster", config=about, parents=parents).complete(counts={})
    assert [run.part for run in bare.latest_runs().values()] == ["unnamed"]
    found = bare.class_run()
    assert found is not None
    assert found.name == "waste-u"


def test_a_run_of_crops_that_is_under_way_does_not_stand_for_the_survey(
    explorer: Explorer,
) -> None:
    survey = explorer.survey
    crops = survey.table("crops", EMBED_RUN).read()
    before = explorer.classes_by_dive()
    runs = [
        start_run(survey.run_folder(stage, "later"), command="discover embed", config={})
        for stage in ("crops", "embeddings")
    ]
    survey.table("crops", "later").write("a", crops.slice(0, 7))
    assert explorer.crops_runs() == [EMBED_RUN, "later"]
    assert explorer.classes_by_dive().equals(before)
    for run in runs:
        run.complete(counts={"crops": 7})
    assert explorer.crops_runs() == ["later", EMBED_RUN]
    # one that goes on, as frames were added, and has the clusters
    start_run(survey.run_folder("embeddings", EMBED_RUN), command="discover embed", config={})
    assert explorer.crops_runs() == [EMBED_RUN, "later"]


def test_an_empty_survey_says_how_to_begin(tmp_path: Path) -> None:
    bare = Explorer(open_survey(tmp_path / "new", create=True))
    assert "discover add FOLDER" in text(overview.layout(bare, {}))


def test_every_crop_is_counted_once_by_dive_and_by_depth(explorer: Explorer) -> None:
    total = int(explorer.classes_by_dive()["crops"].sum())
    span = survey_data.spans(explorer)["depth"]
    assert span == (400.0, 459.0)
    rows = survey_data.classes_by_depth(explorer, span)
    assert rows["crops"].sum() == total
    assert rows["value"].nunique() <= survey_data.MOST_BINS
    by_dive = overview.figure(explorer, "dive")
    assert sum(sum(trace.x) for trace in by_dive.data) == total
    figure = overview.figure(explorer, "depth")
    assert sum(sum(trace.x) for trace in figure.data) == total
    assert figure.layout.yaxis.autorange == "reversed"  # the surface is above
    assert overview.figure(explorer, "time") == overview.figure(explorer, "dive")


def test_only_the_richest_dives_have_a_bar() -> None:
    dives = [f"d{n}" for n in range(40)]
    rows = pd.DataFrame({"dive": dives, "class": "waste", "crops": range(1, 41)})
    (trace,) = figures_survey.classes_by_dive(rows).data
    assert len(trace.y) == figures_survey.MOST_DIVES
    assert "d39" in trace.y


def test_times_are_counted_in_steps_that_fit(explorer: Explorer) -> None:
    frames = explorer.survey.frames.read()
    start = pd.Timestamp("2024-05-01 23:30", tz="UTC")
    times = [start + pd.Timedelta(minutes=number) for number in range(len(frames))]
    place = frames.schema.get_field_index("time_utc")
    column = pa.array(times, frames.schema.field(place).type)
    timed = frames.set_column(place, frames.schema.field(place), column)
    explorer.survey.frames.write("all", timed, replace=True)
    span = survey_data.spans(explorer)["time"]
    assert span[0] == start.tz_localize(None)
    rows = survey_data.classes_by_time(explorer, span)
    assert rows["crops"].sum() == explorer.classes_by_dive()["crops"].sum()
    assert set(rows["step"]) == {300}
    assert rows["value"].min() == pd.Timestamp("2024-05-01 23:30")
    drawn = figures_survey.classes_by_time(rows)
    assert sum(sum(trace.y) for trace in drawn.data) == rows["crops"].sum()


def test_new_crops_are_counted_from_the_footers(explorer: Explorer) -> None:
    before = survey_data.count_crops(explorer.survey)
    table = explorer.survey.table("crops", EMBED_RUN)
    table.write("c", table.read().slice(0, 7))
    assert survey_data.count_crops(explorer.survey) - before == 7
    assert job_parts.notice(0) is None
    shown = job_parts.notice(2310)
    assert shown is not None
    assert "2,310 new crops" in text(shown)


def job(**more: Any) -> Job:  # noqa: ANN401
    about = {
        "id": "a1", "title": "Find <b>", "command": "cluster", "by": "mara", "started": 0.0,
        "finished": None, "state": RUNNING, "progress": None, "error": None, "result": None,
    }  # fmt: skip
    return Job(**{**about, **more})


def test_the_list_of_jobs_says_how_far_each_is() -> None:
    progress = {"label": "cutting", "done": 3, "total": 8}
    running = text(job_parts.job_list([job(progress=progress)], may_stop=True))
    assert "cutting: 3 of 8" in running
    assert "data-stop" in running
    assert "data-stop" not in text(job_parts.job_list([job()], may_stop=False))
    assert "starting" in text(job_parts.job_list([job(state=RUNNING)], may_stop=True))
    done = job(state=DONE, finished=3661.0, result={"run": "waste-1"})
    shown = text(job_parts.job_list([done], may_stop=True))
    assert "1:01:01" in shown
    assert "/queue?run=waste-1" in shown
    failed = text(job_parts.job_list([job(state=FAILED, error="no crops")], may_stop=True))
    assert "no crops" in failed
    assert "stopped" in text(job_parts.job_list([job(state=STOPPED)], may_stop=True))
    assert "Nothing has run yet" in text(job_parts.job_list([], may_stop=True))


@pytest.mark.parametrize(
    ("command", "result", "href"),
    [
        ("bursts", {"run": "b"}, "/bursts"),
        ("learn", {"run": "heads/h"}, "/subcategories"),
        ("export", {"out": "exports/a.csv"}, "/job/a1/download"),
        ("report", {"report": "report.html"}, "/job/a1/report"),
    ],
)
def test_a_finished_job_leads_to_what_it_made(command: str, result: dict, href: str) -> None:
    (link,) = job_parts.made(job(command=command, state=DONE, result=result))
    assert link.href == href


def test_what_cannot_be_started_is_said(explorer: Explorer) -> None:
    jobs = Jobs(explorer)
    assert job_parts.answer(explorer, jobs, {"start": {"command": "rm"}, "at": 1})[1]
    assert job_parts.answer(explorer, jobs, {"stop": "nothing", "at": 1}) == (
        "job 'nothing' is not in the list", True,
    )  # fmt: skip


def test_only_an_admin_starts_jobs(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.auth import User

    monkeypatch.setattr(job_parts, "current_user", lambda _: User("jon", "annotator"))
    said, failed = job_parts.answer(explorer, Jobs(explorer), {"start": {"command": "bursts"}})
    assert failed
    assert "jon may not start or stop jobs" in said
    assert Jobs(explorer).listed() == []
