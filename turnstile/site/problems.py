"""What is wrong with a file that people edit, in their words: the key's path, the value, what would be valid.

msgspec decides whether a document is valid. Here its types are walked beside it to say why not. They are not
converted one by one: msgspec 0.22 crashes when it frees a bare choice of a text and a bounded list.

pydantic would bring errors like "Input should be a valid number, unable to parse string as a number". Its
words would need the same table, and settings a second set of models beside the structs.
"""

import datetime as dt
import difflib
import operator
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from turnstile.errors import ConfigError, Place
from turnstile.site.secrecy import masked

T = TypeVar("T", bound=msgspec.Struct)


def structured(document: object, kind: type[T]) -> T:
    """Return a decoded YAML document as a struct.

    Raises:
        ConfigError: an unknown key, a wrong type or a value out of range; it knows the place.
    """
    try:
        return msgspec.convert(document, kind)
    except (msgspec.ValidationError, ConfigError) as error:
        raise (_problem(document, _type_of(kind), ()) or ConfigError(str(error))) from error


@cache
def _type_of(kind: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(kind)


def _problem(value: object, info: inspect.Type, place: Place) -> ConfigError | None:
    """Return what is wrong with a value: the first thing inside it, or itself."""
    shape = _shape(value, info)
    if isinstance(shape, inspect.StructType) and isinstance(value, dict):
        return _problem_of_struct(value, shape, place)
    for part, its_info, step in _parts(value, shape):
        if found := _problem(part, its_info, (*place, step)):
            return found
    if _fits(value, info):
        return None
    subject = "" if place else "the file "
    return ConfigError(
        f"{subject}must be {valid_values(info)}, not {_shown(value)}{_quotes(value, shape)}", place=place
    )


def _problem_of_struct(
    value: dict[Any, object], info: inspect.StructType, place: Place
) -> ConfigError | None:
    """Return the first key that is unknown, missing, or has a problem, or what no single key can show."""
    fields = {field.encode_name: field for field in info.fields}
    for key in value:
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            return ConfigError(
                f"there is no such key{meant} (valid keys are: {', '.join(fields)})",
                place=(*place, masked(str(key))),
            )
    for name, field in fields.items():
        if field.required and name not in value:
            return ConfigError(
                f"the key {name} is missing; it must be {valid_values(field.type)}", place=place
            )
    for key, part in value.items():
        if found := _problem(part, fields[key].type, (*place, key)):
            return found
    try:
        with suppress(msgspec.ValidationError):
            msgspec.convert(value, info.cls)
    except ConfigError as error:
        return ConfigError(error.words, place=(*place, *error.place))
    return None


def _shape(value: object, info: inspect.Type) -> inspect.Type:
    """Return a type without what is noted about it; of a choice, the one that has keys or entries as well."""
    if isinstance(info, inspect.Metadata):
        return _shape(value, info.type)
    if not isinstance(info, inspect.UnionType):
        return info
    shapes = [_shape(value, one) for one in info.types]
    return next((one for one in shapes if type(value) in _HOLDS.get(type(one), ())), info)


def _parts(value: Any, shape: inspect.Type) -> Iterator[tuple[object, inspect.Type, str | int]]:
    """Give the entries of a dictionary or list with the type and name of each."""
    match shape:
        case inspect.DictType(key_type=key_info, value_type=value_info) if isinstance(value, dict):
            for key, part in value.items():
                yield key, key_info, masked(str(key))
                yield part, value_info, masked(str(key))
        case inspect.VarTupleType(item_type=item) if isinstance(value, list):
            yield from ((part, item, at) for at, part in enumerate(value))
        case inspect.TupleType(item_types=items) if isinstance(value, list) and len(value) == len(items):
            yield from zip(value, items, range(len(items)), strict=True)


def _fits(value: Any, info: inspect.Type) -> bool:
    """Tell whether a value is right, whatever its parts are."""
    match info:
        case inspect.Metadata(type=inner):
            return _fits(value, inner)
        case inspect.UnionType(types=types):
            return any(_fits(value, one) for one in types)
        case inspect.LiteralType(values=values):
            return value in values
    return type(value) in _HOLDS[type(info)] and _is_within(value, info)


_HOLDS: dict[type[inspect.Type], tuple[type, ...]] = {
    inspect.BoolType: (bool,),
    inspect.NoneType: (type(None),),
    inspect.IntType: (int,),
    inspect.FloatType: (int, float),
    inspect.StrType: (str,),
    inspect.DateType: (dt.date, str),
    inspect.StructType: (dict,),
    inspect.DictType: (dict,),
    inspect.VarTupleType: (list,),
    inspect.TupleType: (list,),
}


def _is_within(value: Any, info: Any) -> bool:
    """Tell whether a value of the right kind is within the type's bounds."""
    match info:
        case inspect.IntType() | inspect.FloatType():
            bounds = (
                (operator.ge, info.ge),
                (operator.gt, info.gt),
                (operator.le, info.le),
                (operator.lt, info.lt),
            )
            return all(compare(value, bound) for compare, bound in bounds if bound is not None)
        case inspect.StrType() | inspect.VarTupleType() | inspect.DictType():
            most = len(value) if info.max_length is None else info.max_length
            pattern = getattr(info, "pattern", None)
            return (info.min_length or 0) <= len(value) <= most and (
                not pattern or bool(re.search(pattern, value))
            )
        case inspect.TupleType():
            return len(value) == len(info.item_types)
        case inspect.DateType():
            with suppress(msgspec.ValidationError):
                return msgspec.convert(value, dt.date) is not None
            return False
    return True


def valid_values(info: inspect.Type) -> str:  # noqa: PLR0911 - a table
    """Return in words what values a type takes."""
    match info:
        case inspect.Metadata(type=inner, extra_json_schema=extra):
            return str((extra or {}).get("description") or valid_values(inner))
        case inspect.UnionType(types=types):
            return " or ".join(valid_values(one) for one in types if not isinstance(one, inspect.NoneType))
        case inspect.LiteralType(values=values):
            return ", ".join(map(str, values[:-1])) + (" or " if len(values) > 1 else "") + str(values[-1])
        case inspect.IntType() | inspect.FloatType():
            return ("a whole number" if isinstance(info, inspect.IntType) else "a number") + _bounds(info)
        case inspect.StrType():
            return f"a text{_length(info, 'characters')}"
        case inspect.VarTupleType(item_type=item):
            return f"a list{_length(info, 'entries')}, each {valid_values(item)}"
        case inspect.TupleType(item_types=items):
            return f"a list of {len(items)}: {', '.join(map(valid_values, items))}"
        case inspect.BoolType():
            return "true or false"
        case inspect.DateType():
            return "a date like 2026-01-31"
    return "keys with values" + (", one or more" if getattr(info, "min_length", None) else "")


def _bounds(info: inspect.IntType | inspect.FloatType) -> str:
    if info.ge is not None and info.le is not None:
        return f" from {info.ge:.15g} to {info.le:.15g}"
    named = (("above", info.gt), ("at least", info.ge), ("below", info.lt), ("at most", info.le))
    words = " and ".join(f"{name} {bound:.15g}" for name, bound in named if bound is not None)
    return f" {words}" if words else ""


def _quotes(value: object, info: inspect.Type) -> str:
    """Say that a text needs quotes where YAML reads something else; empty where that is not the mistake."""
    if not isinstance(info, inspect.StrType) or not isinstance(value, bool | int | float | dt.date):
        return ""
    bare = ""
    if isinstance(value, bool):
        bare = f", as a bare {'yes, on or true' if value else 'no, off or false'} is read"
    return f"{bare}; write it in quotes"


def _length(info: inspect.StrType | inspect.VarTupleType, unit: str) -> str:
    if info.max_length is None:
        return f" of {info.min_length} or more {unit}" if info.min_length else ""
    return f" of {info.min_length or 0} to {info.max_length} {unit}"


def _shown(value: object) -> str:
    """Return a value as the file has it, cut if it is long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = f"{_hidden(value)!r}"
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


def _hidden(value: Any) -> object:
    """Return a value without the secrets of the addresses in it."""
    match value:
        case str():
            return masked(value)
        case list():
            return [_hidden(one) for one in value]
        case dict():
            return {_hidden(key): _hidden(one) for key, one in value.items()}
    return value


_SHOWN_CHARS = 80
