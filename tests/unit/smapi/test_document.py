"""The XML reader: what it refuses, what it lets pass, what it costs."""

import resource
import secrets
import sys
import threading

import pytest

from gateway.smapi.document import MAX_BYTES, MAX_EQUALS, MAX_TAGS, parse_document, value_of
from gateway.smapi.faults import MalformedCall

BOM = b"\xef\xbb\xbf"


def text_of(body):
    return parse_document(body).text


def refusal(body):
    with pytest.raises(MalformedCall) as caught:
        parse_document(body)
    return caught.value.string


@pytest.mark.parametrize(
    "body",
    [
        b"<a>x</a>",
        BOM + b"<a>x</a>",
        b'<?xml version="1.0"?><a>x</a>',
        b"<?xml version='1.0' encoding='UTF-8'?>\r\n<a>x</a>\r\n",
        b'<?xml version="1.0" encoding="utf8"?><a>x</a>',
        b'<?xml version = "1.0" encoding = "Utf-8" standalone = "yes" ?><a>x</a>',
        BOM + b'<?xml version="1.0" encoding="utf-8"?><a>x</a>',
        b"<a>&#120;</a>",
        b"<a>&#x78;</a>",
        b"<a><![CDATA[x]]></a>",
        b"<!-- who asks? --><a>x</a><!-- nobody! -->",
    ],
)
def test_spellings_of_one_document(body):
    """However it is declared and spelt, the text is the same."""
    assert "x" == text_of(body)


@pytest.mark.parametrize(
    "body",
    [
        "<a>x</a>".encode("utf-16"),
        "<a>x</a>".encode("utf-16-le"),
        "<a>x</a>".encode("utf-32"),
        b"<a>x\0</a>",
        b"<a>\xe9</a>",
        b"<a>\xc0\xaf</a>",
        b"<a>\xed\xa0\x80</a>",
    ],
)
def test_only_utf_8(body):
    """Other encodings, overlong sequences, surrogates and NUL are refused before a parser sees them."""
    assert "The request is not UTF-8" == refusal(body)


@pytest.mark.parametrize(
    "body",
    [
        b'<?xml version="1.0" encoding="iso-8859-1"?><a>x</a>',
        b'<?xml version="1.0" encoding="utf-7"?><a>+ADw-b/+AD4-</a>',
        b'<?xml version="1.0" encoding="utf-16"?><a>x</a>',
        b'<?xml version="1.1"?><a>x</a>',
        b'<?xml version="1.0"?><?xml-stylesheet href="file:///etc/passwd"?><a>x</a>',
        b"<a>x<?php echo 1 ?></a>",
        b"<a>x</a><?end?>",
        b' <?xml version="1.0"?><a>x</a>',
        b"<?xml version=\"1.0'?><a>x</a>",
        b'<?xml version="1.0" encoding="utf-8\'?><a>x</a>',
        b'<?xml encoding="utf-8"?><a>x</a>',
    ],
)
def test_only_xml_1_0_in_utf_8_without_instructions(body):
    """A declaration of anything else, and every processing instruction (SOAP 1.1, section 3), is refused."""
    assert "The request is not XML 1.0 in UTF-8, or has processing instructions" == refusal(body)


@pytest.mark.parametrize(
    "doctype",
    [
        b"<!DOCTYPE a>",
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
        b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;">]>',
        b"<!DOCTYPE a [<!ATTLIST a b CDATA 'c'>]>",
    ],
)
def test_no_document_type(doctype):
    """External, parameter and nested entities all need a DOCTYPE, and SOAP 1.1 forbids it."""
    assert "The request has a document type" == refusal(doctype + b"<a>&x;</a>")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"a",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"<a/>junk",
        b"<!doctype a><a/>",
        b"<a>&x;</a>",
        b"<a>&#0;</a>",
        b"<a>&#1;</a>",
        b"<a>&#xD800;</a>",
        b"<a>&#xFFFF;</a>",
        b"<a>\x0b</a>",
        b"<a>]]></a>",
        b"<p:a/>",
        b'<a b="1" b="2"/>',
        b'<a b="<"/>',
        b'<a xmlns:p="u" xmlns:q="u" p:b="1" q:b="2"/>',
        b'<a xmlns="u}v"/>',
        b"<a><![CDATA[x</a>",
        b"<a><!-- -- --></a>",
    ],
)
def test_only_well_formed_documents(body):
    """Anything that XML calls ill-formed is refused, and so is an entity that nobody declared."""
    assert "The request is not well-formed XML" == refusal(body)


