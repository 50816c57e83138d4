"""What SMAPI's schema allows, and what it nearly allows: hypothesis makes it up, and finds the smallest request that is answered wrongly."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.smapi.methods import METHODS, NAMESPACE
from tests.fuzz.door import Score, genuine, opened, put_in
from tests.fuzz.requests import ARGUMENTS, SOAP, Shot

EXAMPLES = 400
CONTAINERS = {
    "loginToken": ("token", "key", "householdId"),
    "login": ("username", "password"),
    "sessionId": (),
    "deviceId": (),
    "deviceProvider": (),
}

#: What an XML 1.0 document may hold as text.
_TEXT = st.text(
    st.characters(min_codepoint=0x20, exclude_categories=("Cs",), exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n"),
    max_size=300,
)


@st.composite
def shots(draw: st.DrawFn, values: Sequence[str]) -> Shot:
    """Draw an envelope that is well-formed, in whatever spelling, with the elements of a method in any order and number."""
    text = _TEXT | st.sampled_from(range(len(values))).map(lambda at: values[at])
    method = draw(st.sampled_from(METHODS))
    prefix = draw(st.sampled_from([None, "s", "soap", "S-E.1"]))
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={prefix: SOAP})
    if draw(st.booleans()):
        header = etree.SubElement(envelope, f"{{{SOAP}}}Header")
        credentials = etree.SubElement(header, f"{{{NAMESPACE}}}credentials", nsmap={None: NAMESPACE})
        for name in draw(st.lists(st.sampled_from(sorted(CONTAINERS)), max_size=4)):
            element = etree.SubElement(credentials, f"{{{NAMESPACE}}}{name}")
            for inner in CONTAINERS[name]:
                if draw(st.booleans()):
                    etree.SubElement(element, f"{{{NAMESPACE}}}{inner}").text = draw(text)
            if not CONTAINERS[name]:
                element.text = draw(text)
    body = etree.SubElement(envelope, f"{{{SOAP}}}Body")
    call = etree.SubElement(body, f"{{{NAMESPACE}}}{method}")
    names = st.sampled_from(ARGUMENTS.get(method) or ("id",))
    for name in draw(st.lists(names, max_size=8)):
        element = etree.SubElement(call, f"{{{NAMESPACE}}}{name}")
        element.text = draw(text)
        element.tail = draw(st.sampled_from([None, "\n  "]))
    if draw(st.booleans()):
        call.append(etree.Comment(draw(st.text("abc ", max_size=9))))
    data = etree.tostring(
        envelope, encoding=draw(st.sampled_from(["utf-8", "utf-16", "iso-8859-1"])), xml_declaration=True
    )
    action = draw(st.sampled_from([f'"{NAMESPACE}#{method}"', None, '"urn:other"']))
    authorization = draw(st.none() | text.map(lambda value: f"Bearer {value}"))
    return Shot(body=draw(_damaged(data)), soap_action=action, authorization=authorization)


def _damaged(data: bytes) -> st.SearchStrategy[bytes]:
    """Mostly nothing; else a piece of it goes, comes twice, or becomes something else."""
    places = st.integers(0, len(data))
    pieces = st.tuples(places, places).map(sorted)
    return st.one_of(
        st.just(data),
        st.just(data),
        pieces.map(lambda piece: data[: piece[0]] + data[piece[1] :]),
        pieces.map(lambda piece: data[: piece[1]] + data[piece[0] :]),
        st.tuples(places, st.binary(max_size=20)).map(lambda at: data[: at[0]] + at[1] + data[at[0] :]),
    )


async def test_whatever_the_schema_allows_is_answered_in_soap(tmp_path: Path) -> None:
    """With a result or a fault that SMAPI knows, never with one that says that something of ours is broken."""
    loop = asyncio.get_running_loop()
    async with opened(tmp_path) as context:
        values = await genuine(context)

        @settings(max_examples=EXAMPLES, deadline=None)
        @given(shots(values))
        def fire(shot: Shot) -> None:
            score = Score()
            asyncio.run_coroutine_threadsafe(put_in(shot, 0, context, score), loop).result(60)
            assert (1, []) == (score.total, score.wrong)

        await asyncio.to_thread(fire)
