from django.db import migrations, models

NAME = "order_number_once_per_customer"


class Migration(migrations.Migration):
    dependencies = [("orders", "0007_normalised_identifiers")]

    operations = [
        migrations.RemoveConstraint(model_name="draftorder", name=NAME),
        migrations.AddConstraint(
            model_name="draftorder",
            constraint=models.UniqueConstraint(
                fields=["customer", "external_order_number"],
                condition=~models.Q(external_order_number="") & ~models.Q(status="REJECTED"),
                name=NAME,
            ),
        ),
    ]
