"""Changes of bytes such as bad disks, broken programs and people make, as strategies of hypothesis."""

import json

from hypothesis import strategies as st

# Words in the place of others: what numbers, texts and structures of all formats have trouble with.
WORDS = (
    *(b"", b"0", b"-1", b"nan", b"NaN", b"inf", b"-inf", b"1e400", b"1e-400", b"1e16", b"0x1F", b"1_0", b"007"),
    *(b"9223372036854775808", b"-9223372036854775809", b"9" * 5000, b"1.5.5", b"true", b"null", b"None"),
    *(b'"', b"'", b",", b",,", b"\n", b"\r\n", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\\ud800", b"\xe2\x80\xae"),
    *(b"<", b">", b"<html>", b"&amp;", b"&#0;", b"<!--", b"]]>", b"[", b"]", b"{", b"}", b"[" * 5000, b'{"a":' * 2000),
    *(b"#", b"%s", b"{0}", b"../", b"*", b"&a", b"!!python/name:os.system", b"- ", b": ", b"\t", b"|", b" "),
)
MOST_BRACKETS = 500  # far from the depth at which Python gives up, which is another one in each call
# Values in the place of others in JSON.
VALUES = (
    "null",
    "true",
    "0",
    "-1",
    str(2**63),
    "1e308",
    "NaN",
    "Infinity",
    '""',
    '"x"',
    '"\\ud800"',
    '"1"',
    "[]",
    "[1]",
)
VALUES += ("{}", '{"a": 1}')


@st.composite
def mutated(draw, bodies, *, most=3):
    """A body with one to a few changes: bytes flipped, cut out, doubled, moved, or words put in their place."""
    body = draw(st.sampled_from(bodies))
    for _ in range(draw(st.integers(1, most))):
        body = _change(draw, body)
    return body


def _change(draw, body):
    """A body with one change."""
    if body[:1] in (b"{", b"[") and body.count(b"[") + body.count(b"{") < MOST_BRACKETS and draw(st.booleans()):
        return _change_json(draw, body)
    start = draw(st.integers(0, len(body)))
    stop = min(len(body), start + draw(st.sampled_from((0, 1, 2, 4, 8, 20, 80, 1000, len(body)))))
    kind = draw(st.sampled_from(("word", "token", "flip", "cut", "double", "move", "bytes")))
    if kind == "word":
        return body[:start] + draw(st.sampled_from(WORDS)) + body[stop:]
    if kind == "token":
        left, right = _token(body, start)
        return body[:left] + draw(st.sampled_from(WORDS)) + body[right:]
    if kind == "flip":
        flipped = bytes(byte ^ 1 << draw(st.integers(0, 7)) for byte in body[start : start + 1])
        return body[:start] + flipped + body[start + 1 :]
    if kind == "cut":
        return body[:start] + body[stop:]
    if kind == "double":
        return body[:stop] + body[start:stop] + body[stop:]
    if kind == "move":
        rest = body[:start] + body[stop:]
        place = draw(st.integers(0, len(rest)))
        return rest[:place] + body[start:stop] + rest[place:]
    return body[:start] + draw(st.binary(max_size=12)) + body[stop:]


def _change_json(draw, body):
    """JSON with one value replaced or left out; what is no JSON stays as it is."""
    try:
        value = json.loads(body)
    except ValueError:
        return body
    places = list(_places(value))
    if not places:
        return body
    owner, key = draw(st.sampled_from(places))
    if draw(st.integers(0, 3)) == 0:
        del owner[key]
    else:
        owner[key] = json.loads(draw(st.sampled_from(VALUES)))
    return json.dumps(value).encode()


def _places(value):
    """All places of values in a value of JSON: what holds it, and its key or number there."""
    if isinstance(value, dict | list):
        for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, key
            yield from _places(inner)


def _token(body, place):
    """Start and end of the word or number at a place."""
    left = right = place
    while left > 0 and _in_word(body[left - 1]):
        left -= 1
    while right < len(body) and _in_word(body[right]):
        right += 1
    return left, right


def _in_word(byte):
    """Whether a byte is of a word or number."""
    return chr(byte).isalnum() or byte in b"+-._"
