"""What these tests share with other tests of whole processes."""

from tests.kit.fixtures import application, diary, seed, tables, trade

__all__ = ["application", "diary", "seed", "tables", "trade"]
