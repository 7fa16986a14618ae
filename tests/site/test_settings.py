"""The site file's meaning: what is refused, and that the error says where and what would be valid."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnstile.errors import ConfigError
from turnstile.site.document import build
from turnstile.site.settings import (
    UNIT_BOUNDS,
    BrokerSettings,
    CameraSettings,
    DecisionSettings,
    DisplaySettings,
    Site,
)

Document = dict[str, Any]


def a_document(**sections: object) -> Document:
    """Return a valid document; `sections` replace what stands at its top."""
    return {"site": "office", "cameras": {"front_door": {"source": 0}}} | sections


def with_camera(**settings: object) -> Document:
    """Return a document with one camera of these settings."""
    return a_document(cameras={"front_door": {"source": 0} | settings})


def a_placed_document(**sections: object) -> Document:
    """Return a valid document whose nodes are placed on two hosts."""
    return {
        "site": "office",
        "hosts": {"gate": {"address": "192.0.2.1"}, "front": {"address": "fd00::2"}},
        "broker": {"host": "gate"},
        "cameras": {"front_door": {"source": 0, "host": "front"}},
    } | sections


def refusal(document: object) -> str:
    """Return why a document is refused."""
    with pytest.raises(ConfigError) as caught:
        build(document)
    return str(caught.value)


def test_a_site_needs_a_name_and_a_camera() -> None:
    """Everything else has a default."""
    site = build(a_document())
    assert site.cameras == {"front_door": CameraSettings(source=0)}
    assert site.broker == BrokerSettings()


def test_defaults_are_valid_themselves() -> None:
    """A default outside its own bounds would only show when somebody writes it down."""
    assert build(a_document(broker={}, gallery={}, recognition={}, decision={})) == build(a_document())


@pytest.mark.parametrize(
    ("document", "path", "valid_key"),
    [
        (a_document(borker={}), "borker", "broker"),
        (a_document(broker={"port": 5755}), "broker.port", "ingress"),
        (a_document(broker={True: 5755}), "broker.True", "ingress"),
        (a_document(decision={"threshold": 0.6}), "decision.threshold", "max_distance"),
        (with_camera(fps=15), "cameras.front_door.fps", "max_fps"),
        (a_document(displays={"porter": {"camera": "front_door"}}), "displays.porter.camera", "cameras"),
        (a_document(loggers={"log": {"path": "x"}}), "loggers.log.path", "file"),
        (a_document(recognizers={"one": {"engine": "x"}}), "recognizers.one.engine", "host"),
    ],
)
def test_an_unknown_key_is_refused_with_the_valid_ones(document: Document, path: str, valid_key: str) -> None:
    """A misspelt key would otherwise be a setting that has no effect."""
    text = refusal(document)
    assert text.startswith(f"{path}: ")
    assert valid_key in text.partition("(valid keys are: ")[2].removesuffix(")").split(", ")


@pytest.mark.parametrize(
    ("document", "meant"),
    [
        (with_camera(max_fsp=15), "max_fps"),
        (a_document(camera={}), "cameras"),
        (a_document(decision={"vote_needed": 3}), "votes_needed"),
    ],
)
def test_a_key_that_is_nearly_right_is_told_apart(document: Document, meant: str) -> None:
    """Most wrong keys are slips."""
    assert f": there is no such key; did you mean {meant}? (" in refusal(document)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (
            with_camera(max_fps="fast"),
            "cameras.front_door.max_fps: must be a number above 0 and at most 240, not 'fast'",
        ),
        (with_camera(loop="maybe"), "cameras.front_door.loop: must be true or false, not 'maybe'"),
        (
            with_camera(max_fps=True),
            "cameras.front_door.max_fps: must be a number above 0 and at most 240, not true",
        ),
        (
            with_camera(size_px=[640]),
            "cameras.front_door.size_px: must be a list of 2: a whole number from 16 to 16384, ",
        ),
        (
            with_camera(size_px=[640, 8]),
            "cameras.front_door.size_px[1]: must be a whole number from 16 to 16384, not 8",
        ),
        (
            with_camera(source=1.5),
            "cameras.front_door.source: must be a whole number from 0 to 1023 or a path or an address ",
        ),
        (
            with_camera(source=-1),
            "cameras.front_door.source: must be a whole number from 0 to 1023 or a path or an address",
        ),
        (
            with_camera(source=[]),
            "cameras.front_door.source: must be a whole number from 0 to 1023 or a path or an address ",
        ),
        (
            with_camera(source=""),
            "cameras.front_door.source: must be a whole number from 0 to 1023 or a path",
        ),
        (
            with_camera(source="a\0b"),
            "cameras.front_door.source: must be a whole number from 0 to 1023 or a path",
        ),
        (
            with_camera(max_fps=0),
            "cameras.front_door.max_fps: must be a number above 0 and at most 240, not 0",
        ),
        (
            with_camera(max_fps=math.nan),
            "cameras.front_door.max_fps: must be a number above 0 and at most 240, not nan",
        ),
        (
            a_document(broker={"lease_s": math.inf}),
            "broker.lease_s: must be a number from 0.1 to 60, not inf",
        ),
        (a_document(broker=None), "broker: must be keys with values, not nothing"),
        (
            a_document(cameras={"front_door": None}),
            "cameras.front_door: must be keys with values, not nothing",
        ),
        (
            a_document(cameras=["front_door"]),
            "cameras: must be keys with values, one or more, not ['front_door']",
        ),
        (a_document(cameras={}), "cameras: must be keys with values, one or more, not {}"),
        (
            a_document(cameras={True: {"source": 0}}),
            "cameras.True: must be a name of letters, digits, '-' and '_', at most 63, not true, as",
        ),
        (
            a_document(cameras={7: {"source": 0}}),
            "cameras.7: must be a name of letters, digits, '-' and '_', at most 63, not 7; write it in",
        ),
        (
            a_document(cameras={"front_door": {"source": 0}, "back door": {"source": 1}}),
            "cameras.back door: must be a name of letters, digits, '-' and '_', at most 63, not 'back door'",
        ),
        (
            a_document(recognition={"engine": "fast"}),
            "recognition.engine: must be accelerated or reference, not 'fast'",
        ),
        (
            a_document(broker={"ingress": "tcp://host"}),
            "broker.ingress: must be an address like tcp://192.168.1.10:5755 or ipc:///run/turnstile/ingress",
        ),
        (
            a_document(hosts={"gate": {}}),
            "hosts.gate: the key address is missing; it must be an address like 192.168.1.10",
        ),
        (
            a_document(hosts={"gate": {"address": "a b"}}),
            "hosts.gate.address: must be an address like 192.168.1.10, fd00::10 or gate.local, not 'a b'",
        ),
        (
            a_document(hosts={"the.gate": {"address": "a"}, "a gate": {"address": "a"}}),
            "hosts.a gate: must be a host's name of letters, digits, '.', '-' and '_', not 'a gate'",
        ),
        (
            a_document(recognizers={"pool": {"count": 0}}),
            "recognizers.pool.count: must be a whole number from 1 to 256 or auto, not 0",
        ),
        (
            a_document(recognizers={"pool": {"count": "all"}}),
            "recognizers.pool.count: must be a whole number from 1 to 256 or auto, not 'all'",
        ),
        ({"site": "office"}, "the key cameras is missing; it must be keys with values, one or more"),
        (
            with_camera() | {"cameras": {"front_door": {}}},
            "cameras.front_door: the key source is missing; it must be a whole number",
        ),
        (None, "the file must be keys with values, not nothing"),
        ([], "the file must be keys with values, not []"),
        ("office", "the file must be keys with values, not 'office'"),
    ],
)
def test_a_bad_value_is_refused_with_its_path_and_what_would_be_valid(document: object, words: str) -> None:
    """The person who wrote the file can mend it from the sentence alone."""
    assert refusal(document).startswith(words)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (
            a_document(decision={"votes_needed": 6, "votes_of": 5}),
            "decision.votes_needed: must not be greater than votes_of",
        ),
        (
            a_document(decision={"votes_needed": 5, "deny_after_votes": 4}),
            "decision.votes_needed: must not be greater than deny_after_votes",
        ),
        (
            a_document(broker={"ingress": "tcp://a:1", "egress": "tcp://a:1"}),
            "broker.egress: must not be the address of ingress",
        ),
        (
            a_document(loggers={"front_door": {}}),
            "loggers.front_door: the name is taken by cameras.front_door",
        ),
        (
            a_document(loggers={"log": {"keep_thumbnails_days": 30, "keep_entries_days": 7}}),
            "loggers.log.keep_thumbnails_days: 30 is greater than keep_entries_days",
        ),
        (a_document(loggers={"log": {"store": "mysql://host/db"}}), "postgresql://user@host/database"),
        (a_document(loggers={"log": {"store": "postgresql://me:secret@host/db"}}), "~/.pgpass"),
        (a_document(recognizers={"broker": {}}), "recognizers.broker: the name is taken by the broker"),
        (
            a_document(recognizers={"pool": {"count": 3}, "pool-7": {}}),
            "recognizers.pool-7: the name is one of recognizers.pool's processes",
        ),
        (
            a_document(recognizers={"pool": {"count": "auto"}}, displays={"pool-1": {}}),
            "displays.pool-1: the name is one of recognizers.pool's processes",
        ),
        (a_document(recognizers={"p" * 62: {"count": 2}}), "a name of 62 characters"),
        (
            a_placed_document(broker={}),
            "broker: the key host is missing, since the site names its hosts; there are: gate",
        ),
        (a_placed_document(loggers={"log": {}}), "loggers.log: the key host is missing"),
        (
            a_placed_document(displays={"porter": {"host": "lodge"}}),
            "displays.porter.host: no host is named 'lodge'; there are: gate, front",
        ),
        (
            a_document(displays={"porter": {"cameras": ["back_door"]}}),
            "displays.porter.cameras: no camera is named 'back_door'; there are: front_door",
        ),
    ],
)
def test_what_no_single_field_can_see_is_refused(document: Document, words: str) -> None:
    """Settings that contradict each other."""
    assert words in refusal(document)


@pytest.mark.parametrize(
    "address",
    [
        "tcp://127.0.0.1:5755",
        "tcp://broker.local:1",
        "tcp://my_host-2:65535",
        "tcp://[::1]:5755",
        "tcp://[fd00::1:2]:80",
        "ipc:///run/turnstile/in",
        "ipc://in",
        "ipc://@abstract",
    ],
)
def test_addresses_that_zeromq_takes_are_valid(address: str) -> None:
    """Host names, IPv4, IPv6 in brackets, and sockets in the file system."""
    assert build(a_document(broker={"ingress": address})).broker.ingress == address


@pytest.mark.parametrize(
    "address",
    [
        *("tcp://host:0", "tcp://host:65536", "tcp://host:99999", "tcp://host:", "tcp://host", "tcp://:5755"),
        *("tcp://*:5755", "tcp://::1:5755", "tcp://[::1:5755", "tcp://a b:1", "tcp://a:1/x", "tcp://u@a:1"),
        *("ipc://", "ipc:///a b", "ipc:///a\0b", "ipc:///in\n", "tcp://a:1\n", "udp://a:1", "", 5755),
    ],
)
def test_other_addresses_are_refused(address: object) -> None:
    """At once and with the path, not when a socket connects."""
    assert refusal(a_document(broker={"egress": address})).startswith(
        "broker.egress: must be an address like "
    )


@pytest.mark.parametrize(
    "sections",
    [
        {"loggers": {"log": {"file": "postgresql://u:s3cret@h/x"}}},
        {"loggers": {"log": {"witness": "sftp:/u:s3cret@h/x"}}},
        {"loggers": {"log": {"store": "postgresql:/u:s3cret@h/x"}}},
        {"loggers": {"log": {"store": "postgresql://u@h/x?password=s3cret"}}},
        {"loggers": {"log": {"store": "postgresql://u@h/x?sslmode=require&p%61ssword=s3cret"}}},
        {"loggers": {"log": {"store": "host=h password=s3cret"}}},
        {"decision": {"rules": "https://u:s3cret@h/rules.yaml"}},
        {"decision": {"record": "rtsp://u:s3cret@h/1"}},
        {"gallery": {"faces": "smb://u:s3cret@h/faces"}},
        {"cameras": {"front_door": {"source": ["rtsp://u:s3cret@h/1", "rtsp://u:s3cret@h/2"]}}},
    ],
)
def test_an_address_where_a_path_belongs_is_refused_and_not_shown(sections: Document) -> None:
    """Messages name paths; a password must not get among them."""
    assert "s3cret" not in refusal(a_document(**sections))


@pytest.mark.parametrize(
    "url",
    [
        *("hooks.example/T0/s3cret", "https://u:s3cret@h/", "https://u:s3cret", "https://[::1/s3cret"),
        *("https://h:99999/s3cret", "https://h/s3cr\u00e9t", "https://h/s3cret\x7f", "https:///s3cret"),
    ],
)
def test_an_address_that_no_event_can_be_posted_to_is_refused(url: str) -> None:
    """At once, and without its path, which may be a secret."""
    words = refusal(a_document(webhooks={"hook": {"url": url, "secret_file": "a", "state_file": "b"}}))
    assert words.startswith("webhooks.hook.url: must be an address like ")
    assert "s3cr" not in words


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://hooks.example/a?b=c#d",
            "http://127.0.0.1:8080",
            "http://[fd00::1]:80/x",
            "http://h\u00f6f/",
        ),
    ],
)
def test_addresses_that_events_can_be_posted_to_are_valid(url: str) -> None:
    """Names with accents, too."""
    hook = {"url": url, "secret_file": "a", "state_file": "b"}
    assert build(a_document(webhooks={"hook": hook})).webhooks["hook"].url == url


def test_the_brokers_addresses_are_those_of_its_host() -> None:
    """Stated once; a site file may still state others, behind a firewall for example."""
    broker = build(a_placed_document()).broker
    assert (broker.ingress, broker.egress) == ("tcp://192.0.2.1:5755", "tcp://192.0.2.1:5756")
    broker = build(a_placed_document(broker={"host": "front"})).broker
    assert broker.ingress == "tcp://[fd00::2]:5755"
    stated = {"host": "gate", "ingress": "tcp://a:1", "egress": "tcp://a:2"}
    assert build(a_placed_document(broker=stated)).broker.ingress == "tcp://a:1"


def test_a_recognizer_may_be_called_with_a_number() -> None:
    """Only where another one's processes would be called so, too, it may not."""
    recognizers = {"pool": {}, "pool-1": {}, "other": {"count": 2}, "other-x": {}}
    assert set(build(a_document(recognizers=recognizers)).recognizers) == set(recognizers)


