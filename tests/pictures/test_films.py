"""Animated files and videos."""

import sys

import numpy as np
import pytest
from conftest import sentence
from PIL import Image

from ministyle.pictures.films import check_film, frame_count, read_frames, write_film
from ministyle.pictures.sizes import resize

DURATIONS = [80, 40, 2000]


@pytest.fixture
def frames(random):
    """Three frames, 25 x 19, without fine detail, as videos are compressed; the first two hardly differ."""
    first, last = (resize(random.uniform(0, 255, (2, 2, 3)), 19, 25).round() for _ in range(2))
    return [first.astype(np.uint8), (first + (first < 128)).astype(np.uint8), last.astype(np.uint8)]


@pytest.mark.parametrize(("name", "error"), [("film.gif", 4), ("film.webp", 0)])
def test_an_animation_holds_all_frames_and_how_long_each_is_shown(name, error, frames, tmp_path):
    write_film(tmp_path / name, frames, DURATIONS)
    assert frame_count(tmp_path / name) == 3
    read, durations = zip(*read_frames(tmp_path / name), strict=True)
    assert list(durations) == DURATIONS
    for one, expected in zip(read, frames, strict=True):
        assert np.abs(np.asarray(one.convert("RGB"), float) - expected).mean() <= error
    with Image.open(tmp_path / name) as film:
        assert film.info["loop"] == 0  # for ever


def test_a_video_shows_each_frame_as_long_as_it_should(frames, tmp_path):
    av = pytest.importorskip("av")
    write_film(tmp_path / "film.mp4", frames, DURATIONS)
    with av.open(str(tmp_path / "film.mp4")) as film:
        shown = [(float(frame.time), frame.to_ndarray(format="rgb24")) for frame in film.decode(video=0)]
        assert film.duration == 2_120_000  # microseconds
    assert {picture.shape for _, picture in shown} == {(20, 26, 3)}
    for time, picture in shown:
        expected = frames[0 if time < 0.079 else 1 if time < 0.119 else 2]
        assert np.abs(picture[:19, :25].astype(float) - expected).mean() < 12  # half the colours' resolution


def test_without_pyav_a_video_is_refused_before_and_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    assert "pip install av" in sentence(check_film, tmp_path / "film.mp4")
    check_film(tmp_path / "film.gif")


def test_frames_of_different_sizes_are_refused(frames, tmp_path):
    assert "differ in size" in sentence(write_film, tmp_path / "film.gif", [*frames, frames[0][1:]], [1, 1, 1, 1])
    assert not list(tmp_path.iterdir())


def test_what_is_no_animation_has_one_frame(tmp_path):
    picture = Image.new("RGB", (4, 3))
    picture.save(tmp_path / "still.gif")
    picture.save(tmp_path / "pages.tif", save_all=True, append_images=[picture])
    (tmp_path / "text.gif").write_text("Starry Night")
    assert [frame_count(tmp_path / name) for name in ("still.gif", "pages.tif", "text.gif", "missing", ".")] == [1] * 5


def test_frames_that_do_not_say_how_long_they_are_shown_are_shown_as_in_a_browser(tmp_path):
    first, second = (Image.new("L", (4, 3), grey) for grey in (0, 255))
    first.save(tmp_path / "film.gif", save_all=True, append_images=[second])
    assert [duration for _, duration in read_frames(tmp_path / "film.gif")] == [100, 100]
