"""django-oauth-toolkit on PostgreSQL, with tokens to introspect."""

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import django
from django.conf import settings

_DATABASE = urlsplit(os.environ["BENCH_DATABASE"])

settings.configure(
    SECRET_KEY="bench",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
    MIDDLEWARE=[],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    OAUTH2_PROVIDER={"SCOPES": {"read": "read", "introspection": "introspect"}},
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": _DATABASE.path[1:],
            "USER": _DATABASE.username,
            "HOST": _DATABASE.hostname,
            "PORT": _DATABASE.port,
            "CONN_MAX_AGE": 600,
        }
    },
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402 - only when it is set up
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import timezone  # noqa: E402
from oauth2_provider.models import AccessToken, Application  # noqa: E402
from oauth2_provider.views import IntrospectTokenView  # noqa: E402

urlpatterns = [path("introspect", IntrospectTokenView.as_view())]


def _fill() -> None:
    call_command("migrate", verbosity=0)
    person = User.objects.create(username="ann")
    client = Application.objects.create(
        name="bench",
        user=person,
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
    )
    expires = timezone.now() + timedelta(hours=1)
    values = {"user": person, "application": client, "expires": expires}
    AccessToken.objects.create(token="introspector", scope="introspection", **values)
    tokens = [f"token{number}" for number in range(2_000)]
    for token in tokens:
        AccessToken.objects.create(token=token, scope="read", **values)
    Path(os.environ["BENCH_MADE"]).write_text("".join(f"{token}:introspector\n" for token in tokens))


app = get_wsgi_application()
_fill()
