"""What worker processes do. Opwright imports this module of every app."""

from django.conf import settings
from django.core.mail import send_mail

from opwright.integrations.django import ops

from .models import Order


@ops.operation(retries=3, backoff=5)
def confirm(order: int) -> str:
    """Mail the customer; the order is there, because it was committed together with this operation."""
    bought = Order.objects.get(id=order)
    send_mail(f"Your order {order}", f"Thank you for {bought.item}.", "shop@example.org", [f"{bought.customer}@example.org"])
    return f"mailed to {bought.customer}"


@ops.operation
def invoice(order: int) -> str:
    """Write the invoice. To run it twice does no harm: the file is the same."""
    bought = Order.objects.get(id=order)
    file = settings.FILES / f"invoice-{order}.txt"
    file.write_text(f"Invoice {order}\n{bought.item}: {bought.price} EUR\n")
    return str(file.name)
