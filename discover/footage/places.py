"""Each file's dive and its place there, beside the frames that the survey has."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from classify.images import ImageError
from classify.runs import file_hash
from discover.footage.dives import DiveOf
from discover.footage.video import VideoError
from discover.footage.video_files import Video, frame_prefix
from discover.footage.video_index import index_video
from discover.survey import Survey

_COLUMNS = ["path", "dive", "index", "sha256", "video", "video_frame", "video_s"]
_BLOCK = 1_000_000  # a video's first index in its dive is a multiple of it

Progress = Callable[[int, int], None]
Reject = Callable[[Path, str], None]


@dataclass(frozen=True)
class PlannedImage:
    """An image that is to be added.

    Attributes:
        file: the image.
        stored: what the `path` column will hold.
        dive: its dive.
        index: its place there.
    """

    file: Path
    stored: str
    dive: str
    index: int


class KnownFrames:
    """What the survey has, and the places that are taken by it and by what is planned."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._taken: dict[str, set[int]] = defaultdict(set)  # indices, by dive
        self._hashes: dict[tuple[str, str], set[str]] = defaultdict(set)  # files may have changed
        self._owners: dict[str, str] = {}  # videos, by what their frames' paths begin with
        self._stamps: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
        self._first: dict[tuple[str, str], int] = {}
        batches = survey.frames.read(_COLUMNS).to_batches(max_chunksize=4096)
        for row in (row for batch in batches for row in batch.to_pylist()):
            self._taken[row["dive"]].add(row["index"])
            self._hashes[row["path"], row["dive"]].add(row["sha256"])
            if row["video"] is not None:
                self._owners[row["path"][: -len("00000000.jpg")]] = row["video"]
                video = row["video"], row["dive"]
                self._stamps[video][row["video_frame"]] = row["video_s"]
                self._first[video] = row["index"] - row["video_frame"]

    def place_images(
        self, files: Iterable[Path], dive_of: DiveOf, reject: Reject
    ) -> list[PlannedImage]:
        """Give each new image its dive and its place there; leave out those that are known.

        An image's index is its rank among the images given for its dive. One that is added later
        and whose rank is taken goes behind the dive's last, so that no frame that is known ever
        changes its id.
        """
        rank: dict[str, int] = defaultdict(int)
        planned, later = [], []
        for file in files:
            try:
                dive = dive_of(file)
            except ImageError as error:
                reject(file, str(error))
                continue
            index = rank[dive]
            rank[dive] += 1
            stored = self._survey.stored_path(file)
            hashes = self._hashes.get((stored, dive))
            if hashes and file_hash(file) in hashes:
                continue
            if index in self._taken[dive]:
                later.append((file, stored, dive))
            else:
                planned.append(PlannedImage(file, stored, dive, index))
        for file, stored, dive in later:
            index = max(max(self._taken[dive]), rank[dive] - 1) + 1
            self._taken[dive].add(index)
            planned.append(PlannedImage(file, stored, dive, index))
        for image in planned:
            self._taken[image.dive].add(image.index)
        return planned

    def place_videos(
        self,
        files: Iterable[Path],
        dive_of: DiveOf,
        reject: Reject,
        scanning: Progress | None = None,
    ) -> list[Video]:
        """Give each video its dive and its place there, and read its time stamps.

        A frame's index is its number in the video, counted on from the video's place: behind the
        images, and whole millions apart, so that what a denser sampling adds later stands in
        order.
        """
        planned = []
        for file in files:
            try:
                planned.append(self._placed(file, dive_of(file), scanning))
            except VideoError as error:
                reject(file, f"{file.name}: {error}")
            except ImageError as error:
                reject(file, str(error))
        return planned

    def _placed(self, file: Path, dive: str, scanning: Progress | None) -> Video:
        stored = self._survey.stored_path(file)
        owner = self._owners.setdefault(frame_prefix(dive, file), stored)
        if owner != stored:
            raise VideoError(
                f"dive {dive!r} has a video of that name, {owner}; tell their dives apart by "
                "--dive-from"
            )
        index = index_video(file, self._survey.cache / "videos", scanning)
        behind = max(self._taken[dive], default=-1) + 1
        first = self._first.get((stored, dive), -(-behind // _BLOCK) * _BLOCK)
        self._taken[dive].add(first + len(index) - 1)
        return Video(file, stored, dive, index, first, self._stamps[stored, dive])
