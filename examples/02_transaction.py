"""Submitting in the application's own transaction, so that data and operation are both there or neither."""  # noqa: N999

import asyncio
import sqlite3

from opwright import OperationNotFound, Opwright

ops = Opwright("sqlite:///orders.db")


@ops.operation
def send_invoice(order: int, total: float) -> str:
    return f"invoice for order {order}: {total:.2f} EUR"


async def main() -> None:
    async with ops.host(workers=1):  # it also makes Opwright's tables, beside those of the application
        database = sqlite3.connect("orders.db")
        database.execute("create table if not exists orders (id integer primary key, total real)")

        with database:  # commits
            order = database.execute("insert into orders (total) values (99.5)").lastrowid or 0
            sent = send_invoice.options(on=database).submit(order, total=99.5).now()
        print("Committed:", await sent.result(timeout=30))

        try:
            with database:  # rolls back
                order = database.execute("insert into orders (total) values (12)").lastrowid or 0
                lost = send_invoice.options(on=database).submit(order, total=12).now()
                raise ValueError("the card was declined")  # what every application must expect
        except ValueError as error:
            print("Rolled back:", error)

        rows = database.execute("select count(*) from orders where id = ?", (order,)).fetchone()[0]
        try:
            await lost.get()
        except OperationNotFound:
            print(f"Left of it: {rows} orders, 0 operations")
        database.close()


if __name__ == "__main__":
    asyncio.run(main())
