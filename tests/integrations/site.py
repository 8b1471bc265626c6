"""A Flask application as people write one: models, a scoped session for each request, operations beside them."""

import os

from flask import Flask, abort, request
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, scoped_session, sessionmaker
from sqlalchemy.pool import NullPool

from opwright import Opwright
from opwright.integrations.flask import OpwrightFlask
from tests.integrations.album import SYNC, address

URL = os.environ["SITE_URL"]
ops = Opwright(URL)
engine = create_engine(address(URL, SYNC), poolclass=NullPool)
sessions = scoped_session(sessionmaker(engine))


class Base(DeclarativeBase): ...


class Photo(Base):
    __tablename__ = "photos"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


@ops.operation
def render(photo: int, width: int = 100) -> str:
    return f"photo {photo} at {width}"


@ops.operation
def fail(reason: str) -> None:
    raise ValueError(reason)


def create_app() -> Flask:
    app = Flask("site")
    opwright.init_app(app)

    @app.post("/photos/<title>")
    def add(title: str) -> dict[str, str]:
        photo = Photo(title=title)
        sessions.add(photo)
        sessions.flush()
        handle = render.options(on=sessions).submit(photo.id).now()
        if "refuse" in request.args:
            abort(409, str(handle.id))
        sessions.commit()
        return {"operation": str(handle.id)}

    @app.get("/operations/<operation>")
    def status(operation: str) -> dict[str, str]:
        return {"status": ops.handle(operation).status().now()}

    @app.teardown_appcontext
    def forget(_: BaseException | None) -> None:
        sessions.remove()

    return app


opwright = OpwrightFlask(ops)
