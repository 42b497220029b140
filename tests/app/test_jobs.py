import io
import json
import os
import signal
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.data import Explorer
from app.jobs import files as job_files
from app.jobs import jobs as jobs_module
from app.jobs.commands import EXPORTS, JobError, task_of
from app.jobs.jobs import DONE, FAILED, RUNNING, STOPPED, Job, Jobs
from classify.runs import start_run
from discover.export import FORMATS
from tests.app.survey_on_disk import RUNS, build

# Stands in for `discover`: says how far it is, and goes on until it is told what to do.
SCRIPT = """
import json, os, pathlib, sys, time
place = pathlib.Path(os.environ["DISCOVER_PROGRESS"])
place.write_text(json.dumps({"label": "cutting", "done": 3, "total": 8}))
while not (told := place.with_name("told")).exists():
    time.sleep(0.02)
if told.read_text() == "fail":
    sys.exit("error: the crops are\\nerror: gone")
print(json.dumps({"run": "bursts-1", "argv": sys.argv[1:]}))
"""


@pytest.fixture
def jobs(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    monkeypatch.setattr(jobs_module, "DISCOVER", [sys.executable, "-c", SCRIPT])
    return Jobs(explorer)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explorer]:
    """Open one survey for all tests that change nothing in it."""
    made = Explorer(build(tmp_path_factory.mktemp("kept") / "survey"), "mara")
    yield made
    made.labels.close()


def until(true: Callable[[], Any]) -> Any:  # noqa: ANN401
    """Wait for something; the test's own timeout ends it where it never comes."""
    while not (found := true()):
        time.sleep(0.02)
    return found


def tell(jobs: Jobs, job: Job, what: str) -> Job:
    folder = jobs.folder / job.id
    until((folder / "progress.json").exists)
    (folder / "told.tmp").write_text(what)
    os.replace(folder / "told.tmp", folder / "told")
    until(lambda: jobs.get(job.id).state != RUNNING)
    return jobs.get(job.id)


def test_a_job_runs_and_survives_a_new_server(jobs: Jobs, explorer: Explorer) -> None:
    started = jobs.start({"command": "bursts", "window": "10s"}, by="mara")
    assert (started.state, started.title, started.by) == (RUNNING, "Find bursts", "mara")
    until(lambda: jobs.get(started.id).progress)
    anew = Jobs(Explorer(explorer.survey))  # what the page makes when it is started again
    (seen,) = anew.listed()
    assert seen.state == RUNNING
    assert seen.progress == {"label": "cutting", "done": 3, "total": 8}
    done = tell(anew, seen, "go")
    assert done.state == DONE
    assert done.result is not None
    argv = ["bursts", "--window=10s", f"--survey={explorer.survey.root.resolve()}", "--json"]
    assert done.result == {"run": "bursts-1", "argv": argv}
    assert done.finished is not None


def test_the_same_job_is_not_started_twice(jobs: Jobs) -> None:
    first = jobs.start({"command": "export", "format": "csv", "name": "a"}, by="mara")
    with pytest.raises(JobError, match="runs already, started by mara"):
        jobs.start({"command": "export", "format": "csv", "name": "b"}, by="jon")
    other = jobs.start({"command": "export", "format": "coco"}, by="jon")
    tell(jobs, first, "go")
    again = jobs.start({"command": "export", "format": "csv", "name": "b"}, by="jon")
    for job in (other, again):
        tell(jobs, job, "go")
    assert [job.id for job in jobs.listed()] == [again.id, other.id, first.id]


def test_a_failed_job_says_its_last_line(jobs: Jobs) -> None:
    failed = tell(jobs, jobs.start({"command": "bursts"}, by="mara"), "fail")
    assert (failed.state, failed.error, failed.result) == (FAILED, "gone", None)


def test_a_job_can_be_stopped(jobs: Jobs) -> None:
    job = jobs.start({"command": "bursts"}, by="mara")
    until(lambda: jobs.get(job.id).progress)
    jobs.stop(job.id)
    until(lambda: jobs.get(job.id).state != RUNNING)
    assert jobs.get(job.id).state == STOPPED
    with pytest.raises(JobError, match="has ended already"):
        jobs.stop(job.id)
    with pytest.raises(JobError, match="not in the list"):
        jobs.stop("../etc")


def test_a_killed_job_is_stopped_even_where_its_number_lives_on(jobs: Jobs) -> None:
    job = jobs.start({"command": "bursts"}, by="mara")
    until(lambda: jobs.get(job.id).progress)
    process = jobs.folder / job.id / "process.json"
    os.killpg(json.loads(process.read_text())["group"], signal.SIGKILL)
    until(lambda: jobs.get(job.id).state != RUNNING)
    process.write_text(json.dumps({"group": os.getpid(), "host": "here"}))  # used again
    assert jobs.get(job.id).state == STOPPED


