"""A shop with two hosts: an order placed on one changes what the other has cached, and a page shows it."""
