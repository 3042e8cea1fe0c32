"""Who works here, and whose log-in failed."""

from django.contrib.auth.models import AbstractUser
from django.db import models

CALL_TAKER = "call-taker"
SUPERVISOR = "supervisor"
ADMINISTRATOR = "administrator"
ROLES = (CALL_TAKER, SUPERVISOR, ADMINISTRATOR)


class User(AbstractUser):
    """Somebody who logs in; the roles are Django groups (`call-taker`, `supervisor`, …)."""

    @property
    def shown_name(self) -> str:
        """Name for other people's screens: the full name, else the login."""
        return self.get_full_name() or self.username


class LoginFailure(models.Model):
    """A login that failed; many of one address for one name make the next wait."""

    username = models.CharField(max_length=150)
    address = models.GenericIPAddressField(null=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["username", "at"], name="login_failure_recent")]

    def __str__(self) -> str:
        return f"{self.username} from {self.address}"
