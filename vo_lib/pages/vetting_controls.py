"""Controls on the page of a source: those of the charts, buttons for verdicts, list of keys."""

from vo_lib.pages.page import element

__all__ = ["KEYS", "chart_controls", "keys_content", "verdict_bar"]

# Actions of the keys in ``static/vetting.js``.
KEYS = {
    "r": "real",
    "a": "artefact",
    "u": "unsure",
    "x": "no mark",
    "j": "next detection",
    "k": "previous detection",
    "n": "next page",
    "p": "previous page",
    "m": "magnitude or flux",
    "f": "flagged epochs",
    "e": "error bars",
    "c": "zoom to close-up",
    "+": "zoom in",
    "-": "zoom out",
    "0": "all epochs",
    ",": "earlier",
    ".": "later",
}


def chart_controls():
    """Make the controls of the charts."""
    value = [_radio("value", "mag", "magnitude"), _radio("value", "flux", "flux density")]
    time = [_radio("time", "mjd", "MJD"), _radio("time", "date", "date"), _radio("time", "phase", "folded")]
    period = element("input", type="number", id="period", min="0", step="any")
    time.append(element("label", "Period [d]", period))
    shown = [_box("show-flagged", "flagged epochs (hollow)"), _box("show-errors", "error bars")]
    buttons = {"zoom-in": "Zoom in", "zoom-out": "Zoom out", "earlier": "Earlier", "later": "Later", "zoom-all": "All"}
    zoom = [element("button", text, type="button", id=name) for name, text in buttons.items()]
    zoom.append(element("button", "Zoom to close-up", type="button", id="to-closeup"))
    groups = [("Value", value, None), ("Time", time, None), ("Filters", [], "filters"), ("Show", shown, None)]
    sets = (element("fieldset", element("legend", name), *parts, id=place) for name, parts, place in groups)
    return element("div", *sets, element("fieldset", element("legend", "View"), *zoom), class_="controls")


def _radio(group, name, text):
    """Radio button of a group."""
    checked = "" if name == "mjd" else None
    return element("label", element("input", type="radio", name=group, id=f"{group}-{name}", checked=checked), text)


def _box(name, text):
    """Checkbox, ticked at first."""
    return element("label", element("input", type="checkbox", id=name, checked=""), text)


def verdict_bar():
    """Make the bar of buttons for marks, which stays in view."""
    buttons = [
        element("button", text, type="button", id=f"mark-{name}", aria_pressed="false", aria_keyshortcuts=name[0])
        for name, text in (("real", "Real"), ("artefact", "Artefact"), ("unsure", "Unsure"))
    ]
    buttons.append(element("button", "No mark", type="button", id="mark-none", aria_keyshortcuts="x"))
    note = element("label", "Note", element("input", type="text", id="note", maxlength="200"))
    who = element("label", "Your name", element("input", type="text", id="who", maxlength="80", autocomplete="name"))
    export = element("button", "Export marks as CSV", type="button", id="export")
    lines = [
        element("h2", "Verdict", id="verdict-title", class_="hidden"),
        element("p", "Verdict on ", element("strong", id="chosen")),
        element("div", *buttons, note, who, export, class_="controls"),
        element("p", element("span", id="marked"), class_="soft"),
        element("p", id="said", role="status", class_="hidden"),
    ]
    return element("section", *lines, class_="verdict", id="verdict", aria_labelledby="verdict-title")


def keys_content():
    """Make the list of keys, with a checkbox that switches them on and off."""
    yield _box("keys", "Keyboard shortcuts")
    items = (element("li", element("kbd", key), f" {text}") for key, text in KEYS.items())
    yield element("ul", *items, class_="keys")
