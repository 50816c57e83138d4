"""Text on its way into an XML document: what may stand there, and how it is spelt."""

import re

# XML 1.0, section 2.2: any other code point makes a document ill-formed, even when written as a reference.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def legal(value: str) -> str:
    """`value` without the code points that XML 1.0 cannot carry.

    Controls, lone surrogates, U+FFFE and U+FFFF are left out and not refused, since a nickname with a stray
    control character must not cost anybody a link.
    """
    return value if value.isprintable() else _ILLEGAL.sub("", value)


def escape(value: str) -> str:
    """Spell `legal(value)` as element content that every XML reader turns back into it."""
    # `>` matters only after `]]`, but escaping it always needs no look back. A bare carriage return would be
    # read as a line feed (XML 1.0, section 2.11); a reference to one is not.
    escaped = legal(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("\r", "&#13;")
