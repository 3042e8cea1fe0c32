"""Numbers that an administrator sets: each has a default and bounds."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import NOT_PROVIDED


def whole_number(
    default: int, *, least: int, most: int, help_text: str, in_database: bool = True
) -> "models.PositiveSmallIntegerField[int, int]":
    """Make the field of such a number; its unit stands in the help text.

    The database has the default too, for rows that an older release writes, but for columns that
    were there before any release (`in_database`).
    """
    return models.PositiveSmallIntegerField(
        default=default,
        db_default=default if in_database else NOT_PROVIDED,
        validators=[MinValueValidator(least), MaxValueValidator(most)],
        help_text=help_text,
    )
