"""An album: FastAPI, SQLAlchemy and Opwright on one database."""
