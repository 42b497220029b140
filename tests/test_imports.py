"""The page and the help start without the heavy packages, and imports run one way."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = {"torch", "timm", "umap", "numba", "faiss", "hdbscan", "sklearn", "pytorch_grad_cam"}
LIGHT = ["classify.classes", "classify.runs", "classify.images", "classify.console", "app"]
LIGHT += ["discover", "discover.survey", "discover.tables", "discover.labels", "discover.summary"]
LIGHT += ["discover.clustered", "discover.lineage", "discover.sweep", "discover.sweep_figure"]
LIGHT += ["discover.annotate", "discover.subcategories", "discover.growing", "discover.nearness"]
LIGHT += ["discover.export", "discover.export.records", "discover.label_import"]
RANK = {"classify": 0, "discover": 1, "app": 2}
STAGES = {
    "frames",
    "bursts",
    "saliency",
    "class_maps",
    "crops",
    "regions",
    "embed",
    "project",
    "density",
    "cluster",
    "newcomers",
    "predictions",
}
ALLOWED = {
    "class_maps": {"saliency"},
    "regions": {"saliency", "class_maps", "crops"},
    "embed": {"crops", "regions"},
    "cluster": {"project", "density"},
    "newcomers": {"project"},
}


def _loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('\\n'.join({{m.split('.')[0] for m in sys.modules}}))"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


@pytest.mark.parametrize("module", LIGHT)
def test_light_module_loads_nothing_heavy(module: str) -> None:
    assert not _loaded_by(f"import {module}") & HEAVY


@pytest.mark.parametrize("tokens", [["--help"], ["cluster", "--help"], ["embed", "--help"]])
def test_help_loads_nothing_heavy(tokens: list[str]) -> None:
    code = (
        "import io, contextlib\nfrom discover.cli import app\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        f"    app({tokens!r})"
    )
    assert not _loaded_by(code) & HEAVY


def _imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("package", RANK)
def test_packages_import_one_way(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        for name in _imports(path):
            other = name.split(".")[0]
            if other not in RANK or path.name == "cli.py" or path.parent.name == "commands":
                continue  # a command may chain what lies above, as `discover explore` does
            assert RANK[other] <= RANK[package], f"{path} imports {name}"


def test_only_the_command_line_of_discover_reaches_up() -> None:
    up = [
        p.parent.name
        for p in (ROOT / "discover").rglob("*.py")
        if any(n.split(".")[0] == "app" for n in _imports(p))
    ]
    assert set(up) == {"commands"}


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_compute_stages_do_not_import_one_another(stage: str) -> None:
    used = {
        n.split(".")[1]
        for n in _imports(ROOT / "discover" / f"{stage}.py")
        if n.startswith("discover.")
    }
    assert (used & STAGES) - {stage} <= ALLOWED.get(stage, set())
