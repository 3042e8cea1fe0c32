"""URLs of login and status."""

urlpatterns = []
