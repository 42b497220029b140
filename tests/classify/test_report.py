import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from classify import figures, report
from classify.evaluate import evaluate_task
from classify.figures_robustness import robustness_figure
from classify.figures_training import MOST_DIVES, history_figure, split_figure
from classify.model import ModelConfig
from classify.page import COLOURS, write_page
from classify.report import find_mistakes, log_to_tensorboard, write_report
from classify.runs import Run, RunError
from classify.settings import TrainConfig
from classify.train import train
from tests.classify.conftest import SMALL, draw_labelled

QUICK = TrainConfig(strength=0.01)
NAMES = ("<b>", "fauna")


def _scores(classes: tuple[str, ...] = NAMES) -> dict[str, Any]:
    """Three images of the first class, one of them named right; one of the second."""
    targets = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], np.float32)
    logits = np.array([[2, 0], [0, 1], [0, 1], [0, 3]], np.float32)
    return evaluate_task(logits, targets, pd.Series(list("aabb")), classes, temperature=2.0)


def _text(figure: go.Figure) -> str:
    return str(figure.layout.title.text)


def test_confusion_shows_counts_coloured_by_the_share_of_the_true_class() -> None:
    heat = figures.confusion_figure(_scores()).data[0]
    assert np.asarray(heat.text).tolist() == [[1, 2], [0, 1]]
    assert np.allclose(heat.z, [[1 / 3, 2 / 3], [0, 1]])
    assert list(heat.y) == ["&lt;b&gt;", "fauna"]


def test_a_class_without_images_has_no_share() -> None:
    scores = {"recall": {"a": 1.0, "b": None}, "confusion": [[2, 0], [0, 0]]}
    assert np.isnan(np.asarray(figures.confusion_figure(scores).data[0].z)[1]).all()


def test_recall_says_how_many_images_each_class_has() -> None:
    figure = figures.recall_figure(_scores())
    recall, precision = figure.data
    assert np.allclose(recall.x, [1 / 3, 1], atol=1e-4)
    assert np.allclose(precision.x, [1, 1 / 3], atol=1e-4)
    assert "&lt;b&gt; (3)" in figure.layout.yaxis.ticktext[0]


def test_an_undefined_precision_is_said_to_be_so() -> None:
    scores = {"recall": {"a": 0.0}, "precision": {"a": None}, "average_precision": {"a": 0.5}}
    found = {bar.name: bar for bar in figures.recall_figure(scores, {"a": 1234}).data}
    assert list(found["precision"].text) == ["undefined"]
    assert list(found["average precision"].x) == [0.5]


def test_calibration_draws_the_bins_and_says_both_errors() -> None:
    scores = _scores()
    figure = figures.calibration_figure(scores)
    bins = np.array(scores["calibration"]["bins"])
    assert np.allclose(figure.data[1].x, bins[:, 2])
    assert np.allclose(figure.data[1].y, bins[:, 3])
    assert np.allclose(figure.data[1].marker.size, bins[:, 1])
    assert f"{scores['calibration']['error']:.3f}" in _text(figure)
    assert f"{scores['calibration']['error_before']:.3f}" in _text(figure)


@pytest.mark.parametrize(("random", "said", "width"), [(0.9, "+0.300", 0.3), (0.55, "-0.050", 0)])
def test_the_leak_is_what_lies_between_the_bars(random: float, said: str, width: float) -> None:
    counts = {"head_alone": 0.6, "head_alone_on_a_random_split": random}
    figure = figures.leak_figure(counts)
    assert list(figure.data[0].x) == [0.6, random]
    assert figure.data[1].name == "leak"
    assert figure.data[1].base[0] == 0.6
    assert figure.data[1].x[0] == pytest.approx(width)
    assert f"leak {said}" in figure.layout.annotations[0].text


HEADS = pd.DataFrame(
    {
        "phase": "head",
        "strength": [0.1, 0.01, 0.001],
        "loss": [0.9, 0.4, 0.6],
        "score": [0.5, 0.6, 0.7],
    }
)
EPOCHS = pd.DataFrame(
    {"phase": "network", "epoch": [1, 2], "loss": [1.0, 0.5], "score": [0.6, 0.8]}
)


def _chosen(figure: go.Figure) -> list[tuple[float, float]]:
    return [(float(t.x[0]), float(t.y[0])) for t in figure.data if t.name == "chosen"]


def test_the_strength_of_least_loss_is_marked() -> None:
    figure = history_figure(HEADS)
    assert list(figure.data[0].x) == [0.1, 0.01, 0.001]
    assert _chosen(figure) == [(0.01, 0.4), (0.01, 0.6)]
    assert figure.layout.xaxis.type == "log"


