"""Whether the packages that the project needs are installed, in releases that do. Light."""

import platform
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from discover.checkup.finding import Finding

DISTRIBUTION = "rov-discover"
_FOR_DEVELOPERS = {"dev", "bench"}  # extras that nobody misses who only uses the project


def check_python() -> Finding:
    """Compare Python's version with what the project asks for."""
    wanted = SpecifierSet(metadata.metadata(DISTRIBUTION)["Requires-Python"])
    version = platform.python_version()
    if wanted.contains(version, prereleases=True):
        return Finding("python", "ok", f"{version} on {platform.system()} {platform.machine()}")
    remedy = f"make the environment anew with Python {wanted}"
    return Finding("python", "fault", f"{version} is not {wanted}", remedy)


def check_packages(requirements: list[str] | None = None) -> list[Finding]:
    """Return a finding for each package that is missing or of the wrong release, or one for all.

    Args:
        requirements: such as "numpy>=2.0"; None takes those of the project. One that has a marker
            counts only where the marker holds without any extra.
    """
    needed = _without_extras(_own() if requirements is None else requirements)
    wrong = [f for requirement in needed if (f := _finding(requirement)) is not None]
    if wrong:
        return wrong
    versions = {r.name: metadata.version(r.name) for r in needed}
    told = ", ".join(f"{name} {versions[name]}" for name in ("torch", "timm") if name in versions)
    return [Finding("packages", "ok", f"{len(needed)} as needed{told and ', among them '}{told}")]


def check_extras() -> list[Finding]:
    """Say which extras are installed, and warn of those in releases that do not do."""
    extras = metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []
    have: list[str] = []
    lack: list[str] = []
    wrong: list[Finding] = []
    for extra in sorted(set(extras) - _FOR_DEVELOPERS):
        missing = [f for r in _of_extra(extra) if (f := _finding(r, extra)) is not None]
        (lack if missing else have).append(extra)
        wrong += [f for f in missing if f.state == "warning"]
    found = f"installed: {', '.join(have) or 'none'}; not: {', '.join(lack) or 'none'}"
    return [*wrong, Finding("extras", "ok", found)]


def _own() -> list[str]:
    return metadata.requires(DISTRIBUTION) or []


def _without_extras(requirements: list[str]) -> list[Requirement]:
    parsed = map(Requirement, requirements)
    return [r for r in parsed if r.marker is None or r.marker.evaluate({"extra": ""})]


def _of_extra(extra: str) -> list[Requirement]:
    marked = [r for r in map(Requirement, _own()) if r.marker is not None]
    alone = [r for r in marked if not r.marker.evaluate({"extra": ""})]  # type: ignore[union-attr]
    return [r for r in alone if r.marker.evaluate({"extra": extra})]  # type: ignore[union-attr]


def _finding(requirement: Requirement, extra: str | None = None) -> Finding | None:
    """Return what is wrong with a package, None where nothing is.

    A release that does not do is a warning where only an extra needs it.
    """
    wanted = f"{requirement.name}{requirement.specifier}"
    what = f"extra {extra}" if extra else "packages"
    remedy = f"pip install '{f'{DISTRIBUTION}[{extra}]' if extra else wanted}'"
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return Finding(what, "ok" if extra else "fault", f"{wanted} is not installed", remedy)
    if requirement.specifier.contains(version, prereleases=True):
        return None
    found = f"{requirement.name} {version} is not {requirement.specifier}"
    return Finding(what, "warning" if extra else "fault", found, remedy)
