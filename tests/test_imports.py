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
LIGHT += ["discover.doctor", "discover.checkup.torch_probe"]
LIGHT += [
    "discover.kinds.clustered",
    "discover.kinds.lineage",
    "discover.kinds.sweep",
    "discover.kinds.sweep_figure",
]
LIGHT += [
    "discover.annotate",
    "discover.naming.subcategories",
    "discover.naming.growing",
    "discover.naming.nearness",
]
LIGHT += ["discover.export", "discover.export.records", "discover.naming.label_import"]
RANK = {"classify": 0, "discover": 1, "app": 2}
# The areas of `discover`, each with its modules and packages, and the areas that it builds on; they
# meet in the survey's tables, and in the commands, which chain them.
AREAS = {
    "frames": ({"frames", "footage"}, set()),
    "scenes": ({"bursts", "scenes"}, set()),
    "cutting": ({"saliency", "crops", "embed", "adapt", "calibrate", "cutting"}, set()),
    "naming": ({"labels", "annotate", "naming"}, {"frames"}),
    "kinds": ({"cluster", "project", "kinds"}, {"naming"}),
    "learning": ({"learn", "learning"}, {"kinds", "naming"}),
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


@pytest.mark.parametrize("area", AREAS)
def test_areas_do_not_import_one_another(area: str) -> None:
    area_of = {part: name for name, (parts, _) in AREAS.items() for part in parts}
    parts, below = AREAS[area]
    for path in (ROOT / "discover").rglob("*.py"):
        if path.relative_to(ROOT / "discover").parts[0].removesuffix(".py") not in parts:
            continue
        used = {n.split(".")[1] for n in _imports(path) if n.startswith("discover.")}
        areas = {area_of[part] for part in used if part in area_of}
        assert areas <= {area} | below, path
