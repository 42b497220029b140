"""The command `discover`: each verb calls one library function and says where the result is."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Group, Parameter

from classify.console import configure, print_json, progress, run, say
from classify.errors import UserError
from discover.summary import clustering_lines, status_lines, survey_status
from discover.survey import SETTINGS_FILE, open_survey

app = App(
    name="discover",
    help="Find out what is in ROV footage: cut out what matters, find its kinds, name them.",
    version_flags=["--version"],
)
configure(app, SETTINGS_FILE, "DISCOVER_", folder_option="--survey")

_SHARED = Group("Every command", sort_key=9)
SurveyDir = Annotated[
    Path,
    Parameter(
        name="--survey",
        env_var="DISCOVER_SURVEY",
        group=_SHARED,
        help="Folder of the survey.",
    ),
]
Json = Annotated[
    bool,
    Parameter(name="--json", negative=(), group=_SHARED, help="Print the result for machines."),
]
HERE = Path()


@app.command
def add(
    *paths: Path,
    dive_from: str = "folder",
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Add the images in files and nested folders to a survey.

    Files that are in it already add nothing; a file that cannot be read is named and left out.

    Example: discover add footage/2024 --survey atoll

    Parameters
    ----------
    paths
        Image files, and folders that are searched at any depth.
    dive_from
        How a file's dive is told: folder (the name of its folder), a CSV with columns image,dive,
        or a regular expression whose first group, found in the path, is the dive.
    """
    from discover.frames import add_frames

    if not paths:
        raise UserError(
            "PATH is missing: name image files or folders, as in `discover add footage`"
        )
    opened = open_survey(survey, create=True)
    with progress("adding", silent=as_json) as advance:
        added = add_frames(opened, paths, dive_from=dive_from, progress=advance)
    if as_json:
        print_json(
            {
                "new": added.new,
                "known": added.known,
                "rejected": [{"file": str(f), "reason": r} for f, r in added.rejected],
            }
        )
        return
    say(f"{added.new} frames added, {added.known} known before, {len(added.rejected)} unreadable")
    for _, reason in added.rejected[:20]:
        say(f"  {reason}")
    if len(added.rejected) > 20:
        say(f"  and {len(added.rejected) - 20} more; --json lists them all")


