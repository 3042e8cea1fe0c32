"""ng112-js ends its session on stop|redirect/274 and stop|transfer/266: known from the start."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

USER_AGENT = 'ng112-js'


def know(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model('psap', 'LimitedClient').objects.get_or_create(user_agent=USER_AGENT)


class Migration(migrations.Migration):

    dependencies = [
        ('psap', '0004_report_authorities'),
    ]

    operations = [
        migrations.RunPython(know, migrations.RunPython.noop),
    ]
