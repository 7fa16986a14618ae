"""What changes in front of a camera is told from noise, flicker and exposure."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from turnstile.vision.arrays import PictureBgr
from turnstile.vision.change import CELL_PX, LEARNING_FRAMES, Background, cells_of

FPS = 10
WIDTH_PX, HEIGHT_PX = 640, 480
CELLS = WIDTH_PX * HEIGHT_PX // CELL_PX**2
TWO_CELLS = 2 / CELLS
CHANCE = np.random.default_rng(11)
GRAIN = CHANCE.normal(0, 1, 4 * WIDTH_PX * HEIGHT_PX).astype(np.float32)
"""Noise of a sensor, of which each frame gets another part."""

Light = Callable[[int], float | np.ndarray]


def a_hall() -> np.ndarray:
    """Return an empty scene, dark and bright, float `(480, 640)`."""
    rough = CHANCE.integers(0, 255, (HEIGHT_PX, WIDTH_PX)).astype(np.float32)
    soft = np.asarray(cv2.GaussianBlur(rough, (0, 0), 20))
    return np.asarray(25 + 175 * (soft - soft.min()) / (soft.max() - soft.min()), np.float32)


HALL = a_hall()


def filmed(scene: np.ndarray, *, noise: float = 4.0) -> PictureBgr:
    """Return a scene as a camera gives it."""
    begin = int(CHANCE.integers(len(GRAIN) - scene.size))
    grain = GRAIN[begin : begin + scene.size].reshape(scene.shape)
    grey = np.clip(scene + noise * grain, 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def with_somebody(scene: np.ndarray, *, left: int, width: int = 120) -> np.ndarray:
    """Return a scene with a figure: dark clothes, a bright face."""
    standing = scene.copy()
    standing[200:, left : left + width] = 40
    standing[120:200, left + width // 4 : left + 3 * width // 4] = 190
    return standing


def changes(scenes: Iterator[np.ndarray], *, noise: float = 4.0) -> list[float]:
    """Return the changes of frames, less those of the first seconds, while the background is learnt."""
    background = Background()
    told = [
        background.change(cells_of(filmed(scene, noise=noise)), at_s=at / FPS)
        for at, scene in enumerate(scenes)
    ]
    return [change for change in told[3 * FPS :] if change is not None]


def quiet_share(told: list[float]) -> float:
    """Return the share of frames in which less than two cells changed."""
    return sum(change < TWO_CELLS for change in told) / len(told)


@pytest.mark.parametrize("noise", [0.0, 4.0, 16.0])
def test_noise_is_no_change(noise: float) -> None:
    """Also that of a camera at night, which doubles and doubles its gain."""
    assert quiet_share(changes(iter([HALL] * 15 * FPS), noise=noise)) >= 0.98


@pytest.mark.parametrize(
    "light",
    [
        lambda at: 1 + 0.15 * np.sin(at * 2.1),
        lambda at: (1 + 0.12 * np.sin(np.arange(HEIGHT_PX) / 60 + at * 2.3))[:, None],
    ],
    ids=["of the whole picture", "in bands, as a rolling shutter shows it"],
)
def test_a_lamp_that_flickers_is_no_change(light: Light) -> None:
    """Lamps on mains flicker faster than a camera films, and beat with its rate."""
    assert quiet_share(changes(HALL * light(at) for at in range(15 * FPS))) >= 0.98


@pytest.mark.parametrize("gain", [0.6, 1.2])
def test_a_step_of_exposure_is_no_change(gain: float) -> None:
    """A camera that adapts makes all of its picture brighter or darker at once."""
    told = changes(HALL * (1.0 if at < 6 * FPS else gain) for at in range(15 * FPS))
    assert quiet_share(told) >= 0.98


@pytest.mark.parametrize("noise", [4.0, 12.0])
def test_somebody_who_comes_in_is_a_change_from_the_first_frame_on(noise: float) -> None:
    """And for as long as they move, or stand there for some seconds."""
    here = with_somebody(HALL, left=260)
    told = changes((HALL if at < 6 * FPS else here for at in range(12 * FPS)), noise=noise)
    assert all(change >= 10 * TWO_CELLS for change in told[3 * FPS :])


def test_somebody_who_comes_slowly_is_a_change_all_the_time() -> None:
    """Two centimetres a second, say: the background does not swallow an edge that goes on."""
    told = changes(with_somebody(HALL, left=round(10 + at / FPS * 8)) for at in range(40 * FPS))
    assert all(change >= TWO_CELLS for change in told)


def test_somebody_who_steps_from_far_to_near_is_a_change_under_a_lamp_that_flickers() -> None:
    """The bound that flicker widens has a bound itself."""
    scenes = (
        (HALL if at < 10 * FPS else with_somebody(HALL, left=300)) * (1 + 0.15 * np.sin(at * 2.1))
        for at in range(14 * FPS)
    )
    assert all(change >= 10 * TWO_CELLS for change in changes(scenes)[7 * FPS :])


def test_what_stands_still_becomes_background() -> None:
    """A chair that was moved costs looks for half a minute, and none after a minute."""
    moved = with_somebody(HALL, left=100)
    told = changes(HALL if at < 6 * FPS else moved for at in range(70 * FPS))
    assert told[4 * FPS] >= 10 * TWO_CELLS
    assert quiet_share(told[-5 * FPS :]) >= 0.98


def test_nobody_leaves_a_ghost() -> None:
    """Somebody stands there for half a minute and goes: what was behind them is no change."""
    here = with_somebody(HALL, left=300)
    told = changes(here if 20 * FPS <= at < 50 * FPS else HALL for at in range(60 * FPS))
    assert told[18 * FPS] >= 10 * TWO_CELLS
    assert quiet_share(told[47 * FPS + 1 :]) >= 0.98


def test_a_pause_does_not_teach_the_background_what_came_meanwhile() -> None:
    """A camera that stalls for a minute shows who came then as a change, and in the next frame too."""
    background = Background()
    for at in range(5 * FPS):
        background.change(cells_of(filmed(HALL)), at_s=at / FPS)
    here = with_somebody(HALL, left=300)
    told = [background.change(cells_of(filmed(here)), at_s=60 + at / FPS) for at in range(FPS)]
    assert all(change is not None and change >= 10 * TWO_CELLS for change in told)


def test_nothing_is_said_while_the_background_is_learnt() -> None:
    """Nor after the picture's size has changed: a broker then looks at every frame."""
    background = Background()
    told = [background.change(cells_of(filmed(HALL)), at_s=at / FPS) for at in range(LEARNING_FRAMES + 1)]
    assert told[:-1] == [None] * LEARNING_FRAMES
    assert told[-1] is not None
    assert background.change(cells_of(filmed(HALL[:240])), at_s=2.0) is None


@pytest.mark.parametrize("size", [(1, 1), (16, 3), (17, 2000)])
def test_pictures_of_any_size_have_cells(size: tuple[int, int]) -> None:
    """A folder of pictures may hold an odd one."""
    assert cells_of(np.full((*size, 3), 80, np.uint8)).mean() == 80
