"""The page of the configuration, from its schema."""

import json
import re

import yaml

LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}  # fmt: skip
UNIT = re.compile(r" \[((?:seconds|days|mag|AB|arcsec|degrees|longitude|mas|MJD|DN|10\^6 bytes)\b[^\[\]]*)\]")


def keys_of_the_configuration(root):
    """A heading and a table for each section of the schema."""
    schema = yaml.safe_load((root / "workflow" / "schemas" / "config.schema.yaml").read_text())
    sections = {name: part for name, part in schema["properties"].items() if "properties" in part}
    single = {name: part for name, part in schema["properties"].items() if name not in sections}
    pieces = ["## The project", *table(single, schema["required"])]
    for name, part in sections.items():
        pieces += [f"## {name}", meaning(part)]
        pieces += surveys(part) if name == "observatories" else section(part)
    return "\n\n".join(pieces)


def surveys(part):
    """Table of the surveys, whose keys are on a page of their own."""
    rows = (f"| [`{name}`](surveys.md#{name}) | {meaning(each)} |" for name, each in part["properties"].items())
    return ["\n".join(["| survey | what |", "| --- | --- |", *rows])]


def section(part):
    """Table of the keys of a section, those of sections in it too."""
    return table(dict(flat(part["properties"])), part.get("required", ()))


def flat(properties, prefix=""):
    """Keys with dots and their parts of the schema, those of nested sections too."""
    for name, part in properties.items():
        yield prefix + name, part
        if "properties" in part:
            yield from flat(part["properties"], f"{prefix}{name}.")


def table(properties, required):
    """Lines of a table of keys."""
    lines = ["| key | type | default | unit | meaning |", "| --- | --- | --- | --- | --- |"]
    for name, part in properties.items():
        default = "needed" if name in required else default_of(part)
        cells = (f"`{name}`", kind(part), default, unit(part), meaning(part) + remark(part))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return ["\n".join(lines)]


def kind(part):
    """Type of a value in words, with its limits or choices."""
    if "enum" in part:
        return ", ".join(code(value) for value in part["enum"])
    names = part.get("type", "any")
    words = " or ".join([names] if isinstance(names, str) else names)
    limits = [f"{sign} {part[name]:g}" for name, sign in LIMITS.items() if name in part]
    return f"{words} ({', '.join(limits)})" if limits else words


def default_of(part):
    """Its default, nothing where there is none."""
    if "default" not in part or "properties" in part:
        return ""
    return code(part["default"])


def code(value):
    """A value as it is written in a configuration."""
    return f"`{value}`" if isinstance(value, str) and value else f"`{json.dumps(value, ensure_ascii=False)}`"


def unit(part):
    """Unit that the description says in brackets."""
    found = UNIT.search(words_of(part))
    return found[1] if found else ""


def meaning(part):
    """Its description without the unit, which has a column."""
    return UNIT.sub("", words_of(part), count=1).replace("<", "&lt;")


def words_of(part):
    """Its description in one line."""
    return " ".join(part.get("description", "").split())


def remark(part):
    """What is said of keys that change no result: what runs again all the same, mostly nothing."""
    if "x-reruns" in part:
        return f" *Changes no result; runs again: {part['x-reruns']}.*"
    return "" if part.get("x-critical", True) else " *Nothing runs again.*"
