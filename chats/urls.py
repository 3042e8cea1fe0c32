"""URLs of the console."""

urlpatterns = []
