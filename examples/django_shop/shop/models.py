"""Orders."""

from django.db import models


class Order(models.Model):
    """What a customer bought, and the operations that were promised with it."""

    customer = models.CharField(max_length=80)
    item = models.CharField(max_length=80)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    confirmation = models.BigIntegerField(null=True)
    invoice = models.BigIntegerField(null=True)

    def __str__(self) -> str:
        return f"{self.id} {self.customer}, {self.item} for {self.price}"
