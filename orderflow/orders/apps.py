from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orderflow.orders"
    verbose_name = "Orders"
