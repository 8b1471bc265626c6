"""`opwright migrate` brings the schema up, once."""

from tests.cli.kit import Shell


def test_it_says_what_it_applied_and_twice_does_no_harm(shell: Shell) -> None:
    first = shell("migrate", "assets")
    assert (first.code, first.err) == (0, "")
    assert first.out.startswith("applied 0001 engine\napplied 0002 ")
    again = shell.inside("migrate", "--url", shell.url)
    assert (again.code, again.out) == (0, "nothing to do: the schema is up to date\n")
    assert shell.inside("migrate", "assets", "--json").json == {"applied": []}


def test_the_address_may_come_from_the_environment(local_shell: Shell) -> None:
    assert local_shell.inside("migrate", OPWRIGHT_URL="sqlite:///other.db").code == 0
    assert (local_shell.folder / "other.db").exists()
