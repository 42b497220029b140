"""`discover cluster`."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from classify.console import print_json, say, working
from classify.errors import UserError
from discover.commands.options import HERE, Json, SurveyDir
from discover.summary import clustering_lines
from discover.survey import Survey, open_survey

if TYPE_CHECKING:
    from discover.cluster import ClusterConfig


def cluster(
    *,
    class_name: Annotated[str | None, Parameter(name="--class")] = None,
    min_size: str = "auto",
    min_score: float = 0.4,
    keyframes: Annotated[bool, Parameter(name="--keyframes-only", negative="--all")] = True,
    embeddings: str | None = None,
    within: int | None = None,
    unnamed: Annotated[bool, Parameter(negative=())] = False,
    place_new: Annotated[bool, Parameter(negative=())] = False,
    run: str | None = None,
    method: str = "umap",
    components: int = 50,
    dimensions: int = 8,
    neighbors: int = 10,
    min_samples: int = 3,
    seed: int = 0,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Find the kinds within a class, by clustering its crops.

    Names are given to crops, so that another run loses none of them; it says what became of the
    clusters of the one before.

    Example: discover cluster --class waste

    Parameters
    ----------
    class_name
        The class: waste, fauna, ...; or frame, after `discover embed --whole-frame`. Needed unless
        an earlier run says it.
    min_size
        Smallest group that is a cluster; auto tries a range and takes what is valid and holds under
        another seed and another size. The run's sweep.html shows the curve.
    min_score
        Crops with a lower score are left out of this run: there is less evidence for their class.
    keyframes
        Cluster one frame of each burst, the others take its clusters (where `discover bursts` has
        run); --all clusters every frame.
    embeddings
        Embeddings run; by default the latest that has crops of the class.
    within
        Look more closely into this cluster of an earlier run: its crops alone are clustered.
    unnamed
        Cluster only what no person has named, rejected or called indeterminate yet.
    place_new
        Put crops that were embedded since into the clusters and on the map of an earlier run, which
        stay as they are; what fits nowhere is listed as unlike anything.
    run
        The earlier run, for --within and --place-new; by default the latest of the class.
    method
        umap (a consensus of several UMAP layouts, then HDBSCAN), pca-hdbscan, or pca-kmeans (which
        leaves no noise), to compare with.
    components
        Dimensions that PCA keeps.
    dimensions
        Dimensions of each UMAP layout.
    neighbors
        UMAP's neighbourhood: small keeps fine structure.
    min_samples
        How dense a neighbourhood must be: more makes more noise.
    seed
        The same seed gives the same clusters.
    """
    opened = open_survey(survey)
    _check(class_name, min_size, within, place_new, run)
    if place_new:
        _place_new(opened, run, class_name, as_json)
        return
    from discover.cluster import ClusterConfig
    from discover.cluster import cluster as cluster_crops

    config = ClusterConfig(
        class_name or "",
        min_score=min_score,
        keyframes=keyframes,
        min_size=0 if min_size == "auto" else int(min_size),
        min_samples=min_samples,
        method=method,
        components=components,
        dimensions=dimensions,
        neighbors=neighbors,
        seed=seed,
        unnamed=unnamed,
    )
    if within is not None:
        config = _within(opened, config, run, within)
    with working("clustering") as stage:
        done = cluster_crops(opened, config, embeddings=embeddings, stage=stage)
    if as_json:
        print_json({"run": done.name, **done.info["counts"], "sizes": done.info["clusters"]})
        return
    for line in clustering_lines(done):
        say(line)


def _check(
    class_name: str | None, min_size: str, within: int | None, place_new: bool, run: str | None
) -> None:
    if min_size != "auto" and not min_size.isdigit():
        raise UserError(f"--min-size {min_size!r} is neither a whole number nor auto")
    if within is not None and place_new:
        raise UserError(f"--within {within} and --place-new are two things: give one of them")
    if within is None and not place_new:
        if run is not None:
            raise UserError(f"--run {run} is for --within CLUSTER or --place-new: give one of them")
        if class_name is None:
            raise UserError("--class is missing: say which, such as --class waste")


def _within(
    survey: Survey, config: "ClusterConfig", name: str | None, number: int
) -> "ClusterConfig":
    """Return the settings for a look into one cluster of the run `name`, or the latest."""
    run = survey.run("clusters", name, of_class=config.class_name or None)
    known = run.info["config"]
    return replace(
        config,
        class_name=known["class_name"],
        min_score=min(config.min_score, known["min_score"]),
        within_run=run.name,
        within_cluster=number,
    )


def _place_new(survey: Survey, run: str | None, class_name: str | None, as_json: bool) -> None:
    from discover.kinds.newcomers import place_new

    with working("placing new crops"):
        done = place_new(survey, run, class_name=class_name)
    if as_json:
        print_json(
            {
                "run": done.run.name,
                "new": done.new,
                "in_clusters": done.in_clusters,
                "unlike": done.unlike,
            }
        )
        return
    if not done.new:
        say(f"no new crops: clusters/{done.run.name} holds all there are")
        return
    say(f"{done.new} new crops placed in clusters/{done.run.name}, where nothing moved")
    say(f"  in a cluster    {done.in_clusters} ({done.in_clusters / done.new:.0%})")
    say(f"  unlike anything {done.unlike}: look at these first; many of them ask for a new run")
