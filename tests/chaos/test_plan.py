"""What a seed repeats."""

from tests.chaos.plan import LEASE, PER_THOUSAND, Kind, counts, drawn


def test_a_seed_repeats_the_plan() -> None:
    assert drawn(7, 20_000) == drawn(7, 20_000)
    assert drawn(7, 20_000) != drawn(8, 20_000)


def test_every_kind_of_fault_comes_however_few_operations_there_are() -> None:
    assert set(counts(drawn(1, 100))) == {str(kind) for kind in Kind} == {str(kind) for kind in PER_THOUSAND}
    assert counts(drawn(1, 20_000))[Kind.RESTART] == 1


def test_who_is_stopped_beyond_the_lease_is_stopped_longer_than_it_lasts() -> None:
    stopped = [fault for fault in drawn(3, 20_000) if fault.kind in {Kind.STOP_HOST, Kind.STOP_ALL}]
    assert stopped
    assert all(fault.seconds > LEASE for fault in stopped)
