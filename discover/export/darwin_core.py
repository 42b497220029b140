"""Darwin Core Archive for OBIS and GBIF: occurrences of fauna, one a keyframe or an encounter.

Terms: https://dwc.tdwg.org/terms/ and the OBIS manual. Waste is no taxon and is left out. Frames
that repeat a scene are left out too, so that one animal is one occurrence for each scene; or, by
encounters, for as long as its kind stays in view.
"""

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd

from classify.runs import write_atomic
from discover.counts import CountConfig, number_encounters
from discover.export.records import Records
from discover.export.rows import LabelRow, time
from discover.naming.database import LabelError
from discover.naming.qualifiers import with_qualifier
from discover.naming.tree import SEPARATOR
from discover.survey import SurveyError

CLASS = "fauna"
TERMS = (
    "occurrenceID", "eventID", "eventDate", "decimalLatitude", "decimalLongitude", "geodeticDatum",
    "minimumDepthInMeters", "maximumDepthInMeters", "scientificName", "scientificNameID",
    "identificationQualifier", "higherClassification", "occurrenceStatus", "individualCount",
    "basisOfRecord",
    "identifiedBy", "dateIdentified", "identificationVerificationStatus",
    "identificationReferences", "associatedMedia", "dynamicProperties",
)  # fmt: skip
_DWC = "http://rs.tdwg.org/dwc/terms/"
_TEXT = "http://rs.tdwg.org/dwc/text/"
_LSID = "urn:lsid:marinespecies.org:taxname:"
_VERIFIED = {"human": "ValidatedByHuman", "machine": "PredictedByMachine"}
_CORE = "occurrence.txt"
_SAME = (2000, 1, 1, 0, 0, 0)  # the time of the parts: the same labels give the same file


