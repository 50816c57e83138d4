"""What auth_worker's handlers are given."""

from collections.abc import Mapping
from dataclasses import dataclass

from auth_worker.providers.base import Provider
from shared.context import Context
from shared.keys import AuthWorkerKeys
from shared.storage.base import AuthStore


@dataclass(frozen=True, kw_only=True)
class AuthContext(Context[AuthStore, AuthWorkerKeys]):
    """The context of auth_worker, with the identity sources it may ask."""

    providers: Mapping[str, Provider]
