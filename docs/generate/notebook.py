"""Make the page of the notebook, with its stored outputs."""

import json
from html import escape


def notebook_page(path):
    """Return the notebook at a path as Markdown with embedded figures."""
    cells = json.loads(path.read_text())["cells"]
    return "\n\n".join("".join(cell["source"]) if cell["cell_type"] == "markdown" else code(cell) for cell in cells)


def code(cell):
    """Return a cell of code with its outputs."""
    outputs = [shown(output) for output in cell["outputs"]]
    return "\n\n".join([f"```python\n{''.join(cell['source'])}\n```", *outputs])


def shown(output):
    """Return an output, which is a figure, a table or text, as HTML."""
    data = output.get("data", {"text/plain": output.get("text", "")})
    if "image/png" in data:
        return f'<img alt="A figure" src="data:image/png;base64,{"".join(data["image/png"]).strip()}">'
    if "text/html" in data:
        return f'<div class="output" tabindex="0">{"".join(data["text/html"])}</div>'
    return f'<pre class="output" tabindex="0">{escape("".join(data["text/plain"]))}</pre>'