def write_darwin_core(records: Records, out: Path, *, encounters: bool = False) -> list[str]:
    """Write the archive (.zip) of the fauna in frames that stand for their scene.

    Args:
        records: the labelled crops.
        out: the file.
        encounters: one occurrence an encounter (see `discover.counts`), with the most individuals
            that a single frame shows, instead of one a crop.

    Raises:
        SurveyError: no crop of fauna has a name.
    """
    found = occurrences(records, encounters=encounters)
    if not found:
        raise SurveyError(f"no crop of class {CLASS!r} in a keyframe has a name: name some first")
    held = io.StringIO()
    table = csv.writer(held, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    table.writerow(TERMS)
    table.writerows(_occurrence(records, row) for row in found)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as parts:
        for name, text in (
            ("meta.xml", _meta()),
            ("eml.xml", _eml(records.name)),
            (_CORE, held.getvalue()),
        ):
            parts.writestr(zipfile.ZipInfo(name, _SAME), text)
    write_atomic(out, archive.getvalue())
    return [*records.left_out(), *_left_out(records), *_missing(records, found)]


def occurrences(records: Records, *, encounters: bool = False) -> list[dict[str, Any]]:
    """Return the row of the crop of each occurrence that `write_darwin_core` writes."""
    fauna = [row for row in records.rows() if row["class"] == CLASS]
    rows = [row for row in fauna if _stands_for_its_scene(row)]
    return _encounters(rows) if encounters and rows else rows


def read_darwin_core(file: Path) -> Iterator[LabelRow]:
    """Yield the labels of an archive that `write_darwin_core` made; it knows the crops by id.

    Raises:
        LabelError: it is none, or a row does not say which crop it is of.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            text = archive.read(_CORE).decode()
    except (OSError, KeyError, UnicodeDecodeError, zipfile.BadZipFile) as error:
        raise LabelError(
            f"FILE {file} is no Darwin Core archive of occurrences: {error}"
        ) from error
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter="\t")
    for row in rows:
        place = f"FILE {file}: row {rows.line_num} of {_CORE}"
        yield _label(row, place)


def _stands_for_its_scene(row: dict[str, Any]) -> bool:
    return row["burst_id"] is None or bool(row["keyframe"])


def _encounters(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the likeliest crop of each encounter, with the most individuals of any frame in it."""
    times = [row["time_utc"].timestamp() if row["time_utc"] else None for row in rows]
    seen = pd.DataFrame(
        {
            "dive": [row["dive"] for row in rows], "class": [row["class"] for row in rows],
            "subcategory": [row["label"] for row in rows],
            "frame": [row["frame_id"] for row in rows],
            "first": [row["index"] for row in rows], "score": [row["score"] for row in rows],
            "begin": pd.Series(times, dtype=float), "row": range(len(rows)),
        }
    )  # fmt: skip
    seen = seen.assign(last=seen["first"], end=seen["begin"])
    seen = seen.sort_values(["dive", "class", "subcategory", "first"], kind="stable")
    seen["encounter"] = number_encounters(seen, CountConfig())
    found = []
    for _, met in seen.groupby("encounter"):
        best = rows[int(met["row"].iloc[int(met["score"].to_numpy().argmax())])]
        found.append({**best, "individuals": int(met["frame"].value_counts().max())})
    return found


def _label(row: dict[str, str], place: str) -> LabelRow:
    try:
        about = json.loads(row["dynamicProperties"])
        crop = str(about["crop_id"])
        above = row["higherClassification"].split("|") if row["higherClassification"] else []
        name = with_qualifier(row["scientificName"], row["identificationQualifier"] or None)
        human = row["identificationVerificationStatus"] == _VERIFIED["human"]
    except (KeyError, ValueError, TypeError) as error:
        raise LabelError(f"{place} does not say which crop it is of: {error}") from error
    taxon = row.get("scientificNameID") or ""
    return LabelRow(
        place,
        SEPARATOR.join([*above, name]),
        crop,
        annotator=row.get("identifiedBy") or None,
        origin="human" if human else "machine",
        time=time(row.get("dateIdentified"), place),
        confidence=about.get("confidence"),
        based_on=about.get("based_on"),
        codes={"AphiaID": taxon.removeprefix(_LSID)} if taxon.startswith(_LSID) else {},
    )


def _occurrence(records: Records, row: dict[str, Any]) -> list[Any]:
    *above, name = records.tree.path(row["subcategory"])
    aphia = records.tree.nodes[row["subcategory"]].codes.get("AphiaID")
    kept = ("crop_id", "score", "confidence", "based_on", "cluster", "burst_id", "sha256",
            "x", "y", "w", "h")  # fmt: skip
    values = {
        "occurrenceID": f"{records.name}:{row['crop_id']}",
        "eventID": row["dive"],
        "eventDate": row["time_utc"].isoformat() if row["time_utc"] else "",
        "decimalLatitude": row["lat"],
        "decimalLongitude": row["lon"],
        "geodeticDatum": "EPSG:4326" if row["lat"] is not None else "",
        "minimumDepthInMeters": row["depth_m"],
        "maximumDepthInMeters": row["depth_m"],
        "scientificName": name,
        "scientificNameID": f"{_LSID}{aphia}" if aphia else "",
        "identificationQualifier": row["qualifier"],
        "higherClassification": "|".join(above),
        "occurrenceStatus": "present",
        "individualCount": row.get("individuals"),
        "basisOfRecord": "MachineObservation",
        "identifiedBy": row["annotator"],
        "dateIdentified": row["created_at"],
        "identificationVerificationStatus": _VERIFIED[row["status"]],
        "identificationReferences": row["model_hash"] and f"model sha256:{row['model_hash']}",
        "associatedMedia": row["image"],
        "dynamicProperties": json.dumps(
            {k: row[k] for k in kept if row[k] is not None}, ensure_ascii=False
        ),
    }  # fmt: skip
    return ["" if values[term] is None else values[term] for term in TERMS]


def _left_out(records: Records) -> list[str]:
    """Say which labels are no occurrence, and why."""
    rows = records.rows()
    fauna = [row for row in rows if row["class"] == CLASS]
    repeats = sum(not _stands_for_its_scene(row) for row in fauna)
    notes = []
    if len(fauna) < len(rows):
        notes.append(f"{len(rows) - len(fauna)} crops of other classes than {CLASS} are left out")
    if repeats:
        notes.append(f"{repeats} crops of frames that repeat a scene are left out")
    if all(row["burst_id"] is None for row in fauna):
        notes.append("no bursts are known: every frame is an occurrence; run `discover bursts`")
    return notes


def _missing(records: Records, rows: list[dict[str, Any]]) -> list[str]:
    notes = []
    for what, term in (("time_utc", "eventDate"), ("lat", "decimalLatitude")):
        missing = sum(row[what] is None for row in rows)
        if missing:
            notes.append(f"{missing} occurrences lack {term}, which OBIS requires")
    named = {row["subcategory"] for row in rows}
    bare = sorted(
        records.tree.text(i) for i in named if "AphiaID" not in records.tree.nodes[i].codes
    )
    if bare:
        notes.append(f"{len(bare)} names, such as {bare[0]!r}, have no AphiaID")
    return notes


def _meta() -> str:
    root = ElementTree.Element("archive", {"xmlns": _TEXT, "metadata": "eml.xml"})
    core = ElementTree.SubElement(
        root,
        "core",
        {
            "encoding": "UTF-8", "fieldsTerminatedBy": "\\t", "linesTerminatedBy": "\\n",
            "fieldsEnclosedBy": '"', "ignoreHeaderLines": "1", "rowType": f"{_DWC}Occurrence",
        },
    )  # fmt: skip
    files = ElementTree.SubElement(core, "files")
    ElementTree.SubElement(files, "location").text = _CORE
    ElementTree.SubElement(core, "id", {"index": "0"})
    for index, term in enumerate(TERMS):
        ElementTree.SubElement(core, "field", {"index": str(index), "term": _DWC + term})
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def _eml(name: str) -> str:
    """Return the least that an archive says of itself; the publisher adds to it."""
    about = {"packageId": name, "system": "http://gbif.org", "scope": "system"}
    about["xmlns:eml"] = "eml://ecoinformatics.org/eml-2.1.1"
    root = ElementTree.Element("eml:eml", about)
    dataset = ElementTree.SubElement(root, "dataset")
    title = ElementTree.SubElement(dataset, "title")
    title.text = f"Occurrences of fauna in the imagery of {name}"
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)