def test_a_display_without_cameras_shows_all() -> None:
    """None named stands for all."""
    assert build(a_document(displays={"porter": {}})).displays == {"porter": DisplaySettings()}


def test_the_first_bad_entry_of_many_is_named() -> None:
    """Of several entries of a section."""
    cameras = {"a": {"source": 0}, "b": {"source": 0, "max_fps": -1}, "c": {"source": 0}}
    assert refusal(a_document(cameras=cameras)).startswith("cameras.b.max_fps: ")


def test_a_long_value_is_shown_in_part() -> None:
    """The error stays a sentence."""
    assert len(refusal(a_document(broker={"ingress": "x" * 10_000}))) < 250


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10), st.dates()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.text(max_size=5), st.integers()), inner, max_size=3),
    ),
    max_leaves=8,
)
keys = st.one_of(
    st.sampled_from([*Site.__struct_fields__, *CameraSettings.__struct_fields__]), st.text(max_size=5)
)


def is_site_or_refused_in_words(document: object) -> bool:
    """Tell whether a document is a site, or is refused in one line that is not msgspec's."""
    try:
        return isinstance(build(document), Site)
    except ConfigError as error:
        return "`" not in error.words.partition(", not ")[0] and "\n" not in str(error)


@given(st.one_of(values, st.dictionaries(keys, st.one_of(values, st.dictionaries(keys, values, max_size=3)))))
def test_any_document_is_a_site_or_is_refused(document: object) -> None:
    """Whatever YAML can hold: one way out besides a site."""
    assert is_site_or_refused_in_words(document)


