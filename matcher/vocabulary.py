"""The words of the forms: interests, languages, ethnicity and religion, from free text to tags and back.

A word is understood when it is in a vocabulary, whatever its capitals, punctuation or plural; otherwise it is handed
back with suggestions, never guessed. The vocabularies are the files in `vocabularies/`, which a council may extend.
Ethnicity: the 20 codes of the Department for Education's SSDA903 return. Religion: the categories of the 2021 census.
Languages: BCP 47 tags, by the English names of the Unicode CLDR and the IANA registry.
"""

from __future__ import annotations

import csv
import re
import tomllib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from rapidfuzz import fuzz, process

from matcher.errors import InputError, NotFoundError

_SUGGESTIONS = 3
_HELD = 90.0  # as close as this counts a known name within what was written
_CLOSE_ENOUGH = 80  # out of 100: "swiming" is 93 from "swimming", "rugby" 36 from "football"


@dataclass(frozen=True)
class Unknown:
    """Words that were not understood, as they were written, and at most three tags that they may stand for."""

    text: str
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Term:
    """One entry of a vocabulary: the tag that records hold, the label that people read, other ways to write it."""

    tag: str
    label: str
    group: str | None = None
    synonyms: tuple[str, ...] = ()
    tells: str = ""
    """What whoever reads it learns of a person that is private, such as their religion; "" where it is nothing."""


class Vocabulary:
    """Terms, found by tag, label or synonym. InputError where two terms claim the same words.

    A tag is found as it stands; where `tags_are_words`, also in any capitals ("wbri"). That would not do for languages,
    where "Ada" is a person and ada the tag of Dangme.
    """

    def __init__(self, name: str, terms: Iterable[Term], *, tags_are_words: bool = True) -> None:
        self.terms: dict[str, Term] = {}
        self._tags: dict[str, str] = {}
        for term in terms:
            if term.tag in self.terms:
                raise InputError(f"{name}: “{term.tag}” stands there twice. Keep one of the two.")
            self.terms[term.tag] = term
            for words in (*([term.tag] if tags_are_words else []), term.label, *term.synonyms):
                key = _key(words)
                if not key:
                    raise InputError(f"{name}: “{term.tag}” has an empty label or synonym. Write it or take it out.")
                owner = self._tags.setdefault(key, term.tag)
                if owner != term.tag:
                    raise InputError(
                        f"{name}: “{words}” is claimed by both “{owner}” and “{term.tag}”. Leave it with one of them."
                    )

        self._by_first_word: dict[str, list[str]] = {}
        for words in self._tags:
            self._by_first_word.setdefault(words.split()[0], []).append(words)

    def find(self, text: str) -> str | None:
        """The tag that the words name exactly; None where they name none."""
        return text.strip() if text.strip() in self.terms else self._tags.get(_key(text))

    def suggest(self, text: str) -> tuple[str, ...]:
        """The tags nearest to the words, the nearest first: at most three, often none."""
        key = _key(text)
        alike = process.extract(key, self._tags.keys(), scorer=fuzz.ratio, score_cutoff=_CLOSE_ENOUGH, limit=None)
        close = {words: score for words, score, _ in alike}
        written = set(key.split())
        for word in written:
            for words in self._by_first_word.get(word, ()):
                if written.issuperset(words.split()):  # "football on telly" holds "football"
                    close[words] = max(close.get(words, 0.0), _HELD)
        near = sorted((-score, words) for words, score in close.items())
        return tuple(dict.fromkeys(self._tags[words] for _, words in near))[:_SUGGESTIONS]

    def read(self, text: str) -> tuple[tuple[str, ...], tuple[Unknown, ...]]:
        """Reads a list in free text: the tags, sorted and unique, and what was not understood, in the order written."""
        tags: set[str] = set()
        unknown: dict[str, Unknown] = {}
        for sentence in _SENTENCE_BREAK.split(text):
            said, *denied = _DENIAL.split(sentence, maxsplit=1)
            self._read_list(said, tags, unknown)
            if denied:
                words = _without_bullets(sentence[len(said) :].lstrip(", "))
                unknown.setdefault(_key(words), Unknown(words))
        return tuple(sorted(tags)), tuple(unknown.values())

    def _read_list(self, text: str, tags: set[str], unknown: dict[str, Unknown]) -> None:
        for piece in _HARD_BREAK.split(text):
            # "arts and crafts and football": breaks may be part of a name, so the longest run that is a name wins.
            parts = _SOFT_BREAK.split(piece)  # words at the even places, breaks at the odd
            start = 0
            while start < len(parts):
                for end in range(min(len(parts), start + 9), start, -2):  # no name holds more than four breaks
                    tag = self._find_in_sentence("".join(parts[start:end]))
                    if tag:
                        tags.add(tag)
                        break
                else:
                    words = _without_bullets(parts[start])
                    if _bare(words) and _key(words) not in unknown:
                        unknown[_key(words)] = Unknown(words, self.suggest(words))
                start = end + 1

    def _find_in_sentence(self, text: str) -> str | None:
        """As `find`, also behind words such as "I like playing the …"."""
        tag = self.find(text)
        words = _key(text).split()
        while tag is None and words and _LEADING.fullmatch(words[0]):
            words = words[1:]
            tag = self._tags.get(" ".join(words))
        return tag


