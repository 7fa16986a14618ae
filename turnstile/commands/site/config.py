"""Tell every key of a site file: its default, what is valid, and what it is for.

Without an option it lists all keys. docs/configuration.md is the same as a page.
"""

import argparse
import sys
import textwrap

from turnstile.io.site import reference
from turnstile.io.site.reference import DocumentedKey, DocumentedSection
from turnstile.site.restarts import EXIT_STOPPED

WIDTH = 100


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--explain", metavar="KEY", help="only this one, such as cameras.front_door.max_fps")
    either.add_argument("--markdown", action="store_true", help="print docs/configuration.md")


def run(options: argparse.Namespace) -> int:
    """Print one key or all; return 0.

    Raises:
        ConfigError: there is no such key.
    """
    if options.markdown:
        sys.stdout.write(reference.as_markdown())
    elif options.explain is not None:
        sys.stdout.write("\n".join(explained(one) for one in reference.find(options.explain)))
    else:
        keys = [key for part in reference.sections() for key in part.keys]
        wide = max(len(key.path) for key in keys)
        sys.stdout.writelines(f"{key.path:{wide}}  {_bare(key.default) or 'must be given'}\n" for key in keys)
    return EXIT_STOPPED


def explained(one: DocumentedKey | DocumentedSection) -> str:
    """Return a key or a section as a few lines."""
    lines = [one.path]
    if isinstance(one, DocumentedKey):
        lines += [f"  default  {_bare(one.default) or 'must be given'}", f"  valid    {_bare(one.valid)}"]
    lines += textwrap.wrap(_bare(one.about), WIDTH, initial_indent="  ", subsequent_indent="  ")
    if isinstance(one, DocumentedSection):
        lines += [f"  {key.path}" for key in one.keys]
    return "\n".join(lines) + "\n"


def _bare(text: str) -> str:
    """Return a text without the quotes that a page needs."""
    return text.replace("`", "")
