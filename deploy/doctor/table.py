"""Every check, in the order in which they are shown, and the lines that come of what was seen."""

from deploy.check.report import Outcome, Severity
from deploy.check.report import State as Checked
from deploy.doctor import broker, database, key_files, public, signing_in
from deploy.doctor.lines import Check, Line, State, Verdict
from deploy.doctor.seen import Seen, Skipped, Unseen

CHECKS: tuple[Check, ...] = (
    *public.CHECKS,
    *database.CHECKS,
    *broker.CHECKS,
    *key_files.CHECKS,
    *signing_in.CHECKS,
)

GROUPS: dict[str, str] = {
    "public": "What Sonos and browsers reach",
    "tls": "The way there",
    "database": "The database",
    "broker": "The broker",
    "keys": "The key files",
    "providers": "Where people sign in",
    "strings": "What Sonos shows on the way",
}
"""What the first part of an id stands for."""


def lines(seen: Seen) -> list[Line]:
    """Return every line of the report."""
    judged = [each.line(_verdict(each, seen)) for each in CHECKS]
    found = () if isinstance(seen.public, Unseen) else seen.public.tls
    order = list(GROUPS)
    return sorted(
        [*judged, *map(_of_check, found)], key=lambda line: order.index(line.check_id.partition(".")[0])
    )


def _verdict(check: Check, seen: Seen) -> Verdict:
    try:
        return check.judge(seen)
    except Skipped as skipped:
        return Verdict(state=State.SKIPPED, said=str(skipped))


def _of_check(outcome: Outcome) -> Line:
    """Return the line of something that `latchkey check` looks at."""
    worse = State.WARN if outcome.about.severity is Severity.WARNING else State.WRONG
    states = {Checked.CLEAN: State.OK, Checked.FOUND: worse, Checked.SKIPPED: State.SKIPPED}
    return Line(
        check_id=outcome.about.check_id,
        title=outcome.about.title,
        state=states[outcome.state],
        said=outcome.said,
        way_out=outcome.about.way_out,
    )
