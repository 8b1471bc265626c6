"""The one page: it takes orders and shows them."""

from decimal import Decimal
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from opwright.integrations.django import ops

from .models import Order
from .operations import confirm, invoice

CREDIT = 1000


def orders(request: HttpRequest) -> HttpResponse:
    """List the orders, newest last; a POST places one."""
    if request.method == "POST":
        price = Decimal(request.POST["price"])
        try:
            place_order(request.POST["customer"], request.POST["item"], price)
        except CardRefusedError:
            return HttpResponse("The card was refused.", status=402)
        return HttpResponseRedirect("/")
    return render(request, "shop/orders.html", {"orders": [_shown(order) for order in Order.objects.order_by("id")]})


def place_order(customer: str, item: str, price: Decimal) -> None:
    """The order and its two operations: all are committed, or none is there."""
    with transaction.atomic():
        order = Order.objects.create(customer=customer, item=item, price=price)
        order.confirmation = confirm.submit(order.id).now().id
        order.invoice = invoice.submit(order.id).now().id
        order.save()
        if price > CREDIT:
            raise CardRefusedError


class CardRefusedError(Exception):
    """The bank says no, at the last moment."""


def _shown(order: Order) -> dict[str, Any]:
    return {"order": order, "operations": [ops.handle(each).get().now() for each in (order.confirmation, order.invoice)]}
