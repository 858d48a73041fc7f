"""Coarse to fine: which scales there are, and what goes from one to the next."""

import itertools

import numpy as np
import pytest

from ministyle import algorithm, reconstruct_style, transfer
from ministyle.jobs.job import Job
from ministyle.jobs.scales import COARSEST, NARROWEST, SHARE, Scale, continued, scales
from ministyle.pictures.sizes import resize
from ministyle.pictures.values import to_uint8
from ministyle.settings import Settings
from ministyle.solvers import Step


@pytest.fixture
def pictures(random):
    """A photograph and a painting without fine detail, of different sizes."""
    return [resize(random.uniform(0, 255, (6, 8, 3)), *size) for size in ((256, 320), (320, 288))]


def test_without_a_pyramid_there_is_one_scale():
    (scale,) = scales(Settings(iterations=70, pyramid=False), (300, 400))
    assert (scale.size, scale.iterations) == ((300, 400), 70)


def test_scales_grow_to_the_whole_size():
    found = scales(Settings(iterations=100, pyramid=True), (601, 800))
    assert [scale.size for scale in found] == [(150, 200), (300, 400), (601, 800)]
    assert [scale.iterations for scale in found] == [100 * SHARE, 100 * SHARE, 100]


@pytest.mark.parametrize("size", [(239, 239), (240, 240), (95, 400), (96, 400), (192, 470), (1000, 160), (3000, 4000)])
def test_a_pyramid_has_as_many_scales_as_are_not_too_small(size):
    found = scales(Settings(pyramid=True), size)
    assert found[-1].size == size and [scale.reduction for scale in found] == [2**n for n in range(len(found))][::-1]
    coarsest, further = found[0].size, [side / 2 for side in found[0].size]
    assert len(found) == 1 or (max(coarsest) >= COARSEST and min(coarsest) >= NARROWEST)
    assert max(further) < COARSEST or min(further) < NARROWEST


def test_sides_can_be_held_to_multiples():
    found = scales(Settings(pyramid=True), (304, 400), multiple=16)
    assert len(found) > 1
    assert all(side % 16 == 0 for scale in found for side in scale.size)


@pytest.mark.parametrize(
    ("size", "reduced"),
    [((400, 600), (100, 150)), ((256, 300), (64, 75)), ((128, 300), (64, 150)), ((60, 90), (60, 90)), ((20, 900),) * 2],
)
def test_no_side_of_another_picture_is_made_too_small(size, reduced):
    scale = Scale((100, 100), 4, 1)
    assert scale.reduced(size) == reduced
    assert scale.shrink(np.zeros((*size, 3), np.float32)).shape == (*reduced, 3)
    assert Scale((100, 100), 1, 1).reduced(size) == size


def test_steps_count_on_where_the_scale_before_ended():
    step, last = Step(3, 5, 1.0, {}, 2.0, (64, 64)), Step(10, 12, 4.0, {}, 7.0, (32, 32))
    assert continued(step, None) is step
    assert continued(step, last) == Step(13, 17, 1.0, {}, 9.0, (64, 64))


@pytest.mark.usefixtures("early_pyramid")
def test_each_scale_begins_with_what_the_one_before_ended_with(pictures, monkeypatch):
    calls = []
    original = algorithm.repaint

    def repaint(objective, settings, start, **options):
        outcome = original(objective, settings, start, **options)
        (target,) = (term.target for term in objective.terms if term.name == "content conv4_2")
        calls.append((start, outcome.pixels, options["iterations"], target.shape[:2]))
        return outcome

    monkeypatch.setattr(algorithm, "repaint", repaint)
    seen = []
    result = transfer(
        *pictures,
        pyramid=True,
        border="zero",
        image_size=320,
        iterations=4,
        on_step=lambda step, x: seen.append((step, x.shape[:2])),
    )
    assert [start.shape[:2] for start, *_ in calls] == [(64, 80), (128, 160), (256, 320)]
    assert [target for *_, target in calls] == [(8, 10), (16, 20), (32, 40)]
    np.testing.assert_allclose(calls[0][0], resize(pictures[0], 64, 80), atol=1e-3)
    for before, then in itertools.pairwise(calls):
        np.testing.assert_array_equal(then[0], resize(before[1], *then[0].shape[:2]))
    assert result.image.shape == (256, 320, 3)
    iterations = [step.iteration for step, _ in seen]
    assert iterations == list(range(sum(count for _, _, count, _ in calls) + 1))
    assert all(step.size == size for step, size in seen)
    evaluations = [step.evaluations for step in result.history]
    assert evaluations == sorted(evaluations) and len(set(evaluations)) == len(evaluations)


@pytest.mark.usefixtures("early_pyramid")
def test_an_interrupted_picture_has_its_size_and_says_so(pictures):
    def interrupt(step, pixels):
        if step.iteration == 2:
            raise KeyboardInterrupt

    result = transfer(*pictures, pyramid=True, image_size=320, iterations=4, on_step=interrupt)
    assert result.interrupted and not result.completed
    assert result.image.shape == (256, 320, 3)
    assert result.history[-1].size == (64, 80)


@pytest.fixture
def interrupt_before(monkeypatch):
    """Return a function that lets a user interrupt when a scale of this size is prepared."""
    original = algorithm.compose_objective

    def interrupt_before(size):
        def compose_objective(network, settings, content, style, **options):
            if content.shape[:2] == size:
                raise KeyboardInterrupt
            return original(network, settings, content, style, **options)

        monkeypatch.setattr(algorithm, "compose_objective", compose_objective)

    return interrupt_before


@pytest.mark.usefixtures("early_pyramid")
def test_a_picture_interrupted_between_two_scales_is_kept(pictures, interrupt_before):
    interrupt_before((128, 160))
    seen = []
    result = transfer(*pictures, pyramid=True, image_size=320, iterations=4, on_step=lambda step, x: seen.append(x))
    assert result.interrupted and not result.completed and "interrupted" in result.message
    np.testing.assert_array_equal(result.image, to_uint8(resize(seen[-1], 256, 320)))


@pytest.mark.usefixtures("early_pyramid")
def test_before_there_is_any_picture_an_interrupt_goes_through(pictures, interrupt_before):
    interrupt_before((64, 80))
    with pytest.raises(KeyboardInterrupt):
        transfer(*pictures, pyramid=True, image_size=320)


@pytest.mark.usefixtures("early_pyramid")
def test_texture_and_noise_begin_small(pictures):
    result = reconstruct_style(pictures[1], ["conv1_1"], tileable=True, pyramid=True, image_size=320, iterations=2)
    sizes = list(dict.fromkeys(step.size for step in result.history))
    assert sizes == [(80, 64), (160, 144), (320, 288)]  # multiples of 16; 72 lies half-way between two
    assert result.image.shape == (320, 288, 3)


@pytest.mark.usefixtures("early_pyramid")
def test_a_picture_that_is_at_its_minimum_on_every_scale_stays_what_it_is():
    picture = np.full((256, 256, 3), 90.0, np.float32)
    settings = Settings(image_size=256, pyramid=True, iterations=2, style_weight=0.0)
    result = Job.of(settings, picture, picture).run()
    np.testing.assert_array_equal(result.image, 90)
