from django.db import migrations

from orderflow.fields.normalize_rows import normalise_rows

# Orders that are being delivered keep their texts: what is staged must stay the document that they give.


def normalise(apps, schema_editor):
    orders = apps.get_model("orders", "DraftOrder").objects.exclude(status="PUSHING")
    lines = apps.get_model("orders", "DraftOrderLine").objects.exclude(order__status="PUSHING")
    customers = apps.get_model("orders", "Customer").objects.exclude(draft_orders__status="PUSHING")
    normalise_rows(customers, ["erp_customer_number"])
    normalise_rows(orders, ["external_order_number", "currency", "source_document_id"])
    normalise_rows(lines, ["internal_sku", "uom", "currency", "customer_sku_raw"])


class Migration(migrations.Migration):
    dependencies = [("orders", "0006_room_for_whole_pages")]

    operations = [migrations.RunPython(normalise, migrations.RunPython.noop)]
