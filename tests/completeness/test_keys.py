"""docs/keys.md has every key that there is."""

import re
from pathlib import Path

import msgspec

from shared.keys import FILES

PAGE = (Path(__file__).parents[2] / "docs/keys.md").read_text()


def test_every_key_has_its_row() -> None:
    """With the file that it is in, the algorithm, and what it is for."""
    rows = re.findall(r"^\| (`.+?) \| `(\w+)[.]json` \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)
    listed = {(file, key) for keys, file, *_ in rows for key in re.findall(r"`(\w+)`", keys)}

    assert {
        (name, field.name) for name, keys in FILES.items() for field in msgspec.structs.fields(keys)
    } == listed
