"""The files that jobs made, by the job's id: exports to download, reports to read."""

import tempfile
import zipfile
from pathlib import Path

from flask import Flask, Response, abort, send_file

from app.jobs.commands import JobError
from app.jobs.jobs import DONE, Job, Jobs

_PARTS = 1 << 20  # bytes of a zip that are kept in memory


def serve(server: Flask, jobs: Jobs) -> None:
    """Answer `/job/<id>/download` with an export, a folder as ZIP, and `/job/<id>/report`."""

    @server.get("/job/<job_id>/download")
    def download(job_id: str) -> Response:
        out = _file(jobs, job_id, "export", "out")
        if out.is_dir():
            return _zipped(out)
        return send_file(out.resolve(), as_attachment=True, download_name=out.name)

    @server.get("/job/<job_id>/report")
    def report(job_id: str) -> Response:
        return send_file(_file(jobs, job_id, "report", "report").resolve(), mimetype="text/html")


def _file(jobs: Jobs, job_id: str, command: str, key: str) -> Path:
    try:
        job: Job = jobs.get(job_id)
    except JobError as error:
        abort(404, str(error))
    if job.state != DONE or job.command != command or not job.result:
        abort(404, f"job {job_id!r} is no finished {command}")
    file = Path(job.result[key]).resolve()
    if not file.is_relative_to(jobs.folder.parent.parent.resolve()) or not file.exists():
        abort(404, f"{file.name} is not there any more: run the {command} again")
    return file


def _zipped(folder: Path) -> Response:
    packed = tempfile.SpooledTemporaryFile(_PARTS)  # noqa: SIM115 - flask closes it
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:  # images are small already
        for file in sorted(folder.rglob("*")):
            archive.write(file, Path(folder.name) / file.relative_to(folder))
    packed.seek(0)
    return send_file(
        packed,
        mimetype="application/zip",
        as_attachment=True,
        download_name=f"{folder.name}.zip",
    )