def test_only_the_latest_ended_jobs_are_kept(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "KEPT", 2)
    made = [tell(jobs, jobs.start({"command": "bursts"}, by="m"), "go") for _ in range(4)]
    assert [job.id for job in jobs.listed()] == [job.id for job in made[:0:-1]]


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ("bursts", "no command with options"),
        ({}, "none that the page starts"),
        ({"command": "adapt"}, "none that the page starts"),
        ({"command": ["bursts"]}, "none that the page starts"),
        ({"command": "bursts", "out": "/tmp/x"}, "unknown option 'out'"),
        ({"command": "bursts", "window": "10s; ls"}, "window"),
        ({"command": "embed"}, "give either"),
        ({"command": "embed", "whole_frame": "yes"}, "true or false"),
        ({"command": "embed", "model": "../../elsewhere"}, "one of the survey's runs"),
        ({"command": "cluster"}, "class None"),
        ({"command": "cluster", "class": "--run=x"}, "class '--run=x'"),
        ({"command": "cluster", "class": ["waste"]}, "class"),
        ({"command": "cluster", "within": 1, "run": "nothing"}, "run 'nothing'"),
        ({"command": "cluster", "within": "1", "run": RUNS["waste"]}, "within '1'"),
        ({"command": "cluster", "within": 1, "run": RUNS["waste"], "class": "waste"}, "class does"),
        ({"command": "learn", "name": "../head"}, "name '../head'"),
        ({"command": "learn", "name": "a/b"}, "name 'a/b'"),
        ({"command": "learn", "name": ".hidden"}, "name '.hidden'"),
        ({"command": "export", "format": "exe"}, "format 'exe'"),
        ({"command": "export", "format": "csv", "name": "/tmp/a"}, "name '/tmp/a'"),
        ({"command": "export", "format": "csv", "encounters": True}, "darwin-core"),
    ],
)
def test_a_forged_job_is_refused(kept: Explorer, request_: object, says: str) -> None:
    jobs = Jobs(kept)
    with pytest.raises(JobError, match=says):
        jobs.start(request_, by="mara")
    assert jobs.listed() == []


def test_options_stand_as_the_command_line_has_them(explorer: Explorer) -> None:
    root = explorer.survey.root
    unnamed = task_of({"command": "cluster", "class": "waste", "unnamed": True}, explorer)
    assert unnamed.tokens == ("cluster", "--class=waste", "--unnamed")
    within = task_of({"command": "cluster", "within": 2, "run": RUNS["waste"]}, explorer)
    assert within.tokens == ("cluster", "--within=2", f"--run={RUNS['waste']}")
    learn = task_of({"command": "learn", "class": "fauna", "name": "h"}, explorer)
    assert (learn.tokens, learn.out) == (("learn", "--class=fauna"), (root / "heads/h").resolve())
    dwc = {"command": "export", "format": "darwin-core", "encounters": True, "name": "o"}
    assert task_of(dwc, explorer).out == (root / "exports/o.zip").resolve()
    start_run(root / "runs/e", command="classify train elements", config={}).complete(counts={})
    embed = task_of({"command": "embed", "model": "e"}, explorer)
    assert embed.tokens == ("embed", f"--model={(root / 'runs/e').resolve()}")
    (root / "heads/h").mkdir(parents=True)
    with pytest.raises(JobError, match="'h' is taken in heads"):
        task_of({"command": "learn", "name": "h"}, explorer)


def test_every_format_has_its_name() -> None:
    assert EXPORTS.keys() == FORMATS.keys()


def test_what_a_job_made_is_served_by_its_id_alone(jobs: Jobs, explorer: Explorer) -> None:
    server = Flask("files")
    job_files.serve(server, jobs)
    client = server.test_client()
    running = jobs.start({"command": "export", "format": "folders", "name": "a"}, by="mara")
    assert client.get(f"/job/{running.id}/download").status_code == 404  # not finished
    done = tell(jobs, running, "go")
    output = jobs.folder / done.id / "output"
    folder = explorer.survey.root / "exports/a"
    output.write_text(json.dumps({"out": str(folder)}))
    assert client.get(f"/job/{done.id}/download").status_code == 404  # was moved away since
    (folder / "can").mkdir(parents=True)
    (folder / "can/1.jpg").write_bytes(b"jpeg")
    answer = client.get(f"/job/{done.id}/download")
    assert "a.zip" in answer.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.data)) as packed:
        assert packed.read("a/can/1.jpg") == b"jpeg"
    assert client.get(f"/job/{done.id}/report").status_code == 404  # it is no report
    assert client.get("/job/..%2F..%2Flabels/download").status_code == 404
    output.write_text(json.dumps({"out": "/etc/hostname"}))  # nothing outside of the survey
    assert client.get(f"/job/{done.id}/download").status_code == 404


def test_the_real_command_writes_an_export(explorer: Explorer) -> None:
    explorer.labels.name(
        explorer.crops(explorer.class_runs()[0])["crop_id"][:5], "can", annotator="mara"
    )
    jobs = Jobs(explorer)
    job = jobs.start({"command": "export", "format": "csv", "name": "mine"}, by="mara")
    until(lambda: jobs.get(job.id).state != RUNNING)
    done = jobs.get(job.id)
    assert (done.state, done.error) == (DONE, None)
    assert done.result is not None
    assert done.result["labels"] == 5
    assert Path(done.result["out"]) == (explorer.survey.root / "exports/mine.csv").resolve()
