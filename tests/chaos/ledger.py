"""What households were promised, kept outside of the system, and what became of it: Jepsen's way of counting.

attempted     links that were begun
acknowledged  households that were given a pair
ok            of those, the ones whose pair still opens the service in the end
lost          the others
duplicated    households with more than one grant of one account, or two pairs for one generation
unexpected    answers that nobody may ever get: a wrong fault, no SOAP, a traceback in a log
stuck         households that neither got a pair nor were told why, although there was time
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

MOST_UNLUCKY = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """One line of a report."""

    attempted: int
    acknowledged: int
    ok: int
    lost: int
    duplicated: int
    unexpected: int
    stuck: int

    @property
    def is_good(self) -> bool:
        """Tell whether nothing is lost, doubled, out of place or stuck, and anything was tried at all."""
        return self.attempted > 0 and not (self.lost or self.duplicated or self.unexpected or self.stuck)


@dataclass
class Ledger:
    """Everything that households saw."""

    attempted: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    settled: set[str] = field(default_factory=set)
    pairs: defaultdict[tuple[str, int, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    """(grant, family, generation) -> the pairs that were given out for it."""
    surprises: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    """Everything that was given to households and people, and to nobody else."""
    begun_again: int = 0
    """How often a household began again, where that may be."""
    facts: list[str] = field(default_factory=list)
    """What an experiment measured, in words."""
    seen: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Operation -> how it was answered while the fault lasted."""
    last_words: defaultdict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """Household -> operation -> how it was answered the last time."""
    during_fault: bool = False

    def answered(self, operation: str, outcome: str, *, household: str = "", detail: str = "") -> None:
        """Note how an operation was answered; *detail* is for the last words of a household that gets stuck."""
        self.last_words[household][operation] = f"{outcome} {detail}"
        if self.during_fault:
            self.seen[operation][outcome] += 1

    def note(self, *secrets: str) -> None:
        """Note what nobody else may ever see."""
        self.secrets.update(secrets)

    def words_of_the_unlucky(self) -> list[str]:
        """Return what some of those heard last that got stuck or lost."""
        unlucky = sorted(self.attempted - self.settled)[:MOST_UNLUCKY]
        return [f"{name} heard last: {self.last_words[name]}" for name in unlucky]

    def surprise(self, what: str) -> None:
        """Note something that must never be."""
        self.surprises.append(what)

    def counts(self, *, duplicated: int) -> Counts:
        """Count."""
        return Counts(
            attempted=len(self.attempted),
            acknowledged=len(self.acknowledged),
            ok=len(self.acknowledged & self.settled),
            lost=len(self.acknowledged - self.settled),
            duplicated=duplicated + sum(len(given) > 1 for given in self.pairs.values()),
            unexpected=len(self.surprises),
            stuck=len(self.attempted - self.acknowledged),
        )