@app.command
def embed(
    *,
    model: Path | None = None,
    boxes: Path | None = None,
    whole_frame: Annotated[bool, Parameter(negative=())] = False,
    backbone: str = "tf_efficientnet_lite0",
    weights: str = "bundled",
    size: int = 224,
    context: float = 0.05,
    background: str = "surround",
    flip: bool = True,
    percentile: float = 94.0,
    regions: int = 3,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Cut out what makes each frame "waste" or "fauna", and turn every crop into a vector.

    Say where the regions come from: --model, --boxes or --whole-frame. A run that was stopped goes
    on where it was, and takes in frames that were added since.

    Example: discover embed --model runs/elements

    Parameters
    ----------
    model
        Run folder of `classify train`: regions are the classifier's own evidence.
    boxes
        COCO file: regions are its segmentations or boxes. Needs no classifier.
    whole_frame
        The whole frame is the one region, of class "frame". Needs no classifier.
    backbone
        Any timm model name, or hf-hub:owner/model.
    weights
        bundled (EfficientNet-Lite0, comes with the install), timm (from the hub), or a file.
    size
        Side of the crop that the backbone sees, pixels.
    context
        Margin round a region, as a share of its longer side.
    background
        Outside a region's mask: surround (its mean colour), blur or keep.
    flip
        Average the vectors of a crop and of its mirror image; takes a third longer.
    percentile
        Share of the frame, in percent, that is below the map's threshold.
    regions
        Regions a frame at most.
    """
    if sum([model is not None, boxes is not None, whole_frame]) != 1:
        raise UserError(
            "say where regions come from, by one of --model RUN, --boxes COCO.json, --whole-frame"
        )
    opened = open_survey(survey)
    from discover.embed import EmbedConfig
    from discover.embed import embed as embed_crops
    from discover.regions import BoxRegions, ClassifierRegions, WholeFrame
    from discover.saliency import SaliencyConfig

    source: BoxRegions | ClassifierRegions | WholeFrame
    if model is not None:
        source = ClassifierRegions(model, SaliencyConfig(percentile=percentile, regions=regions))
    elif boxes is not None:
        source = BoxRegions(boxes)
        named = source.matched(opened.frames.read(["path"])["path"].to_pylist())
        if not named:
            raise UserError(f"--boxes {boxes} names none of the survey's frames by its file_name")
    else:
        source = WholeFrame()
    config = EmbedConfig(backbone, weights, size, context, background, flip)
    with progress("embedding", silent=as_json) as advance:
        done = embed_crops(opened, source, config=config, progress=advance)
    counts = done.info["counts"]
    if as_json:
        print_json({"run": done.name, **counts, **done.info["timings"]})
        return
    say(f"{counts['crops']} crops from {counts['frames']} frames: embeddings/{done.name}")
    if counts["unreadable"]:
        say(f"  {counts['unreadable']} frames could not be read and have no crops")


@app.command
def cluster(
    *,
    class_name: Annotated[str, Parameter(name="--class")],
    min_size: str = "auto",
    min_score: float = 0.5,
    embeddings: str | None = None,
    components: int = 20,
    dimensions: int = 8,
    neighbors: int = 15,
    seed: int = 0,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Find the kinds within a class, by clustering its crops.

    Example: discover cluster --class waste

    Parameters
    ----------
    class_name
        The class: waste, fauna, ...; or frame, after `discover embed --whole-frame`.
    min_size
        Smallest group that is a cluster; auto tries a range and takes the most valid result.
    min_score
        Crops whose class is less probable are left out of this run.
    embeddings
        Embeddings run; by default the latest that has crops of the class.
    components
        Dimensions that PCA keeps.
    dimensions
        Dimensions that UMAP leaves for HDBSCAN.
    neighbors
        UMAP's neighbourhood: small keeps fine structure.
    seed
        The same seed gives the same clusters.
    """
    opened = open_survey(survey)
    if min_size != "auto" and not min_size.isdigit():
        raise UserError(f"--min-size {min_size!r} is neither a whole number nor auto")
    from discover.cluster import ClusterConfig
    from discover.cluster import cluster as cluster_crops

    config = ClusterConfig(
        class_name,
        min_score=min_score,
        min_size=0 if min_size == "auto" else int(min_size),
        components=components,
        dimensions=dimensions,
        neighbors=neighbors,
        seed=seed,
    )
    from classify.console import console

    with console.status("clustering") as status:
        done = cluster_crops(opened, config, embeddings=embeddings, stage=status.update)
    if as_json:
        print_json({"run": done.name, **done.info["counts"], "sizes": done.info["clusters"]})
        return
    for line in clustering_lines(done):
        say(line)


@app.command
def explore(
    *,
    host: str = "127.0.0.1",
    port: int = 8050,
    annotator: str | None = None,
    open_browser: bool = False,
    survey: SurveyDir = HERE,
) -> None:
    """Serve the page on which a person looks at the clusters and names them.

    Example: discover explore --survey atoll --port 8051

    Parameters
    ----------
    host
        Address to listen on; only this computer's own for now.
    port
        Port to listen on.
    annotator
        Name that verdicts are kept under; by default the user's.
    open_browser
        Open the page in the browser.
    """
    opened = open_survey(survey)
    from app.server import serve

    serve(opened, host=host, port=port, annotator=annotator, open_browser=open_browser, ready=say)


@app.command
def demo(
    *,
    directory: Annotated[Path, Parameter(name="--dir")] = Path("demo-survey"),
    serve: bool = True,
    dives: int = 8,
    frames_per_dive: int = 90,
    seed: int = 0,
    port: int = 8050,
    as_json: Json = False,
) -> None:
    """Render a synthetic survey, run the whole pipeline on it, score it, and serve the page.

    Example: discover demo --dir /tmp/demo --no-serve

    Parameters
    ----------
    directory
        Folder to make the survey in. What is finished there is not made again.
    serve
        Serve the page at the end.
    dives
        Dives to render.
    frames_per_dive
        Frames in each.
    seed
        Of the rendering and of every step.
    port
        Port to serve the page on.
    """
    from functools import partial

    from discover.demo.run import as_json as result_as_json
    from discover.demo.run import run_demo, score_lines

    result = run_demo(
        directory,
        seed=seed,
        dives=dives,
        frames_per_dive=frames_per_dive,
        progress=partial(progress, silent=as_json),
        say=(lambda _line: None) if as_json else say,
    )
    if as_json:
        print_json(result_as_json(result))
        return
    for clustering in result.clusterings:
        for line in clustering_lines(clustering)[:-1]:
            say(line)
    for line in score_lines(result):
        say(line)
    if serve:
        explore(survey=directory, port=port)
    else:
        say(f"next: discover explore --survey {directory}")


@app.command
def status(*, survey: SurveyDir = HERE, as_json: Json = False) -> None:
    """Say what a survey holds and what to run next.

    Example: discover status --survey atoll
    """
    found = survey_status(open_survey(survey))
    if as_json:
        print_json(found)
        return
    for line in status_lines(found):
        say(line)


def main() -> None:
    """Run the command line."""
    run(app)