def test_both_phases_have_a_panel_and_the_kept_epoch_is_marked() -> None:
    figure = history_figure(pd.concat([HEADS, EPOCHS]), tuned_epochs=2)
    assert _chosen(figure)[2:] == [(2, 0.5), (2, 0.8)]


def test_tuning_that_brought_nothing_is_said_and_marks_nothing() -> None:
    figure = history_figure(EPOCHS.drop(columns="score"), tuned_epochs=0)
    assert not _chosen(figure)
    assert "brought nothing" in figure.layout.annotations[0].text


def test_a_history_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="the history is empty"):
        history_figure(pd.DataFrame())


def _bars(figure: go.Figure) -> dict[tuple[str, str, str], int]:
    """Return images by (dive, class, side), where there are any."""
    return {
        (dive, bar.name, bar.meta): int(count)
        for bar in figure.data
        for dive, count in zip(bar.y, bar.x, strict=True)
        if count
    }


def test_the_split_shows_dives_by_class_and_side() -> None:
    split = pd.DataFrame(
        {
            "dive": ["R&D", "R&D", "R&D", "2", None],
            "element": ["<b>", "<b>|fauna", "fauna", "fauna", "fauna"],
            "validation": [True, True, True, False, False],
        }
    )
    figure = split_figure(split, "element")
    assert _bars(figure) == {
        ("R&amp;D", "&lt;b&gt;", "held out"): 2,
        ("R&amp;D", "fauna", "held out"): 2,
        ("2", "fauna", "trained on"): 1,
        ("no dive", "fauna", "trained on"): 1,
    }
    first, *others = figure.layout.yaxis.ticktext
    assert first.startswith("<b>R&amp;D</b>")  # the largest, and held out
    assert not any("<b>" in other for other in others)
    hatched = {bar.meta for bar in figure.data if bar.marker.pattern.shape}
    assert hatched == {"held out"}


def test_past_the_largest_dives_the_others_are_summed() -> None:
    sizes = {f"d{i:03}": 3 if i < MOST_DIVES else 1 for i in range(MOST_DIVES + 7)}
    rows = [(dive, "mud", i == 0) for dive, n in sizes.items() for i in range(n)]
    split = pd.DataFrame(rows, columns=["dive", "floor", "validation"])
    bars = _bars(split_figure(split, "floor"))
    assert sum(bars.values()) == len(split)
    assert bars["7 smaller dives", "mud", "held out"] == 7
    assert "d041" not in {dive for dive, _, _ in bars}


def test_more_classes_than_colours_are_summed() -> None:
    names = [f"k{i}" for i in range(len(COLOURS) + 3)]
    rows = [("d", name, False) for i, name in enumerate(names) for _ in range(20 - i)]
    split = pd.DataFrame(rows, columns=["dive", "floor", "validation"])
    bars = _bars(split_figure(split, "floor"))
    assert sum(bars.values()) == len(split)
    assert bars["d", "k0", "trained on"] == 20
    assert ("d", "3 rarer classes", "trained on") in bars


def _robustness(tasks: tuple[str, ...] = ("floor", "elements")) -> pd.DataFrame:
    rows = [
        (task, kind, amount, score)
        for task in tasks
        for kind, amount, score in (
            ("clean", "", 0.9),
            ("JPEG quality", "90", 0.88),
            ("JPEG quality", "10", 0.5),
            ("haze", "0.25", 0.8),
            ("haze", "0.5", 0.7),
            ("ROV structure", "at the sides", 0.6),
            ("all together", "worst", 0.4),
        )
    ]
    return pd.DataFrame(rows, columns=["task", "change", "amount", "score"])


def test_robustness_has_a_panel_a_kind_and_a_colour_a_task() -> None:
    figure = robustness_figure(_robustness())
    lines = [t for t in figure.data if t.type == "scatter" and t.name == "floor"]
    assert [(list(t.x), list(t.y)) for t in lines] == [
        (["90", "10"], [0.88, 0.5]),
        (["0.25", "0.5"], [0.8, 0.7]),
    ]
    assert len({t.xaxis for t in lines}) == 2
    single = next(t for t in figure.data if t.type == "bar")
    assert list(single.y) == [0.6, 0.4]
    assert single.x[1].startswith("all together")
    colours = {t.name: t.line.color for t in figure.data if t.type == "scatter"}
    assert len(set(colours.values())) == 2
    dashed = [s for s in figure.layout.shapes if s.line.dash == "dash"]
    assert {s.y0 for s in dashed} == {0.9}
    assert {s.line.color for s in dashed} == set(colours.values())


