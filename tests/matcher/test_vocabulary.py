"""What people write in forms, and what Kith makes of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from matcher import vocabulary
from matcher.errors import InputError, NotFoundError
from matcher.vocabulary import (
    Unknown,
    code_vocabulary,
    ethnicity_group,
    ethnicity_label,
    find_ethnicity,
    find_religion,
    interest_group,
    interest_label,
    interest_vocabulary,
    interests,
    language_name,
    read_interests,
    read_languages,
    religion_label,
)

SSDA903 = {
    *("WBRI", "WIRI", "WIRT", "WROM", "WOTH"),
    *("MWBC", "MWBA", "MWAS", "MOTH"),
    *("AIND", "APKN", "ABAN", "CHNE", "AOTH"),
    *("BCRB", "BAFR", "BOTH"),
    *("OOTH", "REFU", "NOBT"),
}


def test_a_typo_is_suggested_and_never_guessed() -> None:
    assert read_interests("footy; Minecraft, swiming") == (
        ("football", "minecraft"),
        (Unknown("swiming", ("swimming",)),),
    )


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("", ()),
        ("football, FOOTBALL; soccer", ("football",)),
        ("arts and crafts", ("arts and crafts",)),
        ("arts and crafts and football", ("arts and crafts", "football")),
        ("football and arts & crafts", ("arts and crafts", "football")),
        ("cooking and baking", ("baking", "cooking")),
        ("R&B, D&D", ("pop music", "tabletop games")),
        ("Film/TV", ("film", "television")),
        ("Sports (football, rugby)", ("football", "rugby", "sport")),
        ("- Dogs\n- Cats\r\n• Board-games.", ("board games", "cats", "dogs")),
        ("I like playing the guitar, going to the gym", ("guitar", "gym")),
        ("Likes: hair and make-up", ("beauty",)),
        ("5-a-side", ("football",)),
        ("Pokemon", ("pokemon",)),
        ("movies; movie", ("film",)),
        ("pony", ("horses",)),
    ],
)
def test_interests_are_split_as_people_write_them(text: str, tags: tuple[str, ...]) -> None:
    assert read_interests(text) == (tags, ())


@pytest.mark.parametrize("text", ["n/a", "none", "xyz123", "quiet activities"])
def test_what_is_no_interest_is_handed_back_whole(text: str) -> None:
    assert read_interests(text) == ((), (Unknown(text),))


@pytest.mark.parametrize(
    ("text", "tags", "denied"),
    [
        ("hates football", (), "hates football"),
        ("Chess, doesn’t like football or rugby, golf", ("chess",), "doesn’t like football or rugby, golf"),
        ("Dislikes: football, rugby. Likes: swimming", ("swimming",), "Dislikes: football, rugby"),
        ("drawing; not swimming; lego", ("drawing", "lego"), "not swimming"),
    ],
)
def test_a_dislike_is_not_an_interest(text: str, tags: tuple[str, ...], denied: str) -> None:
    assert read_interests(text) == (tags, (Unknown(denied),))


def test_unknown_words_come_once_and_in_the_order_written() -> None:
    _, unknown = read_interests("zzyzx, football, qwop and Zzyzx")
    assert [word.text for word in unknown] == ["zzyzx", "qwop"]


def test_a_phrase_around_a_known_interest_suggests_it() -> None:
    tags, (unknown,) = read_interests("my dad's football on telly")
    assert tags == ()
    assert {"football", "television"} <= set(unknown.suggestions)
    assert len(unknown.suggestions) <= 3


def test_interest_tags_are_sorted_words_with_a_label_and_a_group() -> None:
    assert list(interests()) == sorted(set(interests()))
    assert len(interests()) > 100
    assert not [tag for tag in interests() if tag != tag.lower() or "_" in tag]
    assert (interest_label("diy"), interest_group("football")) == ("DIY", "sports")
    with pytest.raises(NotFoundError, match="footy"):
        interest_label("footy")


@pytest.mark.parametrize("load", ["_interests", "_ethnicities", "_religions", "_languages"])
def test_every_label_and_synonym_leads_to_its_own_tag(load: str) -> None:
    words = getattr(vocabulary, load)()
    for term in words.terms.values():
        for text in (term.tag, term.label, term.label.upper(), *term.synonyms):
            assert words.find(text) == term.tag, text


def test_every_interest_can_be_written_in_a_list() -> None:
    for term in vocabulary._interests().terms.values():
        for text in (term.tag, term.label, *term.synonyms):
            if "," not in text:
                assert read_interests(f"{text}; {text}") == ((term.tag,), ()), text


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("[sports\n", "not valid TOML"),
        ('football = "Football"', "not a table"),
        ('[a]\nb = "B"', "not a table"),
        ("[a]\nb = { synonyms = [] }", "no label"),
        ('[a]\nb = { label = "B", synonym = ["x"] }', "has synonym"),
        ('[a]\nb = { label = "B", synonyms = "x" }', "no list of words"),
        ('[a]\nb = { label = "B", tells = true }', "what “b” tells is no word"),
        ('[a]\nb = { label = "B", tells = " " }', "what “b” tells is no word"),
        ('[a]\nb = { label = "B", synonyms = ["-"] }', "empty label or synonym"),
        ('[a]\nb = { label = "B" }\n[c]\nb = { label = "B" }', "stands there twice"),
        ('[a]\nb = { label = "B", synonyms = ["Games"] }\nc = { label = "Game" }', "both “b” and “c”"),
    ],
)
def test_a_broken_vocabulary_is_refused_with_a_sentence(toml: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        interest_vocabulary(toml)


@pytest.mark.parametrize("text", ["code,label\nA,b\n", "code,label,group,synonyms\nA,b\n"])
def test_a_broken_table_of_codes_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"codes\.csv"):
        code_vocabulary(text, "codes.csv")


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("Farsi", ("fa",)),
        ("Dari; prs", ("fa-AF",)),
        ("Sorani", ("ckb",)),
        ("Kurdish (Sorani)", ("ckb",)),
        ("Kurdish - Sorani", ("ckb",)),
        ("Kurdish", ("ku",)),
        ("Sylheti", ("syl",)),
        ("BSL, british sign language", ("bfi",)),
        ("Tigrinya", ("ti",)),
        ("English/Twi & Yoruba", ("en", "tw", "yo")),
        ("I speak Polish", ("pl",)),
        ("Portuguese, Brazilian Portuguese", ("pt", "pt-BR")),
        ("Tagalog and Filipino", ("fil",)),
        ("ti, ckb, fa-AF", ("ckb", "fa-AF", "ti")),
    ],
)
def test_languages_resolve_by_name_and_by_tag(text: str, tags: tuple[str, ...]) -> None:
    assert read_languages(text) == (tags, ())


@pytest.mark.parametrize(
    "text",
    [
        *("xyz123", "n/a", "none", "No", "no", "more", "fluent", "sign language", "ISL", "Makaton"),
        *("John", "Sarah", "Ali", "Sam", "Dan", "Maria", "Ada", "Kim", "Amara", "Samuel"),
    ],
)
def test_what_is_no_language_is_not_taken_for_one(text: str) -> None:
    tags, (unknown,) = read_languages(text)
    assert (tags, unknown.text) == ((), text)


def test_a_misspelt_language_is_suggested() -> None:
    assert read_languages("Ukranian, Gujurati") == ((), (Unknown("Ukranian", ("uk",)), Unknown("Gujurati", ("gu",))))


def test_language_names_are_those_used_in_england() -> None:
    assert [language_name(tag) for tag in ("ti", "fa", "fa-AF", "ckb", "bn", "bfi", "es-MX")] == [
        "Tigrinya",
        "Farsi",
        "Dari",
        "Kurdish (Sorani)",
        "Bengali",
        "British Sign Language",
        "Spanish (Mexico)",
    ]
    with pytest.raises(NotFoundError, match="xyz123"):
        language_name("xyz123")


def test_every_language_tag_is_canonical() -> None:
    import langcodes

    tags = vocabulary._languages().terms
    assert [tag for tag in tags if langcodes.standardize_tag(tag) != tag] == []
    assert [tag for tag in tags if not langcodes.tag_is_valid(tag)] == []


def test_langcodes_is_loaded_only_when_a_language_is_read() -> None:
    code = "import sys, matcher.vocabulary as v; v.read_interests('chess'); sys.exit('langcodes' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_ethnicities_are_the_20_of_ssda903() -> None:
    assert set(vocabulary._ethnicities().terms) == SSDA903
    assert len(SSDA903) == 20
    assert {code for code in SSDA903 if ethnicity_group(code) is None} == {"REFU", "NOBT"}
    assert {ethnicity_group(code) for code in SSDA903} == {"white", "mixed", "asian", "black", "other", None}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("WBRI", "WBRI"),
        (" wbri ", "WBRI"),
        ("White British", "WBRI"),
        ("White - British", "WBRI"),
        ("any other mixed background", "MOTH"),
        ("Mixed: White and Asian", "MWAS"),
        ("White/Black Caribbean", "MWBC"),
        ("Mixed - White & Black African", "MWBA"),
        ("Black or Black British: African", "BAFR"),
        ("Gypsy/Roma", "WROM"),
        ("Irish Traveller", "WIRT"),
        ("Chinese", "CHNE"),
        ("Prefer not to say", "REFU"),
        ("not known", "NOBT"),
    ],
)
def test_ethnicity_is_found_by_code_and_by_name(text: str, code: str) -> None:
    assert find_ethnicity(text) == code


@pytest.mark.parametrize("text", ["British", "Asian British", "Black", "Mixed", "", "Gypsy or Irish Traveller"])
def test_a_vague_ethnicity_is_not_guessed(text: str) -> None:
    with pytest.raises(NotFoundError, match="SSDA903"):
        find_ethnicity(text)


def test_a_misspelt_ethnicity_is_suggested() -> None:
    with pytest.raises(NotFoundError, match=r"“Whte British”.*perhaps “White – British” \(WBRI\)"):
        find_ethnicity("Whte British")
    with pytest.raises(NotFoundError, match="XXXX"):
        ethnicity_label("XXXX")


def test_religion() -> None:
    assert [find_religion(text) for text in ("Islam", "C of E", "None", "Sikhism", "Rastafarian")] == [
        "muslim",
        "christian",
        "no religion",
        "sikh",
        "other",
    ]
    assert religion_label("no religion") == "No religion"
    with pytest.raises(NotFoundError, match="perhaps “Christian”"):
        find_religion("cristian")
