"""Every key of a site file with its default, what is valid, and what it is for, from the settings.

msgspec tells types, bounds and defaults at run time. Python forgets the docstrings of fields, so they are
taken from the source. Rejected: sphinx and mkdocstrings, which print Python's types instead of what a person
may write.
"""

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from types import ModuleType
from typing import Any

import msgspec
from msgspec import inspect as types

from turnstile.errors import ConfigError
from turnstile.site.problems import valid_values
from turnstile.site.settings import UNIT_BOUNDS, Site

NAME = "NAME"
"""Stands in a key for a name that the site file chooses."""

BAR = r"\|"


@dataclass(frozen=True, kw_only=True)
class DocumentedKey:
    """One key."""

    path: str
    """Such as ``cameras.NAME.max_fps``."""
    default: str
    """Empty where the key must be given."""
    valid: str
    about: str


@dataclass(frozen=True, kw_only=True)
class DocumentedSection:
    """One section, and the keys in it that are no sections."""

    path: str
    """Empty for the whole file."""
    about: str
    keys: list[DocumentedKey] = field(default_factory=list)


@cache
def sections() -> list[DocumentedSection]:
    """Return all sections of a site file, in its order."""
    return list(_sections(Site, ""))


def find(wanted: str) -> list[DocumentedKey | DocumentedSection]:
    """Return what a path names, a section also without `NAME`, or else all keys whose last word it is.

    Raises:
        ConfigError: there is no such key; the text has those that are spelt much like it.
    """
    every: list[DocumentedKey | DocumentedSection] = []
    for part in sections():
        every += [part, *part.keys]
    everything = {one.path: one for one in every if one.path}
    exact = [one for path, one in everything.items() if _fits(wanted, path.removesuffix(f".{NAME}"))]
    exact = [one for path, one in everything.items() if _fits(wanted, path)] or exact
    found = exact or [one for path, one in everything.items() if path.rpartition(".")[2] == wanted]
    if found:
        return found
    last = wanted.rpartition(".")[2]
    by_last = {path.rpartition(".")[2]: path for path in reversed(everything)}
    near = get_close_matches(wanted, everything, n=3, cutoff=0.75)
    near += [by_last[word] for word in get_close_matches(last, by_last, n=2)]
    meant = (
        f"; did you mean {' or '.join(dict.fromkeys(near))}?" if near else "; `turnstile config` lists all"
    )
    raise ConfigError(f"no key is called {wanted}{meant}")


def as_markdown() -> str:
    """Return docs/configuration.md."""
    lines = [
        "# The site file, key by key",
        "",
        "`.venv/bin/turnstile config --markdown` makes this page from the settings' docstrings.",
        "`.venv/bin/turnstile config --explain max_fps` prints one key. `NAME` stands for a name that you",
        "choose. Paths are relative to the site file's folder.",
    ]
    for part in sections():
        lines += ["", f"## `{part.path}`" if part.path else "## The file", "", part.about, ""]
        if part.keys:
            lines += ["| key | default | valid | what it is for |", "|---|---|---|---|"]
        for key in part.keys:
            name = f"`{key.path.removeprefix(f'{part.path}.')}`"
            cells = (name, key.default or "must be given", key.valid, key.about)
            lines.append(f"| {' | '.join(cell.replace('|', BAR) for cell in cells)} |")
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def _fits(wanted: str, path: str) -> bool:
    """Tell whether a path is the one wanted, in which names may stand for `NAME`."""
    own, asked = path.split("."), wanted.split(".")
    return len(own) == len(asked) and all(one in (NAME, other) for one, other in zip(own, asked, strict=True))


def _sections(struct: type[msgspec.Struct], path: str, about: str = "") -> Iterator[DocumentedSection]:
    documented = _docstrings(sys.modules[struct.__module__])[struct.__name__]
    kept = DocumentedSection(path=path, about=" ".join(filter(None, (_plain(inspect.getdoc(struct)), about))))
    below: list[tuple[type[msgspec.Struct], str, str]] = []
    info = types.type_info(struct)
    assert isinstance(info, types.StructType)  # noqa: S101 - it is one
    for one in info.fields:
        at, said = f"{path}.{one.name}".removeprefix("."), documented.get(one.name, "")
        inner = _struct_in(one.type)
        if inner is not None:
            below.append((inner[0], at + inner[1], said))
        else:
            kept.keys.append(
                DocumentedKey(path=at, default=_default(at, one), valid=valid_values(one.type), about=said)
            )
    yield kept
    for further in below:
        yield from _sections(*further)


def _struct_in(info: types.Type) -> tuple[type[msgspec.Struct], str] | None:
    """Return the section that a key holds, and what follows the key in its path; `None` if it holds none."""
    match info:
        case types.StructType(cls=cls):
            return cls, ""
        case types.DictType(value_type=types.StructType(cls=cls)):
            return cls, f".{NAME}"
        case types.Metadata(type=inner):
            return _struct_in(inner)
        case types.UnionType(types=several):
            return next((found for found in map(_struct_in, several) if found), None)
        case _:
            return None


def _default(path: str, one: types.Field) -> str:
    if one.required:
        return ""
    section, _, name = path.rpartition(".")
    value = _written(one.default)
    if section == "decision" and name in UNIT_BOUNDS:
        return f"{_written(UNIT_BOUNDS[name])}, or {value} for raw encodings"
    return value


def _written(value: Any) -> str:
    """Return a value as it would stand in the file."""
    match value:
        case None:
            return "none"
        case bool():
            return "`true`" if value else "`false`"
        case "" | ():
            return "empty"
        case float() if value.is_integer():
            return f"`{value:.0f}`"
        case tuple():
            return f"`[{', '.join(str(each) for each in value)}]`"
        case _:
            return f"`{value}`"


@cache
def _docstrings(module: ModuleType) -> Mapping[str, Mapping[str, str]]:
    """Return, by class and field, the string that stands under each field of a module's classes."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef):
            own = found.setdefault(node.name, {})
            for line, after in zip(node.body, node.body[1:], strict=False):
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                    match after:
                        case ast.Expr(value=ast.Constant(value=str(text))):
                            own[line.target.id] = _plain(text)
                        case _:
                            pass
    return found


def _plain(text: str | None) -> str:
    """Return a docstring on one line, with single backquotes."""
    return " ".join((text or "").split()).replace("``", "`")
