"""Escaping: every reader gets back what went in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.smapi.text import escape

LEGAL = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\ufffe\uffff").filter(
        lambda c: c >= " " or c in "\t\n\r"
    )
)


@given(LEGAL)
def test_what_xml_can_carry_comes_back(value):
    """Any text of legal code points survives an XML reader unchanged."""
    element = etree.fromstring(f"<a>{escape(value)}</a>".encode())

    assert value == (element.text or "")


@given(st.text())
def test_anything_at_all_stays_well_formed(value):
    """Whatever the text, lone surrogates included, the document around it can be encoded and read."""
    element = etree.fromstring(f"<a>{escape(value)}</a>".encode())

    assert 0 == len(element)


@pytest.mark.parametrize("illegal", ["\0", "\x0b", "\x1f", "\ud800", "\ufffe", "\uffff"])
def test_what_xml_cannot_carry_is_left_out(illegal):
    """Only the illegal code point goes."""
    assert "Ann &amp; Bo" == escape(f"Ann{illegal} & Bo")


def test_the_end_of_a_cdata_section_is_harmless():
    """`]]>` may not stand in element content as it is."""
    assert "]]&gt;" == escape("]]>")
