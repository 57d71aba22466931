"""Make the page of one source, for judging whether its detections are real.

For example:

    vo page J030020-413839
    vo page J030020-413839 --output page.html

The page is a single HTML file that needs no network. The workflow makes the pages of the best sources
(report.max_pages) itself, and removes all others whenever it remakes them. Products made by other code or another
configuration than the current ones are an error, unless --any is given.
"""

from pathlib import Path

from vo_lib.files import write_text
from vo_lib.paths import page_file
from vo_lib.verbs import Verb, add_json, print_found

__all__ = ["VERB"]


def add_arguments(parser):
    """Add the arguments of the verb."""
    parser.add_argument("name", metavar="NAME", help="name of the source in the catalog")
    parser.add_argument("--output", type=Path, metavar="FILE", help="file to write (default: in the project's pages)")
    parser.add_argument("--any", action="store_true", help="show products of any provenance")
    add_json(parser)


def run(plan, arguments):
    """Write the page and print its path."""
    from vo_lib.pages.vetting import project_links, project_page

    _, bin_name = plan.catalog.find(arguments.name)
    links = {} if arguments.output else project_links(plan, plan.config["report"]["max_pages"])
    text = project_page(plan, arguments.name, links=links, any_provenance=arguments.any)
    path = arguments.output or plan.data_root / page_file(plan.folder, bin_name, arguments.name)
    write_text(path, text)
    return print_found(arguments, {"file": str(path), "source": arguments.name}, [str(path)])


VERB = Verb("page", "make the page of one source", __doc__, add_arguments, run)
