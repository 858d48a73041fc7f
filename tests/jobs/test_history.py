from ministyle.jobs.history import by_kind, by_scale
from ministyle.solvers import Step


def step(iteration, size):
    return Step(iteration, iteration + 1, 1.0, {}, 0.0, size)


def test_steps_are_listed_by_scale_in_their_order():
    history = [step(0, (8, 9)), step(1, (8, 9)), step(1, (16, 18)), step(2, (16, 18)), step(3, (16, 18))]
    assert by_scale(history) == [history[:2], history[2:]]


def test_terms_of_layers_are_added_up_by_kind():
    terms = {"content conv4_2": 4.0, "style conv1_1": 2.0, "style conv2_1": 1.0, "total variation": 0.5}
    assert by_kind(terms) == {"content": 4.0, "style": 3.0, "total variation": 0.5}
