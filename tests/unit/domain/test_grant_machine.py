"""A grant under many presenters: lost answers, races, crashes, revocation, relinking, and time."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.domain import errors, grant
from shared.domain.grant import Grant, GrantStatus, Lifetimes, MintingKeys, Presented
from shared.domain.revocation import Limits, is_meant

LIFETIMES = Lifetimes()
KEYS = MintingKeys(signing_key_id="s1", derivation_key_id="d1")
PLAYERS = st.integers(0, 3)
DAY = 86400


@dataclass(frozen=True)
class Token:
    """What a player holds: the numbers from which the one and only pair is made."""

    family: int
    generation: int
    issued_at: int
    expires_at: int
    keys: tuple[str, str]

    @property
    def presented(self) -> Presented:
        return Presented(family=self.family, generation=self.generation, expires_at=self.expires_at)


def token_of(row: Grant) -> Token:
    keys = (row.signing_key_id, row.derivation_key_id)
    return Token(row.family, row.generation, row.issued_at, row.expires_at, keys)


class GrantMachine(RuleBasedStateMachine):
    """Honest players only: each presents what it was last given, within the overlap after that expired."""

    @initialize()
    def link(self) -> None:
        self.now = 1_790_000_000
        self.keys = KEYS
        self.row = grant.first(
            grant_id="grant",
            service="default",
            account_id="ann",
            household_id="Sonos_household",
            keys=self.keys,
            lifetimes=LIFETIMES,
            shortening=0.5,
            now=self.now,
        )
        first = token_of(self.row)
        self.minted = {(first.family, first.generation): first}
        self.players = [first] * 4
        self.revoked_families: set[int] = set()

    @rule(seconds=st.sampled_from([1, 600, 3600, 6 * 3600]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(player=PLAYERS, lost=st.booleans(), crash=st.booleans(), shortening=st.floats(0, 1))
    def refresh(self, player: int, lost: bool, crash: bool, shortening: float) -> None:
        """A player asks for its successor; the worker may crash before it commits, the answer may be lost after."""
        held = self.players[player]
        if self.now >= held.expires_at + LIFETIMES.overlap:
            return
        try:
            refreshed = grant.refresh(
                self.row,
                held.presented,
                keys=self.keys,
                lifetimes=LIFETIMES,
                shortening=shortening,
                now=self.now,
            )
        except errors.ReuseDetected:
            raise AssertionError("an honest player was taken for a thief") from None
        except errors.ReauthorizationNeeded:
            ended = self.row.status is GrantStatus.REVOKED or held.family != self.row.family
            idle = self.now >= self.row.used_at + LIFETIMES.idle
            absolute = self.now >= self.row.family_started_at + LIFETIMES.absolute
            assert ended or idle or absolute
            return
        if crash:
            return
        self._commit(refreshed)
        answer = token_of(self.row)
        assert answer.expires_at > self.now, "a player was given a token that is stale already"
        assert answer.family == held.family
        if not lost:
            self.players[player] = answer

    @rule(player=PLAYERS)
    def use(self, player: int) -> None:
        held = self.players[player]
        self._commit(grant.seen(self.row, family=held.family, generation=held.generation, now=self.now))

    @rule(key=st.sampled_from(["s1", "s2"]))
    def rotate_keys(self, key: str) -> None:
        self.keys = MintingKeys(signing_key_id=key, derivation_key_id="d1")

    @rule()
    def revoke(self) -> None:
        self.revoked_families.add(self.row.family)
        self._commit(grant.revoke(self.row))

    @rule(family=st.integers(1, 5), ago=st.sampled_from([0, 600, DAY]))
    def revoke_late(self, family: int, ago: int) -> None:
        """What was asked to be ended a while ago arrives now, perhaps again; a link made since is not meant."""
        for limits in (Limits(family=family), Limits(started_by=self.now - ago)):
            if is_meant(self.row, limits):
                self.revoke()
            else:
                assert self.row.family > family or self.row.family_started_at > self.now - ago

    @rule(player=PLAYERS)
    def link_again(self, player: int) -> None:
        relinked = grant.link_again(
            self.row, keys=self.keys, lifetimes=LIFETIMES, shortening=0.0, now=self.now
        )
        self._commit(relinked)
        self.players[player] = token_of(self.row)

    @precondition(lambda self: self.row.generation > 2)
    @rule(steps=st.integers(1, 2))
    def restore_a_backup(self, steps: int) -> None:
        """The database comes back from before some refreshes; what it forgot was handed out all the same."""
        from dataclasses import replace

        self.row = replace(
            self.row,
            generation=self.row.generation - steps,
            seen_generation=min(self.row.seen_generation, self.row.generation - steps),
            issued_at=self.now - LIFETIMES.token,
            expires_at=self.now,
        )
        # What is minted again after a restore may differ from what was lost: forget it on both sides.
        key = (self.row.family, self.row.generation)
        self.minted = {k: v for k, v in self.minted.items() if k[0] != key[0] or k[1] < key[1]}

    def _commit(self, new: Grant) -> None:
        assert new is self.row or new.version == self.row.version + 1
        self.row = new
        token = token_of(new)
        known = self.minted.setdefault((token.family, token.generation), token)
        assert known == token or new.status is GrantStatus.REVOKED, "two pairs for one generation"

    @invariant()
    def a_revoked_family_stays_dead(self) -> None:
        if self.row.status is GrantStatus.ACTIVE:
            assert self.row.family not in self.revoked_families

    @invariant()
    def only_tokens_of_the_living_family_pass(self) -> None:
        for held in self.players:
            dead = held.family != self.row.family or self.row.status is GrantStatus.REVOKED
            try:
                grant.check_usable(self.row, family=held.family)
                refused = False
            except errors.ReauthorizationNeeded:
                refused = True
            assert refused == dead

    @invariant()
    def lifetimes_are_within_the_jitter(self) -> None:
        life = self.row.expires_at - self.row.issued_at
        assert life <= LIFETIMES.token

    @invariant()
    def nothing_was_seen_that_was_not_minted(self) -> None:
        assert self.row.seen_generation <= self.row.generation


TestGrantMachine = GrantMachine.TestCase
TestGrantMachine.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
