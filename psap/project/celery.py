"""The Celery application of worker and beat."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "psap.project.settings")

app = Celery("leitstand")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    # A tick that nobody took in time says nothing any more and must not pile up.
    "tick": {"task": "psap.tasks.tick", "schedule": 1.0, "options": {"expires": 5}},
    "run-errands": {
        "task": "sipgateway.tasks.run_errands",
        "schedule": 1.0,
        "options": {"expires": 5},
    },
    "forget-old-rows": {"task": "psap.tasks.forget_old_rows", "schedule": 3600.0},
    "export-chain-heads": {
        "task": "chats.tasks.export_chain_heads",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "forget-old-transfers": {"task": "chats.tasks.forget_old_transfers", "schedule": 3600.0},
    "purge-old-receipts": {"task": "chats.tasks.purge_old_receipts", "schedule": 3600.0},
}