def read_interests(text: str) -> tuple[tuple[str, ...], tuple[Unknown, ...]]:
    """Interests in a cell's free text: tags of `vocabularies/interests.toml`, sorted, and what was not understood.

    >>> read_interests("Footy; Minecraft, swiming")
    (('football', 'minecraft'), (Unknown(text='swiming', suggestions=('swimming',)),))
    """
    return _interests().read(text)


def interests() -> tuple[str, ...]:
    """Every interest tag, sorted."""
    return tuple(sorted(_interests().terms))


def interest_label(tag: str) -> str:
    """What people read for a tag: "Board games". NotFoundError for a tag that is not in the vocabulary."""
    return _term(_interests(), tag, "an interest").label


def interest_group(tag: str) -> str:
    """The group of a tag: "sports" for football. NotFoundError for a tag that is not in the vocabulary."""
    return _term(_interests(), tag, "an interest").group or ""


def interest_tells(tag: str) -> str:
    """What an interest says of a person that is private: "religion", or what else in a few words; "" for nothing.

    NotFoundError for a tag that is not in the vocabulary.
    """
    return _term(_interests(), tag, "an interest").tells


def read_languages(text: str) -> tuple[tuple[str, ...], tuple[Unknown, ...]]:
    """Languages in a cell's free text, by English name or BCP 47 tag: tags, sorted, and what was not understood.

    >>> read_languages("Tigrinya, Kurdish (Sorani) and BSL")
    (('bfi', 'ckb', 'ti'), ())
    """
    return _languages().read(text)


def languages() -> tuple[str, ...]:
    """The English name of every language, sorted."""
    return tuple(sorted(term.label for term in _languages().terms.values()))


@cache
def language_name(tag: str) -> str:
    """The English name of a BCP 47 tag: "Tigrinya" for ti. NotFoundError for a tag that stands for no language."""
    import langcodes

    known = _languages().terms.get(tag)
    if known:
        return known.label
    if not langcodes.tag_is_valid(tag):
        raise NotFoundError(f"“{tag}” is not the tag of a language. Use a BCP 47 tag such as ti or pt-BR.")
    return langcodes.Language.get(tag).display_name()


def ethnicities() -> tuple[str, ...]:
    """Every ethnicity code, in the order of the Department for Education's list."""
    return tuple(_ethnicities().terms)


def find_ethnicity(text: str) -> str:
    """The SSDA903 code for a code or a name: WBRI for "White British". NotFoundError, with suggestions, otherwise."""
    return _find(_ethnicities(), text, "an ethnicity", "Write an SSDA903 code or name, such as WBRI or White British")


def ethnicity_label(code: str) -> str:
    """The Department for Education's name of a code. NotFoundError for a code that is not one of the 20."""
    return _term(_ethnicities(), code, "an ethnicity").label


def ethnicity_group(code: str) -> str | None:
    """The broad census group: white, mixed, asian, black or other; None where it was refused or not obtained.

    Chinese counts as asian, as in the census since 2011. NotFoundError for a code that is not one of the 20.
    """
    return _term(_ethnicities(), code, "an ethnicity").group


def religions() -> tuple[str, ...]:
    """What people read for each category, in the order of the census; who did not answer has none."""
    return tuple(term.label for tag, term in _religions().terms.items() if tag != "not answered")


