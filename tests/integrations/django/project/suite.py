"""Tests as the project's own developers write them; ``manage.py test`` runs them."""
# Django tells no types.
# mypy: disable-error-code="misc"

import pytest
from django.db import connection
from django.test import TestCase, TransactionTestCase

from opwright import ConfigurationError, Status
from opwright.integrations.django import ops
from tests.integrations.django.project.operations import meet, render
from tests.integrations.django.project.tasks import add


class Inside(TestCase):
    """Each test is rolled back."""

    def test_a_submit_joins_the_test(self) -> None:
        render.submit(1).now()
        assert add.get_result(add.enqueue(1).id).status == "READY"

    def test_the_next_one_begins_with_nothing(self) -> None:
        table = "opwright_operations" if connection.vendor == "sqlite" else "opwright.operations"
        with connection.cursor() as cursor:
            cursor.execute(f"select count(*) from {table} where trigger <> 'meet'")
            assert cursor.fetchone() == (0,)


class Committed(TransactionTestCase):
    """Nothing is rolled back."""

    def test_the_handle_asks_the_test_database(self) -> None:
        handle = meet.submit().now()
        assert ("memory" if connection.vendor == "sqlite" else "/test_") in ops.client.url
        if connection.vendor == "sqlite":
            with pytest.raises(ConfigurationError, match="memory will not do"):
                handle.status().now()
        else:
            assert handle.status().now() is Status.PENDING
            ops.client.close_everywhere()
