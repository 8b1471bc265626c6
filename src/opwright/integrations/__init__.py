"""Other frameworks: what a Django, Flask, FastAPI, Starlette, Litestar or SQLAlchemy application plugs in."""
