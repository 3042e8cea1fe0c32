"""Storage of the tables on the hot path; measured with SIPp at 2,500 messages a second.

A chat's row changes with every message: with room left on its page the new version needs no
index entry (HOT; 99 % of the updates instead of 40 to 70 %). A journaled message is a little over
PostgreSQL's 2 kB bound for compression: left as it is it costs disk, compressed it costs an
eighth of the server's CPU.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("chats", "0002_event")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE chats_chat SET (fillfactor = 50)",
            "ALTER TABLE chats_chat RESET (fillfactor)",
        ),
        migrations.RunSQL(
            "ALTER TABLE chats_journal SET (toast_tuple_target = 8160)",
            "ALTER TABLE chats_journal RESET (toast_tuple_target)",
        ),
    ]
