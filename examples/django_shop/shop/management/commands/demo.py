"""``manage.py demo``: the whole shop at work."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.utils.html import strip_tags

from opwright.integrations.django import ops

from ...models import Order  # noqa: TID252 - inside an app of Django that is the custom

SALES = (("ada", "a lamp", "40"), ("grace", "a desk", "320"), ("kurt", "a yacht", "9000"))


class Command(BaseCommand):
    """Migrate, start a web server and a host, place three orders as a browser would, and show what became of them."""

    help = "Migrate, serve, run a host, place three orders, show them. --serve goes on until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--serve", action="store_true", help="go on serving until Ctrl-C")

    def handle(self, *, serve: bool, **_: Any) -> None:
        """Tell the story."""
        call_command("migrate", verbosity=0)
        with web_server() as address, host():
            for sale in SALES:
                self.stdout.write(f"{sale[0]} orders {sale[1]} for {sale[2]}: {order(address, *sale)}")
            for placed in Order.objects.all():
                for operation in (placed.confirmation, placed.invoice):
                    ops.handle(operation).result(timeout=30).now()
            page = build_opener().open(address).read().decode()
            self.stdout.write("\n".join(re.findall("Order [0-9].*", strip_tags(page))))
            if serve:
                self.stdout.write(f"Serving {address} until Ctrl-C")
                wait_for_interrupt()


@contextmanager
def host() -> Iterator[None]:
    """``manage.py opwright run``, as a service of its own in production."""
    with (settings.FILES / "host.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, sys.argv[0], "opwright", "run", "--workers", "2"], stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def web_server() -> Iterator[str]:
    """Django's own server on a free port; its address."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler)
    server.set_app(get_wsgi_application())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def order(address: str, customer: str, item: str, price: str) -> str:
    """Fill in the form of the page."""
    browser: OpenerDirector = build_opener(HTTPCookieProcessor())
    form = browser.open(address).read().decode()
    (token,) = re.findall('name="csrfmiddlewaretoken" value="(.*?)"', form)
    fields = {"customer": customer, "item": item, "price": price, "csrfmiddlewaretoken": token}
    try:
        browser.open(address, urlencode(fields).encode())
    except HTTPError as error:
        return error.read().decode()
    return "placed"


def wait_for_interrupt() -> None:
    """Until Ctrl-C."""
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return
