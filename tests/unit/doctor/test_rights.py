"""What roles.sql gives is read as PostgreSQL reads it."""

from deploy.doctor.rights import rights_in, roles_sql, settings_in
from tests.integration.test_database_roles import CHANGEABLE, RIGHTS
from tests.play.roles import SERVICES

ON_COLUMNS = {
    "latchkey_auth_worker": {"SELECT (account_id) ON audit_events", "SELECT (link_id) ON audit_events"}
}


def test_rights_are_those_that_the_roles_turn_out_to_have() -> None:
    """The same table that is tried on a real server, right by right."""
    expected = {
        role: {f"{act} ON {table}" for table, acts in RIGHTS[role].items() for act in acts}
        | {
            f"UPDATE ({column}) ON {table}"
            for table, columns in CHANGEABLE[role].items()
            for column in columns
        }
        | ON_COLUMNS.get(role, set())
        for role in SERVICES
    }

    assert expected == {role: set(rights) for role, rights in rights_in(roles_sql()).items()}


def test_settings_are_those_that_are_altered() -> None:
    """Values without their quotes, as PostgreSQL keeps them."""
    settings = settings_in(roles_sql())

    assert {
        "default_transaction_read_only": "on",
        "statement_timeout": "5s",
        "idle_in_transaction_session_timeout": "15s",
    } == settings["latchkey_gateway"]
    assert set(SERVICES) == set(settings)
