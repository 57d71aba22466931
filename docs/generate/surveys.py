"""Make the page of the surveys: docstrings of their modules, attributes of their classes, and keys of the schema."""

import ast
import re
import textwrap

import yaml
from schema import section

from vo_lib.errors import ConfigError
from vo_lib.observatories import OBSERVATORIES, get_class

SECTION = re.compile(r"^([A-Z]\S*)\n((?:(?: .*)?\n)+)", flags=re.MULTILINE)
KINDS = {"i": "integer", "f": "number", "S": "text"}


def surveys_of_the_library(root):
    """Return a heading for each survey, with its description, facts, keys and columns."""
    schema = yaml.safe_load((root / "workflow" / "schemas" / "config.schema.yaml").read_text())
    keys = schema["properties"]["observatories"]["properties"]
    return "\n\n".join(survey(root, name.upper(), part) for name, part in keys.items() if name.upper() in OBSERVATORIES)


def survey(root, name, part):
    """Return the section of one survey."""
    module, _, kind = OBSERVATORIES[name].partition(":")
    doc = ast.get_docstring(ast.parse((root / f"{module.replace('.', '/')}.py").read_text())) + "\n"
    told = usual(get_class(name))
    pieces = [f"## {name.lower()}", plain(doc.partition("\n")[0])]
    pieces += [f"**{title}.** {plain(textwrap.dedent(text).strip())}" for title, text in SECTION.findall(doc)]
    pieces += [facts(told), f"### Keys of {name.lower()} {{: #{name.lower()}-keys}}", *keys_of(part)]
    pieces += [f"### Columns of {name.lower()} {{: #{name.lower()}-columns}}", columns(told)]
    return "\n\n".join(pieces) + f"\n\nIn Python: `{module}.{kind}`."


def usual(kind):
    """Return a survey with its default parameters, or its class if some have no default."""
    try:
        return kind()
    except ConfigError:
        return kind


def plain(text):
    """Convert the text of a docstring to Markdown."""
    return re.sub(r"``?([^`]+)``?", r"`\1`", text).replace("::\n", ":\n")


def facts(told):
    """Return the table of the attributes that a survey declares."""
    rows = {
        "filters": listed(told.filters),
        "times": time_rule(told.time),
        "place": place(told),
        "bad bits": "any" if told.bad_flag_mask == -1 else told.bad_flag_mask,
        "presets of bad bits": listed(f"{name}: {bits}" for name, bits in told.flag_presets.items()),
        "saturation limits": ", ".join(f"{mag:g} mag in `{name}`" for name, mag in told.saturation_mag.items()),
        "gap that starts a new lightcurve": f"{told.gap_days:g} d",
        "archive": told.service or "none",
        "simultaneous connections": told.max_connections if told.service else "",
        "secrets": listed(told.credentials),
        "requests per source": extent(told.requests_per_source),
        "time per request": extent(told.seconds_per_request, " s"),
        "epochs per source": told.epochs_per_source or "",
    }
    lines = [f"| {what} | {value} |" for what, value in rows.items() if str(value) and not isinstance(value, property)]
    return "\n".join(["| property | value |", "| --- | --- |", *lines])


def listed(values):
    """Join values with commas; return an empty text for a property, which depends on the survey's parameters."""
    return "" if isinstance(values, property) else ", ".join(f"`{value}`" for value in values)


def extent(pair, unit=""):
    """Describe a range of least and greatest value, or say that it was not measured."""
    return f"{' to '.join(f'{value:g}' for value in dict.fromkeys(pair))}{unit}" if pair else "not measured"


def time_rule(time):
    """Describe the time system of a survey."""
    if time is None or isinstance(time, property):
        return "depends on the parameters"
    part = {"mid": "middle", "start": "start", "end": "end"}[time.stamp]
    return f"{time.scale.upper()} at the {time.reference}, {part} of the exposure; 0 is JD {time.zero_jd!r}"


def place(told):
    """Describe the site of a survey."""
    if isinstance(told.site, property):
        return "depends on the parameters"
    if told.site is None:
        return "none, times are referred to the geocentre"
    east, north, height = told.site
    return f"{east:g}° east, {north:+g}°, {height:g} m"


def keys_of(part):
    """Return the table of a survey's configuration keys, without those of the reduction, which all surveys have."""
    return section(part | {"properties": {name: each for name, each in part["properties"].items() if name != "reduce"}})


def columns(told):
    """Return the table of the columns of an answer."""
    if isinstance(told.columns, property) or not told.columns:
        return "Those of the files."
    lines = ["| column | type | unit | what |", "| --- | --- | --- | --- |"]
    for name, (kind, unit, what) in told.columns.items():
        lines.append(f"| `{name}` | {KINDS[kind[0]]} | {unit} | {plain(what).replace('|', chr(92) + '|')} |")
    return "\n".join(lines)