@pytest.mark.parametrize(
    "body",
    [
        b"<a>" + b"x" * MAX_BYTES + b"</a>",
        b"<a>" * 200 + b"</a>" * 200,
        b"<r>" + b"<a/>" * MAX_TAGS + b"</r>",
        b"<a " + b" ".join(b'b%d=""' % i for i in range(MAX_EQUALS + 1)) + b"/>",
        b"<a><![CDATA[" + b"<" * MAX_TAGS + b"]]></a>",
    ],
)
def test_nothing_large_is_parsed(body):
    """Bytes, tags (and with them depth) and attributes are counted before a parser sees them."""
    assert "The request is too large" == refusal(body)


@pytest.mark.parametrize(
    "body",
    [
        b"<a>" + b"x" * (MAX_BYTES - 7) + b"</a>",
        b"<a>" + b"<b/>" * (MAX_TAGS - 2) + b"</a>",
        b"<a>" + b"=" * MAX_EQUALS + b"</a>",
    ],
)
def test_what_is_as_large_as_allowed_is_parsed(body):
    """To the last byte, tag and equals sign."""
    assert "a" == parse_document(body).tag


@pytest.mark.parametrize(
    "body",
    [
        b"<a>ab<!-- -->cd</a>",
        b"<a><!-- -->cd</a>",
        b"<a>ab<!-- --></a>",
        b"<a><!--1--><!--2-->cd</a>",
        b"<r><a>ab</a><a>ab<!-- ! --></a></r>",
    ],
)
def test_no_comment_next_to_a_value(body):
    """A comment in a value would let two readers see two values."""
    assert "A comment stands next to a value" == refusal(body)


def test_comments_between_elements_are_dropped():
    """SoapUI writes them."""
    root = parse_document(b"<r>\n <!--Optional:-->\n <a>x</a>\n <!--Optional:--> <b><!-- none --></b>\n</r>")

    assert ["a", "b"] == [child.tag for child in root]
    assert [None, "x"] == sorted((value_of(child, limit=9) for child in root), key=str)


def test_character_data_is_one_string():
    """References and CDATA sections are spellings, not boundaries."""
    assert "ab<cd" == text_of(b"<a>a<![CDATA[b<]]>&#99;d</a>")


def test_a_value_holds_no_elements():
    """`a<b/>c` would be `a` to one reader and `ac` to another."""
    with pytest.raises(MalformedCall, match=r": A value holds elements$"):
        value_of(parse_document(b"<token>a<b/>c</token>"), limit=9)


def test_white_space_is_what_xml_says_it_is():
    """A no-break space belongs to the value."""
    element = parse_document("<a>\r\n\t \u00a0x\u00a0 \n</a>".encode())

    assert "\u00a0x\u00a0" == value_of(element, limit=9)


def test_white_space_can_be_kept():
    """A password may begin with a blank."""
    assert " x " == value_of(parse_document(b"<a> x </a>"), limit=9, strip=False)


@pytest.mark.parametrize("body", [b"<a/>", b"<a></a>", b"<a> \r\n </a>"])
def test_an_empty_value_is_no_value(body):
    """Clients send empty elements for what they do not have."""
    assert value_of(parse_document(body), limit=9) is None


def test_a_value_has_a_limit():
    """The limit counts characters, without the white space around."""
    assert "é" * 9 == value_of(parse_document(f"<a> {'é' * 9} </a>".encode()), limit=9)
    with pytest.raises(MalformedCall, match=r": A value is too long$"):
        value_of(parse_document(f"<a>{'é' * 10}</a>".encode()), limit=9)


def test_a_refusal_quotes_nothing():
    """Neither the fault nor the exception behind it shows what was sent."""
    with pytest.raises(MalformedCall) as caught:
        parse_document(b"<token>secret</oops>")

    assert "secret" not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's figure has other units elsewhere")
def test_names_never_seen_before_leave_nothing_behind():
    """Requests with ever new names do not make the process grow: lxml 6 would keep all 25 MB of them."""

    def strange():
        names = [secrets.token_hex(120) for _ in range(60)]
        return b"<r>" + b"".join(b'<n%s n%s=""/>' % (n.encode(), n[::-1].encode()) for n in names) + b"</r>"

    for _ in range(50):
        parse_document(strange())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    for _ in range(900):
        parse_document(strange())

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 * 1024


def test_threads_do_not_meet():
    """Every call has a parser of its own."""
    read = set()

    def read_often(number):
        read.update((number, text_of(b"<a%d>%d</a%d>" % (number, number, number))) for _ in range(300))

    threads = [threading.Thread(target=read_often, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {(number, str(number)) for number in range(8)} == read