def find_religion(text: str) -> str:
    """The census category: "muslim" for "Islam". NotFoundError, with suggestions, otherwise."""
    return _find(_religions(), text, "a religion", "Write a category of the census, such as Christian or No religion")


def religion_label(code: str) -> str:
    """What people read for a category. NotFoundError for one that is not in the vocabulary."""
    return _term(_religions(), code, "a religion").label


def interest_vocabulary(toml: str, name: str = "interests.toml") -> Vocabulary:
    """Reads interests: a table a group, in it `tag = { label, synonyms, tells }`. InputError for what is none."""
    try:
        groups = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name} is not valid TOML: {error}. Compare the line with its neighbours.") from error
    terms = [
        _interest(name, group, tag, entry)
        for group, table in groups.items()
        for tag, entry in _table(name, group, table).items()
    ]
    return Vocabulary(name, terms)


def code_vocabulary(text: str, name: str, *, codes_are_words: bool = True) -> Vocabulary:
    """Reads CSV with `code,label,group,synonyms`, synonyms parted by semicolons. InputError where it cannot be used."""
    rows = csv.DictReader(text.splitlines())
    if rows.fieldnames != _COLUMNS:
        raise InputError(f"{name}: the columns are {rows.fieldnames}. They must be {', '.join(_COLUMNS)}.")
    terms = []
    for row in rows:
        if None in row or None in row.values():
            raise InputError(f"{name}, line {rows.line_num} must have {len(_COLUMNS)} cells. Quote cells with commas.")
        synonyms = tuple(word for word in (part.strip() for part in row["synonyms"].split(";")) if word)
        terms.append(Term(row["code"], row["label"], row["group"] or None, synonyms))
    return Vocabulary(name, terms, tags_are_words=codes_are_words)


_COLUMNS = ["code", "label", "group", "synonyms"]

# Hard breaks always part two entries; soft ones may also stand inside a name ("R&B", "Kurdish (Sorani)").
# A slash breaks between words, not letters: "n/a" is one thing.
_SENTENCE_BREAK = re.compile(r"[;\n\r\t•·|]|\.\s")
_HARD_BREAK = re.compile(r"[,:]")
_SOFT_BREAK = re.compile(r"(\s+(?:and|or|plus|[-–—+])\s+|\s*&\s*|\s*[()]\s*|(?<=\w\w)\s*/\s*(?=\w\w))", re.IGNORECASE)

# "Dislikes football and rugby": from the comma before such a word, nothing of the sentence is an interest.
_DENIAL = re.compile(
    r"(?:^|,)[^,]*\b(?:not|no|never|without|except|dislik\w+|hat(?:es?|ed|ing)|avoids?|scared|afraid"
    r"|\w+n['’]t|dont|doesnt|cannot)\b",
    re.IGNORECASE,
)

# What may stand before an interest or a language without changing it ("I like playing the …"); "not" and "hate" do.
_LEADING = re.compile(
    "i|he|she|they|we|and|also|really|all|some|my|the|a|an|to|for|like|liking|love|loving|enjoy|enjoying"
    "|play|playing|watch|watching|listen|listening|go|going|do|doing|speak|speaking"
)

# Names of languages that mean something else in a form, or do not say which language is meant.
_NOT_LANGUAGES = frozenset({"iron", "mari", "more", "noon", "serbo croatian", "sign language", "slave"})


