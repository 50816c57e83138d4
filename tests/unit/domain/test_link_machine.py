"""A link under everything that a bus can do to it: any order, duplicates, losses, crashes before and after commit."""

from dataclasses import dataclass, field, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from shared.domain import errors, link
from shared.domain.link import Device, Link, LinkState

BROWSERS = st.sampled_from(["browser-1", "browser-2"])
ACCOUNTS = st.sampled_from(["ann", "bob"])
LIMIT = 3
FINAL = {LinkState.LINKED, LinkState.DECLINED, LinkState.FAILED, LinkState.EXPIRED}


@dataclass(frozen=True)
class Message:
    kind: str
    browser: str = ""
    account: str = ""
    submission: int = 0


@dataclass
class Database:
    """One row with a version, as the store keeps it, and the attempts beside it."""

    row: Link
    refused: set[int] = field(default_factory=set)
    judged: set[int] = field(default_factory=set)
    grants: list[tuple[str, str]] = field(default_factory=list)
    """(account, browser that approved) of each mint."""


class LinkMachine(RuleBasedStateMachine):
    messages = Bundle("messages")

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000
        self.submissions = 0
        self.signed_in: set[tuple[str, str]] = set()
        self.approvals: set[str] = set()

    @initialize()
    def request(self) -> None:
        self.database = Database(
            Link(
                link_id="link",
                service="default",
                state=LinkState.REQUESTED,
                household_id="Sonos_household",
                device=Device(hardware="iPhone17,5"),
                callback_path="",
                requested_at=self.now,
                expires_at=self.now + 600,
            )
        )
        self.history = [self.database.row]

    @rule(target=messages, browser=BROWSERS, account=ACCOUNTS, right=st.booleans())
    def submit_login(self, browser: str, account: str, right: bool) -> Message:
        self.submissions += 1
        if right:
            self.signed_in.add((browser, account))
        return Message("login" if right else "wrong", browser, account, self.submissions)

    @rule(target=messages, browser=BROWSERS)
    def submit_approval(self, browser: str) -> Message:
        self.approvals.add(browser)
        return Message("approve", browser)

    @rule(target=messages, browser=BROWSERS)
    def submit_decline(self, browser: str) -> Message:
        return Message("decline", browser)

    @rule(target=messages)
    def ask_for_another_link(self) -> Message:
        return Message("anew")

    @rule(seconds=st.sampled_from([1, 60, 599, 601]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(target=messages, message=messages, crash=st.sampled_from(["no", "before commit", "after commit"]))
    def deliver(self, message: Message, crash: str):
        """Hand a message to its handler; a crash either loses the transaction or the acknowledgement."""
        before = self.database
        staged = Database(before.row, set(before.refused), set(before.judged), list(before.grants))
        try:
            self._handle(message, staged)
        except errors.Refusal:
            staged = before
        if crash != "before commit":
            assert staged.row is before.row or staged.row.version == before.row.version + 1
            self.database = staged
            self.history.append(staged.row)
        return multiple()  # the message stays in the bundle: it may come again at any time

    def _handle(self, message: Message, database: Database) -> None:
        row = database.row
        if message.kind in {"login", "wrong"}:
            if message.submission in database.judged or row.state_at(self.now) not in {
                LinkState.REQUESTED,
                LinkState.AUTHENTICATED,
            }:
                return
            database.judged.add(message.submission)
        if message.kind == "wrong":
            database.refused.add(message.submission)
            database.row = link.burn(row, failures=len(database.refused), limit=LIMIT, now=self.now)
        elif message.kind == "login":
            database.row = link.authenticate(
                row, account_id=message.account, browser=message.browser, now=self.now
            )
        elif message.kind == "anew":
            database.row = self._after_another(row)
        elif message.kind == "decline":
            database.row = link.decline(row, browser=message.browser, now=self.now)
        else:
            database.row = link.approve(row, browser=message.browser, grant_id="grant", now=self.now)
            if database.row is not row:
                assert row.account_id is not None
                database.grants.append((row.account_id, message.browser))

    def _after_another(self, row: Link) -> Link:
        newer = replace(self.history[0], link_id="newer", requested_at=self.now)
        return link.supersede(row) if link.supersedes(newer, row, asked_seconds_ago=0) else row

    @invariant()
    def at_most_one_grant_was_minted(self) -> None:
        assert len(self.database.grants) <= 1

    @invariant()
    def a_grant_was_approved_by_the_browser_that_signed_in(self) -> None:
        for account, browser in self.database.grants:
            assert (browser, account) in self.signed_in
            assert browser in self.approvals
            assert self.database.row.browser == browser
            assert self.database.row.account_id == account

    @invariant()
    def a_final_state_never_changes(self) -> None:
        finals = {row.state for row in self.history if row.state in FINAL}
        assert len(finals) <= 1
        assert not finals or self.database.row.state in finals

    @invariant()
    def a_grant_exists_exactly_when_the_link_is_linked(self) -> None:
        assert (self.database.row.state is LinkState.LINKED) == bool(self.database.grants)

    @invariant()
    def enough_wrong_passwords_end_an_unfinished_link(self) -> None:
        if len(self.database.refused) >= LIMIT:
            assert self.database.row.state in FINAL

    @invariant()
    def only_a_link_that_nobody_signed_in_to_gives_way(self) -> None:
        if self.database.row.state is LinkState.EXPIRED:
            assert (None, None) == (self.database.row.account_id, self.database.row.browser)
            assert self.now >= self.database.row.requested_at + link.ORDER_SECONDS

    @invariant()
    def a_poll_says_what_is_so(self) -> None:
        row = self.database.row
        try:
            answer: type[Exception] | None = None
            link.polled(row, now=self.now)
        except errors.Refusal as refusal:
            answer = type(refusal)
        if row.state is LinkState.LINKED and self.now < row.expires_at:
            assert answer is None
        elif row.state in FINAL or self.now >= row.expires_at:
            assert answer is not None
            assert issubclass(answer, errors.LinkFailed)
        else:
            assert answer is errors.LinkPending


TestLinkMachine = LinkMachine.TestCase
TestLinkMachine.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
