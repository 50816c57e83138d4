"""Brings the catalogues up to date with the words in templates and code: `python -m deploy.translations`.

A new message comes into every catalogue without a translation, one that is gone goes from all, and the rest stays as its
translators wrote it. A test names what is not translated.
"""

from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from deploy import sonos
from gateway.pages import languages

PAGES = Path(languages.__file__).parent
FOLDERS = (PAGES, Path(sonos.__file__).parent)
"""Where words are that are translated."""
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
OPTIONS = {
    "templates/**.html": {
        "trimmed": "true",
        "trim_blocks": "true",
        "lstrip_blocks": "true",
        "silent": "false",
    }
}
_PROJECT, _WIDTH = "Latchkey", 110


def extracted() -> Catalog:
    """Return all messages of templates and code, and in which files they are."""
    catalog = Catalog(project=_PROJECT, fuzzy=False)
    for name, _, message, comments, context in (
        found
        for folder in FOLDERS
        for found in extract_from_dir(
            folder, METHODS, OPTIONS, comment_tags=("Translators:",), strip_comment_tags=True
        )
    ):
        catalog.add(message, locations=[(name, None)], auto_comments=comments, context=context)  # type: ignore[list-item]
    return catalog


def updated(language: str) -> bytes:
    """Return the catalogue of a language as its file should be."""
    template, locale = extracted(), language.replace("-", "_")
    source = languages.source_of(language)
    old = read_po(BytesIO(source.read_bytes()), locale=locale) if source.is_file() else Catalog(locale=locale)
    new = Catalog(locale=locale, project=_PROJECT, fuzzy=False)
    for message in template:
        if message.id:
            known = old.get(message.id)
            string = known.string if known is not None and not known.fuzzy else None
            new.add(
                message.id,
                string or ("" if isinstance(message.id, str) else ("",) * new.num_plurals),
                locations=message.locations,
                auto_comments=message.auto_comments,
                flags=message.flags,
            )
    written = BytesIO()
    # Without the header's dates, which would differ each time, and in the order of words, so that colleagues do not collide.
    write_po(written, new, width=_WIDTH, omit_header=True, sort_output=True, include_lineno=False)
    header = (
        f"# The words of the pages in {languages.LANGUAGES[language]}.\n"
        'msgid ""\nmsgstr ""\n'
        f'"Language: {locale}\\n"\n'
        '"MIME-Version: 1.0\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n'
        '"Content-Transfer-Encoding: 8bit\\n"\n'
        f'"Plural-Forms: {new.plural_forms}\\n"\n\n'
    )
    return header.encode() + written.getvalue()


def main() -> None:
    """Write every catalogue anew."""
    for language in languages.LANGUAGES:
        if language != languages.SOURCE:
            path = Path(str(languages.source_of(language)))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(updated(language))


if __name__ == "__main__":
    main()
