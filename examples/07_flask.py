"""A Flask application: submitting in a request's session, from synchronous code: `python examples/07_flask.py`."""  # noqa: N999

import asyncio

from flask import Flask, abort
from sqlalchemy import create_engine, text
from sqlalchemy.orm import scoped_session, sessionmaker

from opwright import Opwright
from opwright.integrations.flask import OpwrightFlask

ops = Opwright("sqlite:///flask.db")
session = scoped_session(sessionmaker(create_engine("sqlite:///flask.db")))

app = Flask(__name__)
OpwrightFlask(ops, app)  # flask --app examples/07_flask.py opwright --help


@ops.operation
def send_invoice(order: int) -> str:
    return f"invoice for order {order}"


@app.post("/orders/<int:total>")
def order(total: int) -> dict[str, str]:
    session.execute(text("create table if not exists orders (id integer primary key, total integer)"))
    number = session.execute(text("insert into orders (total) values (:total) returning id"), {"total": total}).scalar_one()
    handle = send_invoice.options(on=session).submit(number).now()
    if total > 1000:
        abort(409, "the card was declined")  # nothing is committed
    session.commit()
    return {"operation": str(handle.id)}


@app.teardown_appcontext
def close(_: BaseException | None) -> None:
    session.remove()


def visit() -> None:
    web = app.test_client()
    ordered = web.post("/orders/100").get_json()
    print("Sent:", ops.handle(ordered["operation"]).result(timeout=30).now())
    print("Declined:", web.post("/orders/5000").status)
    print("Kept orders above 1000:", session.execute(text("select count(*) from orders where total > 1000")).scalar())
    session.remove()


async def main() -> None:
    async with ops.host(workers=1):  # in service, a process of its own: flask --app … opwright run
        await asyncio.to_thread(visit)


if __name__ == "__main__":
    asyncio.run(main())
