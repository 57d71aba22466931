"""Make pages from the code: rules with their docstrings, and the list of modules."""

import ast
import re

RULE = re.compile(r"^(rule|checkpoint) (\w+):\n(.*?)(?=^\S|\Z)", flags=re.DOTALL | re.MULTILINE)


def rules_of_the_workflow(root):
    """Return a heading for each rule, with its docstring and its code."""
    first = root / "workflow" / "Snakefile"
    files = [
        first,
        *(first.parent / name for name in re.findall(r'^include: "(.+)"', first.read_text(), flags=re.MULTILINE)),
    ]
    pieces = []
    for file in files:
        for kind, name, body in RULE.findall(file.read_text()):
            doc = re.search(r'"""(.*?)"""', body, flags=re.DOTALL)[1]
            text = body.replace(f'    """{doc}"""\n', "").rstrip()
            place = file.relative_to(root).as_posix()
            pieces.append(f"## {name}\n\n{' '.join(doc.split())} (`{place}`)\n\n```python\n{kind} {name}:\n{text}\n```")
    return "\n\n".join(pieces)


def modules_of_the_library(root):
    """Return a table for each package of its modules, with the first paragraph of their docstrings."""
    packages = [root / "vo_lib", *(file.parent for file in sorted(root.glob("vo_lib/*/__init__.py")))]
    names = [".".join(package.relative_to(root).parts) for package in packages]
    return "\n\n".join(f"### {name}\n\n{package_table(package)}" for name, package in zip(names, packages, strict=True))


def package_table(folder):
    """Return the table of the modules in a folder."""
    lines = ["| module | what |", "| --- | --- |"]
    for file in sorted(folder.glob("[a-z]*.py")):
        doc = ast.get_docstring(ast.parse(file.read_text())).partition("\n\n")[0]
        lines.append(f"| `{file.stem}` | {' '.join(doc.split()).replace('``', '`')} |")
    return "\n".join(lines)
