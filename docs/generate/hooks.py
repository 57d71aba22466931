"""Hooks of MkDocs that add generated parts to the pages of ``docs``, and pages for linked files outside it.

A line ``<!-- rulegraph -->`` in a page, or one with another name in `PARTS`, is replaced by that part.
"""

import os
import re
from pathlib import Path

from mkdocs.structure.files import File, InclusionLevel
from notebook import notebook_page
from options import options_of_the_command
from rulegraph import rulegraph
from schema import keys_of_the_configuration
from sources import modules_of_the_library, rules_of_the_workflow
from surveys import surveys_of_the_library

ROOT = Path(__file__).parents[2]
PARTS = {
    "keys": keys_of_the_configuration,
    "modules": modules_of_the_library,
    "options": options_of_the_command,
    "rulegraph": rulegraph,
    "rules": rules_of_the_workflow,
    "surveys": surveys_of_the_library,
}
FENCE = re.compile(r"(^ *```.*?^ *```$)", flags=re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(#[^)]*)?\)")
TERM = re.compile(r"^\*\*([^,*]+).*\*\*$", flags=re.MULTILINE)
OUTSIDE = "project"
SEARCH = 'data-md-component="search" role="dialog"'
CELL_CODE = re.compile(r"(?<=<code>)[^<]+(?=</code>)")
CELL = re.compile(r"<td.*?</td>", flags=re.DOTALL)


def on_files(files, config):
    """Add the notebook, and a page for each file outside ``docs`` that a page links to."""
    files.append(File.generated(config, "notebook.md", content=notebook_page(ROOT / "docs" / "notebook.ipynb")))
    pages = [(ROOT / "docs" / file.src_uri, file.content_string) for file in files.documentation_pages()]
    added = set()
    while pages:
        path, text = pages.pop()
        for target in outside_links(path, text) - added:
            added.add(target)
            content = page_of(target)
            inclusion = InclusionLevel.INCLUDED if target.suffix == ".md" else InclusionLevel.NOT_IN_NAV
            files.append(File.generated(config, page_uri(target), content=content, inclusion=inclusion))
            pages.append((target, content))
    return files


def on_page_markdown(markdown, page, **_):
    """Fill in the generated parts of a page, and point its links to pages of the site."""
    for name in re.findall(r"^<!-- (\w+) -->$", markdown, flags=re.MULTILINE):
        part = PARTS[name](ROOT)
        markdown = markdown.replace(f"<!-- {name} -->", part)
    uri = page.file.src_uri
    if uri == "glossary.md":
        markdown = TERM.sub(lambda term: f"{term[0]} {{: #{anchor(term[1])}}}", markdown)
    here = ROOT / uri.removeprefix(f"{OUTSIDE}/").removesuffix(".page.md") if outside(uri) else ROOT / "docs" / uri
    pieces = FENCE.split(markdown)
    pieces[::2] = [LINK.sub(lambda link: new_link(link, here, uri), text) for text in pieces[::2]]
    return "".join(pieces)


def on_post_page(output, **_):
    """Label the theme's search dialog for screen readers, and let code in tables break between its words."""
    output = CELL.sub(lambda cell: CELL_CODE.sub(with_breaks, cell[0]), output)
    return output.replace(SEARCH, f'{SEARCH} aria-label="Search"')


def with_breaks(code):
    """Allow a line to end after the marks that join the words of a name or path."""
    return re.sub(r"(?<=\w)([._/:]+)(?=\w)", r"\1<wbr>", code[0])


def anchor(term):
    """Return the anchor of a term of the glossary."""
    return re.sub(r"\W+", "-", term.lower())


def outside(uri):
    """Return whether a page of the site shows a file outside ``docs``."""
    return uri.startswith(f"{OUTSIDE}/")


def resolve(target, path):
    """Return the file of the project to which a link in the file `path` points."""
    return Path(os.path.normpath(path.parent / target))


def outside_links(path, text):
    """Return the files outside ``docs`` to which a text links."""
    links = [resolve(link[1], path) for piece in FENCE.split(text)[::2] for link in LINK.finditer(piece)]
    return {link for link in links if not link.is_relative_to(ROOT / "docs") and link.is_file()}


def page_uri(path):
    """Return the URI in the site of the page of a file of the project."""
    if path.is_relative_to(ROOT / "docs"):
        return path.relative_to(ROOT / "docs").as_posix().replace(".ipynb", ".md")
    name = path.relative_to(ROOT).as_posix()
    return f"{OUTSIDE}/{name}" if name.endswith(".md") else f"{OUTSIDE}/{name}.page.md"


def page_of(path):
    """Return the Markdown of the page of a file outside ``docs``."""
    text = path.read_text()
    if path.suffix == ".md":
        return text
    language = {".py": "python", ".yaml": "yaml", ".smk": "python"}.get(path.suffix, "text")
    return f"# {path.relative_to(ROOT).as_posix()}\n\n```{language}\n{text}```\n"


def new_link(link, here, uri):
    """Convert a link between files to one between pages; others stay, so that MkDocs reports them if broken."""
    target = resolve(link[1], here)
    if not target.is_file():
        return link[0]
    return f"]({os.path.relpath(page_uri(target), Path(uri).parent)}{link[2] or ''})"
