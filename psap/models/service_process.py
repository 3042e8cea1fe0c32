"""The running programs of an instance and how they are."""

from django.db import models


class ServiceProcess(models.Model):
    """A running program of this instance, its last sign of life and what it counts."""

    name = models.CharField(max_length=40)
    instance = models.CharField(max_length=80)
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField()
    figures = models.JSONField(
        default=dict, db_default={}, help_text="Its gauges and counters, by metric name."
    )

    class Meta:
        verbose_name_plural = "service processes"
        constraints = [
            models.UniqueConstraint(fields=["name", "instance"], name="one_row_per_process"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.instance}"
