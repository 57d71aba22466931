"""Parse descriptions of times, such as the column headings ``BJD_TDB - 2457000 [d]``, ``MJD(UTC), mid`` or ``unix``.

A description gives the zero and the unit of times, and may give their scale, their reference position and the part of
the exposure. What it does not give must be given separately: nothing is guessed, and ambiguous words are rejected.
"""

import re
from dataclasses import dataclass

from vo_lib.times import MJD_J2000, MJD_ZERO_JD, REFERENCES, SCALES, STAMPS, TimeSystem

__all__ = ["Spelling", "read_spelling"]

_TESS_ZERO_JD, _KEPLER_ZERO_JD, _RJD_ZERO_JD = 2457000.0, 2454833.0, 2400000.0
# POSIX counts days of 86400 s from 1970-01-01 UTC; GPS counts from 1980-01-06 UTC, when TAI was 19 s ahead.
_UNIX_ZERO_JD, _GPS_ZERO_JD = 2440587.5, 2444244.5 + 19 / 86400
_JULIAN_YEAR = 365.25
_YEAR_ZERO_JD = MJD_J2000 + MJD_ZERO_JD - 2000 * _JULIAN_YEAR
# 1 January 2100: no times are counted from a later day.
_LAST_ZERO_JD = 2488069.5

# Count -> Julian date of its zero, unit of its numbers (none for text), and the scale and reference that it implies.
_COUNTS = {
    "jd": (0.0, "d", {}),
    "mjd": (MJD_ZERO_JD, "d", {}),
    "rjd": (_RJD_ZERO_JD, "d", {}),
    "bjd": (0.0, "d", {"reference": "barycentre"}),
    "hjd": (0.0, "d", {"reference": "heliocentre"}),
    "bmjd": (MJD_ZERO_JD, "d", {"reference": "barycentre"}),
    "hmjd": (MJD_ZERO_JD, "d", {"reference": "heliocentre"}),
    "btjd": (_TESS_ZERO_JD, "d", {"scale": "tdb", "reference": "barycentre"}),
    "bkjd": (_KEPLER_ZERO_JD, "d", {"scale": "tdb", "reference": "barycentre"}),
    "unix": (_UNIX_ZERO_JD, "s", {"scale": "utc"}),
    "gps": (_GPS_ZERO_JD, "s", {"scale": "tai"}),
    "jyear": (_YEAR_ZERO_JD, "yr", {}),
    "iso": (MJD_ZERO_JD, "", {}),
}
# Counts from which a number may be subtracted.
_DAY_COUNTS = ("jd", "mjd", "bjd", "hjd")

# Phrases that stand for one word, longest first.
_PHRASES = (
    (r"modified[ -]+julian[ -]+(date|day)s?", "mjd"),
    (r"barycentric[ -]+julian[ -]+(date|day)s?", "bjd"),
    (r"heliocentric[ -]+julian[ -]+(date|day)s?", "hjd"),
    (r"julian[ -]+(date|day)s?", "jd"),
    (r"julian[ -]+(year|epoch)s?", "jyear"),
    (r"(unix|posix)[ -]*(timestamp|epoch|time)?", "unix"),
    (r"iso[ -]?(8601|t\b)", "iso"),
)
_PARTS = {
    "scale": {name: name for name in SCALES} | {"tdt": "tt"},
    "reference": {name: name for name in REFERENCES}
    | {f"{name}centric": f"{name}centre" for name in ("geo", "helio", "bary")}
    | {f"{name}center": f"{name}centre" for name in ("geo", "helio", "bary")}
    | {"topocentric": "observatory"},
    "stamp": {name: name for name in STAMPS} | {"begin": "start", "middle": "mid", "midpoint": "mid"},
    "unit": {"d": "d", "day": "d", "days": "d", "h": "h", "hours": "h", "min": "min", "minutes": "min"}
    | {"s": "s", "sec": "s", "seconds": "s", "yr": "yr"},
}
_FILLERS = frozenset(("time", "date", "of", "in", "at", "the", "exposure", "observation", "since", "scale"))
# Words that are ambiguous or not usable -> why, and what to write instead.
_AMBIGUOUS = {
    "ut": "UT can be UTC or UT1, which differ by up to 0.9 s; write UTC if it is UTC",
    "ut1": "UT1 is not a scale that surveys use; convert the times to UTC",
    "gmt": "GMT can be UTC or UT1; write UTC if it is UTC",
    "et": "ET became TT or TDB in 1984; write which of them it is",
    "local": "a local time depends on place and date; convert the times to UTC",
    "tjd": "TJD counts from JD 2440000.5 or, of TESS, from 2457000; write 'JD - ...' or 'BTJD'",
    "phase": "a phase is not a time",
} | dict.fromkeys(
    ("year", "years", "decimal"),
    "a year is a Julian one of 365.25 d or one of the calendar; write 'Julian year' or convert the times",
)


