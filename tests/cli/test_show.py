"""`opwright operations show` tells what an operation waits for, what belongs to it, and how far it is."""

import re
from pathlib import Path

from tests.cli.kit import INLINE, Shell


def test_who_holds_the_slots_and_how_far_it_is(shell: Shell) -> None:
    """Of one that waits for its limit; and of the one that runs: a bar, and its log so far."""
    begun, release = shell.pipe("begun"), shell.pipe("release")
    first, second = (shell.jobs("one_by_one", f"pipe={begun}", f"release={release}") for _ in range(2))
    with shell.host(*INLINE, "--renew", "0.1", target="jobs"):
        with Path(begun).open():
            behind = shell.inside("operations", "show", "jobs", second).out
            limit = shell.inside("operations", "show", "jobs", second, "--json").json["limit"]
            while "progress  " not in (running := shell.inside("operations", "show", "jobs", first).out):
                pass  # what it said has not been written yet
        with Path(release).open("w"):
            pass
        with Path(begun).open(), Path(release).open("w"):
            pass
        shell.inside("operations", "follow", "jobs", second)
    assert re.search(r"^  limit +trigger one_by_one: 1 at once; it waits for a slot$", behind, re.MULTILINE)
    assert re.search(rf"^  slots held by +{first} \(PROCESSING\)$", behind, re.MULTILINE)
    held = [{"id": first, "trigger": "one_by_one", "status": "PROCESSING", "free_from": None}]
    assert limit == {"lane": "trigger one_by_one", "slots": 1, "per": None, "waits": True, "held_by": held}
    assert re.search(r"^  progress +━{8}╌{12} 40%  nearly half$", running, re.MULTILINE)
    assert re.search(r"log +attempt 1: first words\n      and more$", running, re.MULTILINE)
    assert re.search(r"progress +attempt 1: 40%: nearly half$", running, re.MULTILINE)


def test_parents_children_and_secrets(shell: Shell) -> None:
    """Both sides name each other; what a result holds under a secret name is masked as in inputs."""
    with shell.host(*INLINE, target="jobs"):
        one = shell.jobs("parent", "children=10", "--wait")
        (child, *_) = shell.inside("operations", "list", "jobs", "--trigger", "render", "--json").json
    text = shell.inside("operations", "show", "jobs", one).out
    assert re.search(r"^children \(\d+ .*\)$", text, re.MULTILINE)
    assert len(re.findall(r"^  \d+  \w+ +render$", text, re.MULTILINE)) == 8
    assert "\n  and 2 more\n" in text
    assert '"token": "***"' in text
    assert "hunter2" not in text + shell.inside("operations", "list", "jobs", "--json").out
    whole = shell.inside("operations", "show", "jobs", one, "--json").json
    assert len(whole["children"]) == 10
    assert (child["parent"], child["id"] in [one["id"] for one in whole["children"]]) == (one, True)
    assert re.search(rf"^  parent +{one}$", shell.inside("operations", "show", "jobs", child["id"]).out, re.MULTILINE)


def test_what_follows_others_names_them(shell: Shell) -> None:
    shell.write(
        "chain.py",
        "from assets import ops\n"
        "first = ops.registry.get('render').options(delay=1000).submit('a').now()\n"
        "second = ops.registry.get('render').options(after=[first]).submit('b').now()\n"
        "print(first.id, second.id)\n",
    )
    listed = shell("submit", "chain", "render", "photo=c")
    first, second = listed.out.split()[:2]
    text = shell.inside("operations", "show", "assets", second).out
    assert re.search(r"^  behind +1 of those that it follows$", text, re.MULTILINE)
    assert f"follows (1 PENDING)\n  {first}  PENDING  render\n" in text
    (followed,) = shell.inside("operations", "show", "assets", second, "--json").json["follows"]
    assert followed == {"id": first, "trigger": "render", "status": "PENDING"}


def test_a_wait_is_told(shell: Shell) -> None:
    with shell.host(*INLINE, target="jobs"):
        one = shell.jobs("ask")
        while "WAIT" not in (text := shell.inside("operations", "show", "jobs", one).out):
            pass
    assert re.search(r"^  waits +1 in a row, with no answer$", text, re.MULTILINE)
    assert re.search(r"wait +attempt 1: waits 1000 s at most, for the 1st time", text)


def test_an_event_has_its_own_word_for_where_it_stands(shell: Shell) -> None:
    """New, and then Processed, besides the status of its operation."""
    shell.write(
        "outbox.py",
        "from assets import ops\nprint(ops.registry.get('render').options(queue='events').submit('a').now().id)\n",
    )
    one = shell("submit", "outbox", "render", "photo=c").out.split()[0]
    assert re.search(r"^  event +New$", shell.inside("operations", "show", "assets", one).out, re.MULTILINE)
    with shell.host(*INLINE, target="assets"):
        shell.inside("operations", "follow", "assets", one)
    assert re.search(r"^  event +Processed$", shell.inside("operations", "show", "assets", one).out, re.MULTILINE)
