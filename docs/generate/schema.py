"""Make the page of the configuration keys from their schema."""

import json
import re

import yaml

LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}  # fmt: skip
UNIT = re.compile(r" \[((?:seconds|days|mag|AB|arcsec|degrees|longitude|mas|MJD|DN|10\^6 bytes)\b[^\[\]]*)\]")


def keys_of_the_configuration(root):
    """Return a heading and a table for each section of the schema."""
    schema = yaml.safe_load((root / "workflow" / "schemas" / "config.schema.yaml").read_text())
    sections = {name: part for name, part in schema["properties"].items() if "properties" in part}
    single = {name: part for name, part in schema["properties"].items() if name not in sections}
    pieces = ["## The project", *table(single, schema["required"])]
    for name, part in sections.items():
        pieces += [f"## {name}", meaning(part)]
        pieces += surveys(part) if name == "observatories" else section(part)
    return "\n\n".join(pieces)


def surveys(part):
    """Return the table of the surveys, whose keys are on a separate page."""
    rows = (f"| [`{name}`](surveys.md#{name}) | {meaning(each)} |" for name, each in part["properties"].items())
    return ["\n".join(["| survey | what |", "| --- | --- |", *rows])]


def section(part):
    """Return the table of the keys of a section, including nested sections."""
    return table(dict(flat(part["properties"])), part.get("required", ()))


def flat(properties, prefix=""):
    """Yield dotted keys and their parts of the schema, including those of nested sections."""
    for name, part in properties.items():
        yield prefix + name, part
        if "properties" in part:
            yield from flat(part["properties"], f"{prefix}{name}.")


def table(properties, required):
    """Return a table of keys, as a list of one text."""
    lines = ["| key | type | default | unit | meaning |", "| --- | --- | --- | --- | --- |"]
    for name, part in properties.items():
        default = "needed" if name in required else default_of(part)
        cells = (f"`{name}`", kind(part), default, unit(part), meaning(part) + remark(part))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return ["\n".join(lines)]


def kind(part):
    """Describe the type of a value, with its limits or choices."""
    if "enum" in part:
        return ", ".join(code(value) for value in part["enum"])
    names = part.get("type", "any")
    words = " or ".join([names] if isinstance(names, str) else names)
    limits = [f"{sign} {part[name]:g}" for name, sign in LIMITS.items() if name in part]
    return f"{words} ({', '.join(limits)})" if limits else words


def default_of(part):
    """Return the default of a key, or an empty text."""
    if "default" not in part or "properties" in part:
        return ""
    return code(part["default"])


def code(value):
    """Return a value as written in a configuration, in backticks."""
    return f"`{value}`" if isinstance(value, str) and value else f"`{json.dumps(value, ensure_ascii=False)}`"


def unit(part):
    """Return the unit that a description has in brackets."""
    found = UNIT.search(words_of(part))
    return found[1] if found else ""


def meaning(part):
    """Return a description without the unit, which has a column of its own."""
    return UNIT.sub("", words_of(part), count=1).replace("<", "&lt;")


def words_of(part):
    """Return a description on one line."""
    return " ".join(part.get("description", "").split())


def remark(part):
    """Return the remark on a key that changes no result: what runs again all the same, mostly nothing."""
    if "x-reruns" in part:
        return f" *Changes no result; runs again: {part['x-reruns']}.*"
    return "" if part.get("x-critical", True) else " *Nothing runs again.*"