@dataclass(frozen=True)
class Spelling:
    """The meaning of a description of times.

    Parameters
    ----------
    text : str
        The description.
    zero_jd : float
        Julian date of time 0 [days]; for dates as text that of MJD 0, as they are converted to MJD.
    unit : str
        Unit of the numbers: ``d``, ``h``, ``min``, ``s`` or ``yr`` (365.25 days); empty for dates as text.
    said : dict of str to str
        Those of ``scale``, ``reference`` and ``stamp`` that it gives, see `vo_lib.times.TimeSystem`.
    """

    text: str
    zero_jd: float
    unit: str
    said: dict

    def system(self, **more):
        """Combine the description with what is given separately.

        Parameters
        ----------
        **more : str or None
            ``scale``, ``reference`` and ``stamp``; None for those that are not given separately.

        Returns
        -------
        TimeSystem

        Raises
        ------
        ValueError
            If one of these is not given at all, or is given twice with different values.
        """
        known = {"scale": SCALES, "reference": REFERENCES, "stamp": tuple(STAMPS)}
        parts = {name: more.get(name) or self.said.get(name) for name in known}
        for name, value in self.said.items():
            if parts[name] != value:
                raise ValueError(f"'{self.text}' says {name} {value}, but time_{name} is {parts[name]}; correct one")
        if missing := [name for name in known if parts[name] is None]:
            choices = " and ".join(f"time_{name} (one of {', '.join(known[name])})" for name in missing)
            raise ValueError(f"'{self.text}' does not say everything about the times, so set {choices}")
        return TimeSystem(**parts, zero_jd=self.zero_jd)


def read_spelling(text):
    """Parse a description of times.

    Parameters
    ----------
    text : str
        A count (JD, MJD, RJD, BJD, HJD, BMJD, HMJD, BTJD, BKJD, unix, GPS, Julian year or ISO), with a number
        subtracted if need be (JD, MJD, BJD and HJD only); and, in any order, scale, reference, part of the exposure
        and unit. Case, brackets, commas and underscores are ignored.

    Returns
    -------
    Spelling

    Raises
    ------
    ValueError
        If the text does not name exactly one count, has an unknown or ambiguous word, gives contradictory values, or
        has a number that is not subtracted or leads to a zero after 2100.
    """
    words, numbers, plain = _split(text)
    count = _one(text, "count", [word for word in words if word in _COUNTS])
    zero_jd, unit, implied = _COUNTS[count]
    parts = {name: {known[word] for word in words if word in known} for name, known in _PARTS.items()}
    for name, values in parts.items():
        if len(values) > 1:
            raise ValueError(f"'{text}' says {name} {' and '.join(sorted(values))}; keep only one")
    said = dict(implied)
    for name in ("scale", "reference", "stamp"):
        for value in parts[name]:
            if said.setdefault(name, value) != value:
                raise ValueError(f"'{text}' says {name} {value}, but {count.upper()} is {said[name]}; correct one")
    unit = _unit(text, count, unit, parts["unit"])
    return Spelling(text, zero_jd + _subtracted(text, count, numbers, plain, zero_jd), unit, said)


def _split(text):
    """Split a text into its words, which are all known, and its numbers; return the normalised text too."""
    plain = re.sub("[−–—]", "-", text).lower().replace("_", " ")
    plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", plain)
    for phrase, word in _PHRASES:
        plain = re.sub(rf"\b{phrase}", f" {word} ", plain)
    numbers = re.findall(r"\d+(?:\.\d*)?", plain)
    words = re.findall("[a-z]+[0-9]?(?![0-9])", re.sub(r"(?<![a-z])\d+(?:\.\d*)?", " ", plain))
    words = [part for word in words for part in _parts_of(word)]
    numbers = [number for number in numbers if not any(word.endswith(number) for word in words)]
    known = {*_COUNTS, *_FILLERS, *(word for part in _PARTS.values() for word in part)}
    for word in words:
        if word in _AMBIGUOUS:
            raise ValueError(f"'{text}' is ambiguous: {_AMBIGUOUS[word]}")
        if word not in known:
            raise ValueError(f"'{text}': '{word}' is not known in a format of times; write e.g. 'BJD_TDB - 2457000'")
    return words, [float(number) for number in numbers], plain


def _parts_of(word):
    """Split a count that is followed by a scale, such as ``bjdtdb``, into two words."""
    for scale in SCALES:
        if word.endswith(scale) and word.removesuffix(scale) in _COUNTS:
            return word.removesuffix(scale), scale
    return (word,)


def _one(text, what, found):
    """Return the only word that was found; raise `ValueError` if there are none or several."""
    if len(set(found)) != 1:
        seen = f"names {' and '.join(sorted({name.upper() for name in found}))}" if found else f"names no {what}"
        raise ValueError(f"'{text}' {seen}; write one of {', '.join(name.upper() for name in _COUNTS)}")
    return found[0]


def _unit(text, count, usual, said):
    """Unit of the numbers; a count of days may be given in another unit except years."""
    unit = next(iter(said), usual)
    if unit != usual and (usual != "d" or unit == "yr"):
        kind = f"is counted in {usual}" if usual else "is text"
        raise ValueError(f"'{text}' says unit {unit}, but {count.upper()} {kind}; correct one")
    return unit


def _subtracted(text, count, numbers, plain, zero_jd):
    """Number that is subtracted from the count [days]; 0 without one."""
    if not numbers:
        if "-" in re.sub(r"[a-z]\s*-\s*[a-z]", "", plain):
            raise ValueError(f"'{text}' has a minus sign without a number; write e.g. 'BJD_TDB - 2457000'")
        return 0.0
    taken = re.search(r"-\s*\d", plain) or re.search(rf"since\s+{count}\s*\d", plain)
    if len(numbers) > 1 or not taken or "+" in plain:
        raise ValueError(
            f"'{text}' is ambiguous: it has a number that is not subtracted; write for example 'JD - 2450000'"
        )
    if count not in _DAY_COUNTS or zero_jd + numbers[0] > _LAST_ZERO_JD:
        raise ValueError(
            f"'{text}' would count from JD {zero_jd + numbers[0]:.12g}; write {count.upper()} without that number"
        )
    return numbers[0]
