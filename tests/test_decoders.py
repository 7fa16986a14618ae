"""Every decoder makes something of any bytes, or raises an error of its own; nothing else."""

import random
from pathlib import Path
from typing import Any

import hypothesis
import msgspec
import pytest
import yaml
from hypothesis import strategies as st

from tests.support.decoders import DECODERS, mutate
from turnstile.access import rules
from turnstile.site.settings import Site

CORPUS = Path(__file__).parent / "corpus"
FAILURES = [path.relative_to(CORPUS) for path in sorted(CORPUS.glob("*/*"))]

texts = st.text(max_size=20) | st.sampled_from(["door", "tcp://127.0.0.1:1", "07:00-12:00", "mon-fri", "\0"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.dates() | st.binary(max_size=9)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(scalars, inner, max_size=4),
    max_leaves=20,
)
"""What YAML can hold."""


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_what_once_went_wrong_does_so_no_more(failure: Path, tmp_path: Path) -> None:
    """Found by `benchmarks.fuzz` and `benchmarks.fuzz_guided`, or in use."""
    assert DECODERS[failure.parts[0]].outcome((CORPUS / failure).read_bytes(), tmp_path)


@pytest.mark.parametrize("name", DECODERS)
def test_the_examples_are_taken(name: str, tmp_path: Path) -> None:
    """Else damage to them would show nothing."""
    outcomes = {DECODERS[name].outcome(seed, tmp_path) for seed in DECODERS[name].seeds()}
    assert "refused" not in outcomes


@pytest.mark.parametrize("name", DECODERS)
@hypothesis.settings(max_examples=60, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(seed=st.integers(0, 2**32), garbage=st.binary(max_size=200))
def test_damage_is_refused_or_taken(name: str, tmp_path: Path, seed: int, garbage: bytes) -> None:
    """Bytes of any kind, and valid examples with some of them wrong."""
    decoder, chance = DECODERS[name], random.Random(seed)
    seeds = decoder.seeds()
    assert decoder.outcome(garbage, tmp_path)
    assert decoder.outcome(mutate(chance, chance.choice(seeds), [*seeds, garbage]), tmp_path)


@pytest.mark.parametrize(("name", "kind"), [("site", Site), ("rules", rules.Rules)])
@hypothesis.settings(max_examples=80, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(data=st.data())
def test_any_document_is_refused_or_taken(
    name: str, kind: type[msgspec.Struct], tmp_path: Path, data: st.DataObject
) -> None:
    """With the sections of the real ones, and anything in them."""
    valid: Any = yaml.safe_load(DECODERS[name].seeds()[0])
    section = data.draw(st.sampled_from(kind.__struct_fields__))
    document = {**valid, section: data.draw(documents)}
    if isinstance(valid.get(section), dict) and valid[section]:
        inner = data.draw(st.sampled_from(sorted(valid[section], key=str)))
        document = {**valid, section: {**valid[section], inner: data.draw(documents)}}
    assert DECODERS[name].outcome(yaml.safe_dump(document).encode(), tmp_path)


TAGS = ("", *(f"!!{kind} " for kind in ("timestamp", "bool", "int", "float", "binary", "null", "str", "map")))
TAGS += (
    "!!set ",
    "!!omap ",
    "!!pairs ",
    "!!seq ",
    "!!merge ",
    "!!value ",
    "!x ",
    "!!python/name:os ",
    "&a ",
    "*a ",
)
WORDS = (
    "",
    "soon",
    "0x",
    "1_",
    ".inf",
    "=",
    "<<",
    "[]",
    "{}",
    "[a, b]",
    "{a: b}",
    "'",
    '"',
    "|",
    "- ",
    "? ",
    "2026-13-45",
)


@pytest.mark.parametrize("name", ["site", "rules"])
@hypothesis.settings(max_examples=150, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(data=st.data())
def test_any_tag_in_any_place_is_refused_with_its_line_or_taken(
    name: str, tmp_path: Path, data: st.DataObject
) -> None:
    """PyYAML raises errors of its own for some, and others of Python for the rest."""
    lines = DECODERS[name].seeds()[0].decode().split("\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    odd = data.draw(st.sampled_from(TAGS)) + data.draw(st.sampled_from(WORDS) | st.text(max_size=5))
    key, colon, _ = lines[at].partition(":")
    lines[at] = data.draw(st.sampled_from([f"{key}{colon} {odd}", f"{odd}: 1", f"{lines[at]}\n{odd}", odd]))
    assert DECODERS[name].outcome("\n".join(lines).encode("utf-8", "replace"), tmp_path)


@hypothesis.settings(max_examples=60, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(data=st.data())
def test_any_bundle_is_refused_or_taken(tmp_path: Path, data: st.DataObject) -> None:
    """With anything in the place of one of its parts, the site file within it included."""
    bundle: dict[str, Any] = msgspec.json.decode(DECODERS["bundle"].seeds()[0])
    part = data.draw(st.sampled_from(sorted(bundle)))
    json = st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=9,
    )
    if part == "holders" and data.draw(st.booleans()):
        field = data.draw(st.sampled_from(sorted(bundle["holders"][0])))
        bundle["holders"][0][field] = data.draw(json)
    elif part == "site" and data.draw(st.booleans()):
        bundle["site"] = yaml.safe_dump(
            {"site": "home", **data.draw(st.dictionaries(texts, documents, max_size=3))}
        )
    else:
        bundle[part] = data.draw(json)
    assert DECODERS["bundle"].outcome(msgspec.json.encode(bundle), tmp_path)