def test_one_task_needs_no_legend() -> None:
    assert not robustness_figure(_robustness(("floor",))).layout.showlegend


class _Page(HTMLParser):
    """What a browser would fetch, and the text that it would show; scripts apart."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        if self.get_starttag_text() and self.tags[-1] not in ("script", "style"):
            self.text += data


def _read(path: Path) -> _Page:
    page = _Page(path.read_text(encoding="utf-8"))
    assert "link" not in page.tags
    assert all(link.startswith("data:image/jpeg;base64,") for link in page.links)
    return page


def test_a_page_has_plotly_once_and_asks_for_nothing(tmp_path: Path) -> None:
    bad = figures.confusion_figure(_scores(("</script><img src=x>", "fauna")))
    parts = ["<p>said</p>", bad, figures.recall_figure(_scores()), "<p>more</p>"]
    write_page(parts, tmp_path / "p.html", title="<b> & c")
    page = _read(tmp_path / "p.html")
    assert "<b> & c" in page.text
    assert "img" not in page.tags
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert not re.search(r"<script[^>]+src=", text)
    order = ("<p>said</p>", 'id="figure-1"', 'id="figure-2"', "<p>more</p>")
    places = [text.index(mark) for mark in order]
    assert places == sorted(places)
    once = len(text)
    write_page(parts[:2], tmp_path / "q.html", title="")
    assert once - len((tmp_path / "q.html").read_text(encoding="utf-8")) < 100_000


def test_the_same_parts_give_the_same_page(tmp_path: Path) -> None:
    for name in "ab":
        write_page([figures.recall_figure(_scores())], tmp_path / name, title="t")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


CONFIG = ModelConfig(heads={"elements": ("waste", "fauna")})


def _held_out(labels: list[str | None], logits: list[list[float]]) -> pd.DataFrame:
    table = pd.DataFrame({"path": [f"{i}.png" for i in range(len(labels))], "dive": "d"})
    table["elements"] = labels
    table[["elements:waste", "elements:fauna"]] = logits
    return table


def test_mistakes_are_the_wrong_ones_the_surest_first() -> None:
    table = _held_out(["waste", "waste", "fauna", None], [[9, 0], [0, 1], [5, 0], [5, 0]])
    found = find_mistakes(table, CONFIG, "elements")
    assert list(found["path"]) == ["2.png", "1.png"]
    assert list(found["class_name"]) == ["waste", "fauna"]
    assert found["probability"][0] == pytest.approx(1 / (1 + np.exp(-5)), abs=1e-4)
    assert not found["missed"].any()


def test_without_labels_or_errors_there_are_no_mistakes() -> None:
    assert find_mistakes(_held_out([None], [[1, 0]]), CONFIG, "elements").empty
    assert find_mistakes(_held_out(["waste"], [[1, 0]]), CONFIG, "elements").empty


def test_with_several_labels_a_missed_class_is_a_mistake_too() -> None:
    config = ModelConfig(heads=CONFIG.heads, multilabel=True, thresholds=(0.5, 0.2))
    table = _held_out(
        ["waste|fauna", "fauna", "waste|fauna"], [[-4.0, 2.0], [1.0, 2.0], [1.0, -1.0]]
    )
    found = find_mistakes(table, config, "elements")
    assert list(found["path"]) == ["0.png", "1.png"]  # of the third, both are above the thresholds
    assert list(found["missed"]) == [True, False]
    assert found["probability"][0] == pytest.approx(1 / (1 + np.exp(4)), abs=1e-4)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled images, some of them labelled wrong so that there are mistakes, of odd dives."""
    folder = tmp_path_factory.mktemp("images")
    table = draw_labelled(folder)
    wrong = np.random.default_rng(1).choice(len(table), len(table) // 3, replace=False)
    table.loc[wrong, "element"] = table.loc[wrong, "element"].map(
        {"waste": "fauna", "fauna": "waste"}
    )
    table["dive"] = table["dive"] + " <i>&"
    table["element"] = table["element"].replace("fauna", "<b>fauna")
    table.to_csv(folder / "t.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def run(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on them."""
    out = tmp_path_factory.mktemp("run") / "r"
    train(images / "t.csv", out, config=QUICK, **SMALL)
    return out


def test_the_report_of_a_run(run: Path) -> None:
    page = _read(write_report(run))
    assert "waste, <b>fauna" in page.text
    assert "i" not in page.tags  # a dive's name is text
    assert re.search(r"true waste, named <b>fauna 0\.\d\d, dive d\d <i>&", page.text) or re.search(
        r"true <b>fauna, named waste 0\.\d\d, dive d\d <i>&", page.text
    )
    assert "balanced accuracy" in page.text
    assert "95 % interval over dives" in page.text
    assert "Had the same images been split at random" in page.text
    assert f"classify robustness {run}" in page.text
    assert "The strength of the penalty was given: 0.01" in page.text
    assert "img" in page.tags
    assert (run / "report.html").stat().st_size < 12e6


def test_no_dive_fills_the_mistakes(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_OF_A_DIVE", 1)
    captions = re.findall(r"dive (d\d) <i>&", _read(write_report(run)).text)
    assert captions
    assert len(captions) == len(set(captions))


def test_robustness_is_drawn_where_it_was_measured(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "r")
    _robustness(("elements",)).to_csv(tmp_path / "r" / "robustness.csv", index=False)
    page = write_report(tmp_path / "r").read_text(encoding="utf-8")
    assert "Score on changed images" in page
    assert "Not measured yet" not in page


def test_images_that_are_gone_are_counted(run: Path, images: Path) -> None:
    for path in images.glob("*.png"):
        path.rename(path.with_suffix(".away"))
    try:
        page = _read(write_report(run))
    finally:
        for path in images.glob("*.away"):
            path.rename(path.with_suffix(".png"))
    assert "img" not in page.tags
    assert re.search(r"\d+ images cannot be read any more", page.text)


def test_a_random_split_is_not_to_be_trusted(images: Path, tmp_path: Path) -> None:
    config = TrainConfig(strength=0.01, split="random", final=True)
    train(images / "t.csv", tmp_path / "r", task="both", config=config, **SMALL)
    page = _read(write_report(tmp_path / "r"))
    assert "Do not trust these scores" in page.text
    assert "Floor, on" in page.text
    assert "Elements, on" in page.text
    assert "leak" not in page.text.lower()
    assert "the final fit, which has seen these images" in page.text


def test_the_report_with_several_labels_an_image(tmp_path: Path) -> None:
    table = draw_labelled(tmp_path)
    bright = table["floor"] == "sandy"
    table["element"] = np.where(bright, table["element"] + "|ripples", table["element"])
    table.loc[::5, "element"] = "ripples"
    table.to_csv(tmp_path / "t.csv", index=False)
    train(tmp_path / "t.csv", tmp_path / "r", config=QUICK, multilabel=True, **SMALL)
    page = _read(write_report(tmp_path / "r"))
    assert "mean average precision" in page.text
    assert "several an image" in page.text
    assert "img" in page.tags
    assert re.search(r"(named|missed) \w+ \d\.\d\d", page.text)


def test_the_history_of_choosing_is_drawn(elements_run: Run) -> None:
    page = write_report(elements_run.path).read_text(encoding="utf-8")
    assert "least loss wins" in page


def test_a_folder_without_held_out_predictions_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run folder"):
        write_report(tmp_path)
    shutil.copytree(run, tmp_path / "r")
    (tmp_path / "r" / "validation.csv").unlink()
    with pytest.raises(RunError, match="not an adapted one"):
        write_report(tmp_path / "r")
    text = (tmp_path / "r" / "run.json").read_text().replace('"complete"', '"started"')
    (tmp_path / "r" / "run.json").write_text(text)
    with pytest.raises(RunError, match="was not finished"):
        write_report(tmp_path / "r")


def test_without_the_viewer_nothing_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    pd.concat([HEADS, EPOCHS]).to_csv(tmp_path / "history.csv", index=False)
    assert not log_to_tensorboard(tmp_path)
    assert not (tmp_path / "tensorboard").exists()


def test_the_history_is_logged_as_scalars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: dict[tuple[str, int], float] = {}

    class SummaryWriter:
        def __init__(self, folder: str) -> None:
            assert folder == str(tmp_path / "tensorboard")

        def __enter__(self) -> "SummaryWriter":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def add_scalar(self, tag: str, value: float, step: int) -> None:
            logged[tag, step] = value

    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: object())
    pd.concat([HEADS, EPOCHS]).to_csv(tmp_path / "history.csv", index=False)
    assert log_to_tensorboard(tmp_path)
    assert logged["network/score", 2] == 0.8
    assert logged["head/strength", 1] == 0.1
    assert logged["head/loss", 3] == 0.6
