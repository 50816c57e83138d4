"""The key files: which are here, who may read them, whether they belong together, and how old they are."""

from deploy.doctor.lines import Verdict, check, ok, unless, warn, wrong
from deploy.doctor.seen import KeyFacts, Seen, Unseen, known

OLD_DAYS = 365
_DAY = 86400
PUBLIC = "public"


@check(
    "keys.files",
    way_out="Make them with `latchkey keys create`, add what a new version needs with `latchkey keys complete`, or correct LATCHKEY_KEYS_DIR.",
)
def files(seen: Seen) -> Verdict:
    """The public keys and those of at least one role are here and can be read."""
    if isinstance(seen.keys, Unseen):
        return wrong(seen.keys.reason)
    problems = [f"{name}.json: {file.problem}" for name, file in seen.keys.files.items() if file.problem]
    problems += [] if PUBLIC in seen.keys.files else [f"no public.json in {seen.keys.folder}"]
    problems += [] if _roles(seen.keys) else [f"no role's keys in {seen.keys.folder}"]
    return unless(problems, f"of {', '.join(_roles(seen.keys))}")


@check(
    "keys.modes", way_out="chmod 600 the files, or 640 for a group of that service alone, and 700 the folder."
)
def modes(seen: Seen) -> Verdict:
    """Nobody else can read a role's keys, or change any."""
    keys = known(seen.keys)
    problems = [
        f"{name}.json has mode {file.mode:03o}"
        for name, file in keys.files.items()
        if file.mode & (0o022 if name == PUBLIC else 0o027)
    ]
    problems += [f"the folder has mode {keys.folder_mode:03o}"] if keys.folder_mode & 0o002 else []
    return unless(problems, "closed to others")


@check(
    "keys.match",
    way_out="Give every process files of one set: with others, passwords cannot be opened and tokens are refused.",
)
def match(seen: Seen) -> Verdict:
    """The role's keys and the public ones are of one set."""
    return unless(list(known(seen.keys).unmatched), "they belong together")


@check(
    "keys.apart", way_out="Give each process its own file and public.json, on its own machine or container."
)
def apart(seen: Seen) -> Verdict:
    """A process finds no other role's keys."""
    here = _roles(known(seen.keys))
    if seen.settings.broker_url.get_secret_value().startswith("memory://"):
        return ok("one process is all three")
    return warn(f"{', '.join(here)} are in one folder") if len(here) > 1 else ok(", ".join(here))


@check(
    "keys.age",
    way_out="Rotate them now and then with `latchkey keys rotate`: whoever once had a copy then has nothing.",
)
def age(seen: Seen) -> Verdict:
    """No key file has stayed as it is for more than a year."""
    keys = known(seen.keys)
    days = {name: (seen.now - keys.files[name].written) // _DAY for name in _roles(keys)}
    old = [f"{name}.json is {count} days old" for name, count in days.items() if count > OLD_DAYS]
    return unless(old, f"{max(days.values(), default=0)} days at most", otherwise=warn)


CHECKS = (files, modes, match, apart, age)


def _roles(keys: KeyFacts) -> list[str]:
    return [name for name in keys.files if name != PUBLIC]