def _key(text: str) -> str:
    """What two ways of writing must share to be one: words without capitals, accents, punctuation or plural."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("&", " and "))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter) and letter not in "'’ʼʻ")
    return " ".join(_singular(word) for word in re.findall(r"[^\W_]+", plain))


def _singular(word: str) -> str:
    """A stem good enough to compare by; it need not be a word ("movies" and "movie" are both "movy")."""
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        word = re.sub(r"(x|ch|sh|ss)e$", r"\1", word[:-1])
    return re.sub(r"ie$", "y", word) if len(word) > 3 else word


def _without_bullets(text: str) -> str:
    return text.strip(" \t.!?-–—*'\"“”‘’")


def _bare(text: str) -> bool:
    """Whether anything is left once words such as "I like" are gone."""
    return any(not _LEADING.fullmatch(word) for word in _key(text).split())


def _term(vocabulary: Vocabulary, tag: str, kind: str) -> Term:
    try:
        return vocabulary.terms[tag]
    except KeyError:
        raise NotFoundError(f"“{tag}” is not the tag of {kind}. Use one from the vocabulary.") from None


def _find(vocabulary: Vocabulary, text: str, kind: str, remedy: str) -> str:
    tag = vocabulary.find(text)
    if tag is None:
        near = " or ".join(f"“{vocabulary.terms[tag].label}” ({tag})" for tag in vocabulary.suggest(text))
        perhaps = f"; perhaps {near}" if near else ""
        raise NotFoundError(f"“{text}” is not {kind} that Kith knows. {remedy}{perhaps}.")
    return tag


def _table(name: str, where: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise InputError(f"{name}: “{where}” is not a table. Write [{where}] and the interests below it.")
    return value


def _interest(name: str, group: str, tag: str, value: object) -> Term:
    entry = _table(name, f"{group}.{tag}", value)
    label, synonyms, tells = entry.get("label"), entry.get("synonyms", []), entry.get("tells", "")
    strange = sorted(entry.keys() - {"label", "synonyms", "tells"})
    if strange:
        what = "An interest has a label, synonyms, and what it tells, only."
        raise InputError(f"{name}: “{tag}” has {', '.join(strange)}. {what}")
    if not isinstance(label, str):
        raise InputError(f'{name}: “{tag}” has no label. Write label = "…", what people shall read.')
    if not isinstance(synonyms, list) or not all(isinstance(word, str) for word in synonyms):
        raise InputError(f'{name}: the synonyms of “{tag}” are no list of words. Write synonyms = ["…", "…"].')
    if not isinstance(tells, str) or ("tells" in entry and not tells.strip()):
        raise InputError(f'{name}: what “{tag}” tells is no word. Write tells = "religion", or leave it out.')
    return Term(tag, label, group, tuple(synonyms), tells)


def _file(name: str) -> str:
    return files("matcher").joinpath("vocabularies", name).read_text(encoding="utf-8")


@cache
def _interests() -> Vocabulary:
    return interest_vocabulary(_file("interests.toml"))


@cache
def _ethnicities() -> Vocabulary:
    return code_vocabulary(_file("ethnicity.csv"), "ethnicity.csv")


@cache
def _religions() -> Vocabulary:
    return code_vocabulary(_file("religion.csv"), "religion.csv")


@cache
def _languages() -> Vocabulary:
    """Our own `languages.csv` first, then what the library knows and people in number speak or sign.

    The library also has thousands of small languages that share their names with people (Ali, Sam, Maria), takes names
    by their beginnings (Sarah for Sara), and has no numbers for some large ones: hence a table of our own.
    """
    from langcodes import Language, standardize_tag
    from language_data.names import load_trie
    from language_data.util import data_filename

    ours = code_vocabulary(_file("languages.csv"), "languages.csv", codes_are_words=False)
    names: dict[str, dict[str, str]] = {}  # key -> tag -> the name behind the key
    path = data_filename("trie/en/name_to_language.marisa")  # type: ignore[no-untyped-call]
    for name, value in load_trie(path).items():  # type: ignore[no-untyped-call]
        key, tag = _key(name), str(value.decode())
        if len(key) <= 3 or not key.isascii() or key in _NOT_LANGUAGES or ours.find(name):
            continue
        if not tag.isalpha():  # a regional form (en-AU) would match itself alone; our table keeps the few that count
            continue
        if Language.get(tag).speaking_population() or key.endswith("sign language"):
            names.setdefault(key, {})[standardize_tag(tag)] = name

    synonyms: dict[str, list[str]] = {}
    for claims in names.values():
        if len(claims) == 1:  # a name of two languages is nobody's
            for tag, name in claims.items():
                synonyms.setdefault(tag, []).append(name)

    terms = [replace(term, synonyms=(*term.synonyms, *synonyms.pop(term.tag, ()))) for term in ours.terms.values()]
    for tag, words in sorted(synonyms.items()):
        shown = Language.get(tag).display_name()
        label = shown if _key(shown) in {_key(word) for word in words} else min(words).title()
        terms.append(Term(tag, label, synonyms=tuple(sorted(words))))
    return Vocabulary("languages", terms, tags_are_words=False)
