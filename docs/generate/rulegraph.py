"""Draw the graph of the rules as SVG, from the output of Snakemake."""

import os
import re
import subprocess
import sys
import tempfile

WIDTH, HEIGHT, ACROSS, DOWN = 150, 36, 40, 44


def rulegraph(root):
    """Return the graph of all rules of the demo, with combined lightcurves, as SVG."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "snakemake", "--rulegraph", "dot", "--config", "combine={by: filter}"]
        environment = os.environ | {"VO_DATA": folder}
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"snakemake --rulegraph: {done.stderr}")
    return draw(*read_dot(done.stdout))


def read_dot(text):
    """Parse a graph in the DOT language: names of the rules, and pairs (rule, rule that needs it), without `all`."""
    names = dict(re.findall(r'(\d+)\[label = "(\w+)"', text))
    edges = [(names[first], names[then]) for first, then in re.findall(r"(\d+) -> (\d+)", text)]
    return [name for name in names.values() if name != "all"], [edge for edge in edges if edge[1] != "all"]


def shortest(edges):
    """Return the edges without those that are implied by a longer path."""
    after = {first: {then for start, then in edges if start == first} for first, _ in edges}

    def reached(name):
        return {name}.union(*map(reached, after.get(name, ())))

    return [
        (first, then)
        for first, then in edges
        if not any(then in reached(other) for other in after[first] if other != then)
    ]


def draw(names, edges):
    """Draw the rules as boxes in rows, each below all rules that it needs."""
    before = {name: [first for first, then in edges if then == name] for name in names}

    def row(name):
        return 1 + max(map(row, before[name]), default=-1)

    rows = [[name for name in names if row(name) == number] for number in range(1 + max(map(row, names)))]
    width = max(map(len, rows)) * (WIDTH + ACROSS)
    place = {
        name: (width / 2 + (column - (len(line) - 1) / 2) * (WIDTH + ACROSS), 4 + number * (HEIGHT + DOWN))
        for number, line in enumerate(rows)
        for column, name in enumerate(line)
    }
    arrows = [arrow(place[first], place[then]) for first, then in shortest(edges)]
    boxes = [box(name, *place[name]) for name in names]
    height = len(rows) * (HEIGHT + DOWN) - DOWN + 8
    return (
        '<div class="rulegraph" tabindex="0">'
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="Graph of the rules">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 8 4 0 8z"/></marker></defs>{"".join(arrows)}{"".join(boxes)}</svg></div>'
    )


def box(name, x, y):
    """Draw a rule."""
    return (
        f'<rect x="{x - WIDTH / 2}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="8"/>'
        f'<text x="{x}" y="{y + HEIGHT / 2 + 5}">{name}</text>'
    )


def arrow(start, end):
    """Draw an arrow from the lower edge of a box to the upper edge of another."""
    (x, y), (to_x, to_y) = start, end
    y += HEIGHT
    bend = (y + to_y) / 2
    return f'<path class="arrow" d="M{x} {y}C{x} {bend} {to_x} {bend} {to_x} {to_y}"/>'
