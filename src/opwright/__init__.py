"""Opwright keeps an application's durable operations inside the application's own database."""