@given(st.sampled_from(Site.__struct_fields__), st.dictionaries(keys, values, max_size=3))
def test_any_section_is_valid_or_is_refused(section: str, content: Document) -> None:
    """The same one level further down, where the paths are made."""
    assert is_site_or_refused_in_words(a_document(**{section: content}))


def test_bounds_of_distances_follow_the_encodings() -> None:
    """Encodings of unit length lie closer together than raw ones; what the file states holds for either."""
    reference = {"engine": "reference"}
    assert build(a_document(recognition=reference)).decision == DecisionSettings()
    decision = build(a_document(decision={"min_margin": 0.2})).decision
    assert decision.max_distance == UNIT_BOUNDS["max_distance"]
    assert decision.link_distance == UNIT_BOUNDS["link_distance"]
    assert decision.min_margin == 0.2
    assert build(a_document(recognition={"policy": "raw"})).decision == DecisionSettings()


@pytest.mark.parametrize(
    ("recognition", "words"),
    [
        (
            {"engine": "reference", "policy": "mirror"},
            "the reference engine has policy and enrol",
        ),
        ({"policy": "raw", "enrol_policy": "paddings"}, "raw encodings compare with raw ones only"),
    ],
)
def test_encodings_that_cannot_be_compared_are_refused(recognition: Document, words: str) -> None:
    """Before anybody is enrolled with them."""
    with pytest.raises(ConfigError, match=words):
        build(a_document(recognition=recognition))


def test_encodings_are_named_for_their_policies() -> None:
    """One name where both are the same."""
    named = {
        build(a_document(recognition=recognition)).recognition.encoding
        for recognition in ({}, {"policy": "raw"}, {"policy": "mirror", "enrol_policy": "mirror"})
    }
    assert named == {"dlib-resnet-v1/mirror+paddings", "dlib-resnet-v1/raw", "dlib-resnet-v1/mirror"}


def test_an_older_name_of_the_lockout_is_still_read() -> None:
    """A site file that was valid stays valid."""
    old, new = (a_document(decision={name: {"max_denials": 3}}) for name in ("throttle", "lockout"))
    assert build(old) == build(new)
