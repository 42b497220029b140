"""Points in time, read from text and from file names; always in UTC."""

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from discover.survey import SurveyError

_UNSET = {1904, 1970, 1980}  # what a clock that was never set says
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")
_STAMP = re.compile(
    r"(?<!\d)(?P<date>(?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\2(?:0[1-9]|[12]\d|3[01]))"
    r"[T _.-]{0,3}"
    r"(?P<time>(?:[01]\d|2[0-3])([-_.:]?)[0-5]\d\4[0-5]\d)"
    r"(?P<fraction>[.,]\d{1,6})?(?P<zone>Z|\+\d\d:?\d\d)?(?!\d)"
)
_DIRECTIVES = {
    "%Y": r"\d{4}", "%y": r"\d\d", "%m": r"\d{1,2}", "%d": r"\d{1,2}", "%j": r"\d{1,3}",
    "%H": r"\d{1,2}", "%I": r"\d{1,2}", "%M": r"\d{1,2}", "%S": r"\d{1,2}", "%f": r"\d{1,6}",
    "%p": r"[AaPp][Mm]", "%b": r"[A-Za-z]{3}", "%B": r"[A-Za-z]+", "%z": r"Z|[+-]\d\d:?\d\d",
    "%%": "%",
}  # fmt: skip


def parse_offset(text: str) -> timezone:
    """Return the time zone of an offset such as +02:00.

    Raises:
        SurveyError: it is no offset.
    """
    match = _OFFSET.fullmatch(text)
    if match is None or int(match[2]) > 14 or int(match[3]) > 59:
        raise SurveyError(f"--utc-offset {text!r} is no offset from UTC: write it as +02:00")
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(-offset if match[1] == "-" else offset)


def parse_time(text: str, zone: timezone = UTC) -> datetime | None:
    """Read a point in time, or return None where the text is none that can be told for sure.

    Args:
        text: ISO 8601 in any of its forms, the date also written 2024/01/31 or 2024:01:31; or
            seconds or milliseconds since 1970. Days before months are not guessed.
        zone: of a time that does not say its own.
    """
    text = text.strip()
    if re.fullmatch(r"\d{9,13}(\.\d*)?", text):
        seconds = float(text) / (1000 if float(text) > 1e11 else 1)
        return in_utc(datetime.fromtimestamp(seconds, UTC), UTC)
    text = re.sub(r"^(\d{4})[/:](\d\d)[/:](\d\d)", r"\1-\2-\3", text)
    text = re.sub(r" ?UTC$", "Z", text)
    if len(text) <= len("2024-01-31"):
        return None  # a day is no point in time
    try:
        return in_utc(datetime.fromisoformat(text), zone)
    except (ValueError, OverflowError):
        return None


def clock_time(text: str | None) -> datetime | None:
    """Return the time that a recorder wrote into a file, or None where its clock was not set."""
    time = parse_time(text or "")
    return None if time is None or time.year in _UNSET else time


def in_utc(time: datetime, zone: timezone) -> datetime:
    """Return `time` in UTC; `zone` is that of a time that does not say its own."""
    if time.tzinfo is None:
        time = time.replace(tzinfo=zone)
    return time.astimezone(UTC)


class NameTimes:
    """Reads the time from file names.

    Args:
        rule: "auto" reads a stamp such as 20240131_101530 or 2024-01-31T10-15-30Z if there is one
            and no digits stand behind it, which may count frames or parts; "name" reads it
            wherever there is just one; else a format of strptime that is found in the name.
        zone: of times that do not say their own.

    Raises:
        SurveyError: `rule` is none of these.
    """

    def __init__(self, rule: str = "auto", zone: timezone = UTC) -> None:
        self.asked = rule != "auto"
        self.zone = zone
        self._format = None if rule in ("auto", "name") else rule
        self._pattern = _STAMP if self._format is None else _format_pattern(rule)

    def __call__(self, file: Path) -> datetime | None:
        """Return the time in the file's name, or None."""
        found = list(self._pattern.finditer(file.stem))
        if len(found) != 1:
            return None
        match = found[0]
        if self._format is None:
            behind = file.stem[match.end() :]
            if not self.asked and re.search(r"\d", behind):
                return None
            return _stamp_time(match, self.zone)
        try:
            return in_utc(datetime.strptime(match[0], self._format), self.zone)
        except ValueError:
            return None


def _stamp_time(match: re.Match[str], zone: timezone) -> datetime | None:
    digits = re.sub(r"\D", "", match["date"] + match["time"])
    fraction = (match["fraction"] or "").replace(",", ".")
    text = f"{digits[:8]}T{digits[8:]}{fraction}{match['zone'] or ''}"
    try:
        return in_utc(datetime.fromisoformat(text), zone)
    except ValueError:
        return None  # 31 February


def _format_pattern(text: str) -> re.Pattern[str]:
    """Return the expression that finds what a format of strptime describes."""
    parts = re.split(r"(%.)", text)
    unknown = [p for p in parts if p.startswith("%") and p not in _DIRECTIVES]
    used = set(parts)
    dated = {"%d", "%m"} <= used or {"%d", "%b"} <= used or {"%d", "%B"} <= used or "%j" in used
    if unknown or not dated or not used & {"%Y", "%y"} or not used & {"%H", "%I"}:
        what = f"{unknown[0]} is not known" if unknown else "it lacks year, month, day or hour"
        raise SurveyError(
            f"--time-from {text!r}: {what}; write auto, name, or a format such as "
            "'%Y%m%d_%H%M%S' that is found in the file's name"
        )
    return re.compile("".join(_DIRECTIVES.get(part, re.escape(part)) for part in parts))
