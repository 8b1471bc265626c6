"""A run: many new operations that are made of one."""

import pytest

from opwright.model.operation import NewOperation
from opwright.model.run import Run, ids_of


@pytest.fixture
def run() -> Run:
    return Run(NewOperation(5, "work", "default", "{}", 0, options="{}"), ['{"n":1}', '{"n":2}', '{"n":3}'])


def test_its_members_differ_in_ids_and_inputs_only(run: Run) -> None:
    assert [(one.id, one.inputs) for one in run] == [(5, '{"n":1}'), (6, '{"n":2}'), (7, '{"n":3}')]
    assert {(one.trigger, one.queue, one.options) for one in run} == {("work", "default", "{}")}


def test_it_is_a_sequence(run: Run) -> None:
    assert len(run) == 3
    assert run[-1].id == run[2].id == 7
    assert [one.id for one in run[1:]] == [6, 7]
    with pytest.raises(IndexError):
        run[3]


def test_its_ids_are_known_without_making_any(run: Run) -> None:
    assert list(ids_of(run)) == list(ids_of(list(run))) == [5, 6, 7]
