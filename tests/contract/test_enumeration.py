"""Nobody learns from the way a password is judged who has an account. The times are measured by hand: `python -m tests.measure.enumeration`."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from argon2 import extract_parameters

from auth_worker.context import AuthContext
from auth_worker.providers import local
from shared.boxes import LoginEvidence
from shared.domain.errors import SignInRefused
from tests.measure import enumeration


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncIterator[AuthContext]:
    """auth_worker with one account."""
    async with enumeration.auth_worker(tmp_path / "data") as context:
        yield context


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes against which passwords are verified from now on; they are verified all the same."""
    hashes: list[str] = []
    verify = local._verify_in_thread

    def recording(password_hash: str, password: str) -> bool:
        hashes.append(password_hash)
        return verify(password_hash, password)

    monkeypatch.setattr(local, "_verify_in_thread", recording)
    return hashes


async def test_unknown_name_costs_what_a_wrong_password_costs(
    worker: AuthContext, verified: list[str]
) -> None:
    """Each try is one verification, with equal parameters, whoever was named; and the measurement runs."""
    measured = await enumeration.measure(worker, tries=3)

    assert (3, 3, 6) == (len(measured.of_one), len(measured.of_other), len(verified))
    assert 2 == len(set(verified))
    assert 1 == len({repr(extract_parameters(each)) for each in verified})
    assert "3 tries each" in measured.report()


async def test_others_go_on_while_passwords_are_verified(worker: AuthContext) -> None:
    """The event loop, on which polls are answered in embedded mode, turns while more passwords wait than are verified at a time."""
    evidence = LoginEvidence(name=enumeration.KNOWN, password="wrong")
    signing_in = [
        asyncio.create_task(worker.providers["local"].authenticate(evidence, service="default"))
        for _ in range(local.AT_A_TIME * 2)
    ]
    turns = 0
    while not any(task.done() for task in signing_in):
        await asyncio.sleep(0.001)
        turns += 1
    outcomes = await asyncio.gather(*signing_in, return_exceptions=True)

    # A loop that verified by itself would come round once or twice.
    assert turns > 5
    assert [SignInRefused] * len(signing_in) == [type(outcome) for outcome in outcomes]
