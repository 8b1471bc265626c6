"""What was submitted, as typed objects and as assertions that explain themselves."""

from datetime import timedelta

import pytest

from opwright import Opwright, Status
from opwright.clock import moment
from opwright.testing import TurnedClock, assert_submitted, drain, refute_submitted, submitted
from tests.testing.shop import flaky, publish, render, urgent


async def test_operations_come_as_they_were_submitted(ops: Opwright, clock: TurnedClock) -> None:
    """Oldest first; inputs decoded, with the trigger's own defaults for what was left out."""
    await render.submit("cat")
    await render.options(queue="slow", key="k", delay=60, priority=3).submit("dog", width=5)
    cat, dog = await submitted(ops)
    assert (cat.trigger, cat.inputs, cat.status) == ("render", {"photo": "cat", "width": 640}, Status.PENDING)
    assert (cat.queue, cat.priority, cat.key, cat.due) == ("default", 0, None, None)
    assert dog.inputs == {"photo": "dog", "width": 5}
    assert (dog.queue, dog.priority, dog.key) == ("slow", 3, "k")
    assert dog.due == moment(clock.now()) + timedelta(seconds=60)


async def test_a_trigger_finds_its_own(ops: Opwright) -> None:
    """Under whatever options, and narrowed by whichever inputs are named."""
    await publish.submit("cat")
    await render.submit("cat")
    await urgent.submit("cat", width=5)
    assert len(await submitted(ops)) == 3
    assert len(await submitted(render)) == len(await submitted(urgent)) == 2
    assert [one.priority for one in await submitted(render, width=5)] == [10]
    assert len(await submitted(ops, photo="cat", width=640)) == 1


async def test_ended_operations_are_found_too(ops: Opwright) -> None:
    """Their status tells."""
    await render.submit("cat")
    await drain(ops)
    await render.submit("cat")
    assert [one.status for one in await submitted(render)] == [Status.SUCCEEDED, Status.PENDING]


async def test_many_are_all_found(ops: Opwright) -> None:
    """More than fit one page of the database's answer."""
    await render.submit_many([(str(number),) for number in range(1234)])
    assert [one.inputs["photo"] for one in await submitted(ops)] == [str(number) for number in range(1234)]


async def test_an_assertion_hands_out_the_last_that_fits(ops: Opwright) -> None:
    """So that more can be asserted about it."""
    await render.submit("cat")
    last = await urgent.submit("cat")
    assert (await assert_submitted(render, photo="cat")).id == last.id


async def test_a_failed_assertion_shows_what_was_submitted_instead(ops: Opwright) -> None:
    """Of the whole application, with what is out of the ordinary about each."""
    await render.options(key="k").submit("dog", width=5)
    await publish.submit("cat")
    with pytest.raises(AssertionError) as caught:
        await assert_submitted(render, photo="cat")
    assert str(caught.value).splitlines() == [
        "render(photo='cat') was not submitted; what was:",
        "    render(photo='dog', width=5) PENDING key 'k'",
        "    publish(photo='cat') PENDING",
    ]


async def test_a_failed_assertion_says_that_nothing_was_submitted(ops: Opwright) -> None:
    with pytest.raises(AssertionError, match=r"^render\(\) was not submitted; nothing was$"):
        await assert_submitted(render)


async def test_a_long_list_shows_its_end(ops: Opwright) -> None:
    await render.submit_many([(str(number),) for number in range(25)])
    with pytest.raises(AssertionError) as caught:
        await assert_submitted(flaky)
    lines = str(caught.value).splitlines()
    assert len(lines) == 22
    assert lines[1] == "    ... and 5 before"


async def test_a_refutation_shows_what_it_found(ops: Opwright) -> None:
    await refute_submitted(ops)
    await render.submit("cat")
    await refute_submitted(render, photo="dog")
    await refute_submitted(publish)
    found = r"^render\(photo='cat'\) was submitted:\n    render\(photo='cat', width=640\) PENDING$"
    with pytest.raises(AssertionError, match=found):
        await refute_submitted(render, photo="cat")


async def test_an_input_that_the_trigger_does_not_have_is_refused(ops: Opwright) -> None:
    """A misspelt name would make every refutation true."""
    with pytest.raises(TypeError, match="render has no input 'picture'; its inputs are photo, width"):
        await refute_submitted(render, picture="cat")


def test_synchronous_tests_say_now(sync_ops: Opwright) -> None:
    render.submit("cat").now()
    assert assert_submitted(render, photo="cat").now().inputs["width"] == 640
    refute_submitted(publish).now()
    assert len(submitted(sync_ops).now()) == 1


async def test_an_assertion_that_is_not_awaited_is_noticed(ops: Opwright) -> None:
    """It would assert nothing."""
    with pytest.warns(RuntimeWarning, match=r"assert_submitted\(\) was never made"):
        assert_submitted(render)
