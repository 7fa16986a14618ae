"""A password that stands anywhere in an address is in no message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnstile.site.secrecy import hide, hint, masked, without_secrets

passwords = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_characters=" \xa0…"),
    min_size=6,
    max_size=20,
).map(lambda text: f"Zq{text}")
"""Any printable characters; the beginning is in nothing else."""

PLACES = (
    "rtsp://admin:{}@10.0.0.5:554/live",
    "rtsp://{}@10.0.0.5/live",
    "RTSP://{}:admin@camera.local",
    "rtsp://10.0.0.5/user=admin&password={}&channel=1&stream=0.sdp?",
    "rtsp://10.0.0.5:554/{}/ch1",
    "rtsps://[fd00::1]:7441/{}?enableSrtp",
    "http://10.0.0.5/video.cgi?user=admin&pwd={}",
    "http://10.0.0.5/video.cgi?{}=1#x",
    "http://10.0.0.5/#{}",
    "rtsp://a:b@10.0.0.5/1, rtsp://c:{}@10.0.0.6/1",
    "rtsp://10.0.0.5/1 rtsp://10.0.0.6/?token={}",
    "admin:{}@10.0.0.5/live",
    "10.0.0.5/user=admin&password={}",
    "10.0.0.5:554/{}",
    "/etc/turnstile/admin:{}@10.0.0.5/live",
    "/etc/turnstile/10.0.0.5/{}/live",
    "rtsp:/admin:{}@10.0.0.5/live",
    "admin:{}@rtsp://10.0.0.5/live",
    "/etc/turnstile/rtsp:/camera.local/{}",
    "rtsp:/camera.local/{}",
    "hooks.example/services/T00/{}",
    "postgresql://user:a {}@host/db",
    "postgresql://user@host/db?sslpassword=Zq1",
    "https://hooks.example/services/T00/B00/{}",
)


@given(passwords, st.sampled_from(PLACES))
def test_a_password_anywhere_in_an_address_is_not_shown(password: str, place: str) -> None:
    """Nor a part of it, whatever characters it has."""
    assert "Zq" not in masked(place.format(password))


@given(
    passwords, st.sampled_from(PLACES), st.sampled_from(["{}", "error: {}: 401", "'{}'?", "[rtsp] {}, {}"])
)
def test_a_text_that_repeats_an_address_does_not_show_its_password(
    password: str, place: str, text: str
) -> None:
    """As FFmpeg's messages do."""
    address = place.format(password)
    assert "Zq" not in hide(text.format(address, address), address)


@given(passwords, st.sampled_from(PLACES[:4]))
def test_a_text_with_the_password_alone_does_not_show_it(password: str, place: str) -> None:
    """Decoded or not."""
    plain = "Zq" + "".join(char for char in password if char.isalnum())
    assert "Zq" not in hide(f"cannot log in with {plain} here", place.format(plain))


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("rtsp://admin:s3cret@10.0.0.7:554/live", "rtsp://10.0.0.7:554/…"),
        ("http://camera/", "http://camera"),
        ("udp://@239.0.0.1:1234", "udp://239.0.0.1:1234"),
        ("rtsp://admin:pa/ss@10.0.0.7/live", "rtsp://…"),
        ("rtsp://admin:pa#ss@10.0.0.7/live", "rtsp://…"),
        ("rtsp://admin:pa?ss@10.0.0.7/live", "rtsp://…"),
        ("admin:s3cret@10.0.0.7/live", "…"),
        ("/var/clips/hall.mp4", "/var/clips/hall.mp4"),
        ("clips/2026-11-25 12:00:01.mp4", "clips/2026-11-25 12:00:01.mp4"),
        ("/dev/video0", "/dev/video0"),
        ("ipc:///run/turnstile/in", "ipc:///run/turnstile/in"),
        ("tcp://127.0.0.1:5755", "tcp://127.0.0.1:5755"),
        ("postgresql://user@host/db", "postgresql://…@host/db"),
        ("live/0123456789abcdef0123", "live/…"),
        ("Bearer s3cret", "Bearer …"),
        ("faces/sha256-0123456789abcdef.jpg", "faces/sha256-0123456789abcdef.jpg"),
    ],
)
def test_kind_and_host_are_shown(place: str, shown: str) -> None:
    """A file's path is no secret."""
    assert masked(place) == shown


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("rtsp://admin:pa/ss@10.0.0.7/live", "in a password write # as %23"),
        ("rtsp://admin:p@ss@10.0.0.7/live", "in a password write # as %23"),
        ("rtsp://admin:pa#ss", "in a password write # as %23"),
        ("admin:s3cret@10.0.0.7/live", "an address begins with its kind, such as rtsp://"),
        ("rtsp://admin:s3cret@10.0.0.7/live", ""),
        ("/var/clips/hall.mp4", ""),
    ],
)
def test_an_address_that_cannot_be_taken_apart_comes_with_advice(place: str, words: str) -> None:
    """Percent-encoding is what is missing most often."""
    assert hint(place).startswith(words)
    assert bool(hint(place)) == bool(words)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot open rtsp://a:b@c@10.0.0.7/1: 401", "cannot open rtsp://…@10.0.0.7/1: 401"),
        ("GET /cgi?user=admin&password=x;1 failed", "GET /cgi?user=…&password=…;1 failed"),
        ("cannot open camera.local/live/k3y4w0rdk3y4w0rd: 404", "cannot open camera.local/live/…: 404"),
        ("rtsp://10.0.0.5:554/0123456789abcdef/ch1", "rtsp://10.0.0.5:554/…/ch1"),
        ("open 'live/Zq9xKc2mT7wLp4Rv' failed", "open 'live/…' failed"),
        ("{'Authorization': 'Bearer s3cret'}", "{'Authorization': 'Bearer …'}"),
        ("Authorization: Basic dTpw, bearer abc", "Authorization: Basic …, bearer …"),
        ("a camera at camera.local/onvif/media_service/snapshot", None),
        ("/var/pytest-of-root/pytest-0/test_a_node_stops_0/site.yaml", None),
        ("/home/ann/2026-11-25_12-00-01_front_door/clip.mp4", None),
        ("ingress tcp://127.0.0.1:5755, see https://www.sqlite.org/wal.html#x", None),
        ("the key 'source' stands twice; write to a@b.example", None),
    ],
)
def test_any_text_loses_what_looks_like_a_secret(text: str, shown: str | None) -> None:
    """What is none stays."""
    assert without_secrets(text) == (text if shown is None else shown)
