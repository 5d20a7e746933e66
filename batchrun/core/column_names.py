"""How alike a column's name and a field's path are: case, blanks, punctuation and common words left aside."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from functools import lru_cache

from batchrun.core.targets import Path

Words = tuple[str, ...]

LEAST = 0.75
_ALIKE = 0.85  # of two words: Adress and address, not amount and account
_IN_WORDS = 0.99
_SHORTEST = 5  # shorter words are alike by chance

# Each line: the word that stands for all of them, and its other names in the sheets of finance teams.
_GROUPS = """
number: no nr num nummer numero numéro nº № id #
amount: betrag montant importe summe
currency: währung devise ccy
date: datum
due: fällig fälligkeit
name: nom
payee: vendor supplier lieferant kreditor fournisseur beneficiary creditor
customer: client kunde debitor
invoice: rechnung facture inv bill
order: bestellung auftrag commande
reference: ref referenz référence
street: straße rue
city: ort stadt ville town
country: land pays
phone: telefon telephone tel mobile
note: bemerkung comment remark remarks notes comments
email: mail
quantity: qty menge anzahl stück pieces quantité
price: preis prix
description: desc beschreibung bezeichnung text
address: adresse anschrift addr
account: konto compte acct
center: centre
urgent: rush eilig express
valid: gültig
from: ab von
to: bis
tag: tags labels
period: zeitraum periode
"""
# One word that stands for several.
_COMPOUNDS = {
    "kundennummer": ("customer", "number"),
    "rechnungsnummer": ("invoice", "number"),
    "rechnungsnr": ("invoice", "number"),
    "bestellnummer": ("order", "number"),
    "auftragsnummer": ("order", "number"),
    "belegnummer": ("document", "number"),
    "lieferantennummer": ("payee", "number"),
    "rechnungsdatum": ("invoice", "date"),
    "rechnungsbetrag": ("invoice", "amount"),
    "vorname": ("first", "name"),
    "nachname": ("last", "name"),
    "surname": ("last", "name"),
    "plz": ("postal", "code"),
    "postleitzahl": ("postal", "code"),
    "zip": ("postal", "code"),
    "zipcode": ("postal", "code"),
    "postcode": ("postal", "code"),
    "kostenstelle": ("cost", "center"),
    "verwendungszweck": ("payment", "reference"),
}
# What a name may end in without meaning another thing: Due and dueDate, Customer and customer.name.
_DROPPABLE = {"number", "date", "name", "amount", "code", "value", "text", "field"}
_NUMBERING = {"number", "reference", "key", "code"}
_AMOUNTS = {"amount", "total", "sum", "net", "gross", "netto", "brutto", "price", "limit", "balance", "saldo"}


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(mark for mark in plain if not unicodedata.combining(mark))


def _canonical() -> dict[str, str]:
    groups = (line.split(": ") for line in _GROUPS.strip().splitlines())
    return {_folded(other): word for word, others in groups for other in others.split()}


_CANONICAL = _canonical()


@lru_cache(maxsize=4096)
def words_of(name: str) -> Words:
    """Give a name's words in one common spelling: `dueDate`, `Due-Date` and `DUE DATUM` are due and date."""
    apart = re.sub(r"(?<=[a-zß-ÿ0-9])(?=[A-ZÀ-Þ])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=[0-9])", " ", name)
    found: list[str] = []
    for word in re.findall(r"\w+|[#№]", re.sub(r"[_º]", " ", _folded(apart.replace("№", "#")))):
        found += _COMPOUNDS.get(word, (_CANONICAL.get(word, word),))
    if len(found) > 1 and found[:2] == ["e", "email"]:
        found[:2] = ["email"]
    return tuple(found)


def likeness(column: str, path: Path) -> float:
    """Score how alike a column's name and a path are, from 0 to 1."""
    by_words = (
        _IN_WORDS * one * other * _alike(words, steps)
        for words, one in _of_column(column)
        for steps, other in _of_path(path)
    )
    return max(*by_words, _by_letters(column, path), 0.0)


def _by_letters(column: str, path: Path) -> float:
    """Prefer what is written the same: Comment is comment before it is note."""
    if any(isinstance(step, int) and step > 0 for step in path):
        return 0.0  # a list's second place wants its number in the name
    letters = _letters(column)
    tails = ((_letters("".join(names)), weight) for names, weight in _tails(path))
    return max((weight for tail, weight in tails if tail and tail == letters), default=0.0)


def _letters(text: str) -> str:
    return "".join(mark for mark in _folded(text) if mark.isalnum())


def _of_column(name: str) -> Iterator[tuple[Words, float]]:
    yield from _shortened(words_of(name), 1.0)
    outside = re.sub(r"\([^)]*\)|\[[^]]*\]", " ", name)  # a unit, as in Amount (EUR)
    if outside != name:
        yield from _shortened(words_of(outside), 0.97)


def _of_path(path: Path) -> Iterator[tuple[Words, float]]:
    places = [step for step in path if isinstance(step, int)]
    for names, weight in _tails(path):
        words = tuple(word for name in names for word in words_of(name))
        for place in places[-1:]:
            yield from _shortened((*words, str(place + 1)), weight)
        if not places or places[-1] == 0:
            yield from _shortened(words, weight)


def _tails(path: Path) -> Iterator[tuple[list[str], float]]:
    names = [step for step in path if isinstance(step, str)]
    for depth, weight in ((len(names), 1.0), (2, 0.97), (1, 0.95)):
        yield names[-depth:], weight


def _shortened(words: Words, weight: float) -> Iterator[tuple[Words, float]]:
    if words:
        yield words, weight
    if len(words) > 1 and words[-1] in _DROPPABLE:
        yield words[:-1], weight * 0.9


@lru_cache(maxsize=65536)
def _alike(one: Words, other: Words) -> float:
    if one == other:
        return 1.0
    if "".join(one) == "".join(other):
        return 0.99
    left, shared = list(other), 0
    for word in one:
        match = next((known for known in left if _same(word, known)), None)
        if match is not None:
            left.remove(match)
            shared += 1
    return 0.98 * 2 * shared / (len(one) + len(other))


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    return min(len(one), len(other)) >= _SHORTEST and SequenceMatcher(None, one, other).ratio() >= _ALIKE


def names_a_row(name: str) -> bool:
    """Tell whether a name is one that numbers things: Invoice No, Kundennummer, Ref."""
    words = words_of(name)
    return bool(_NUMBERING & set(words[-1:])) or (words[:1] == ("number",) and len(words) <= 2)


def is_amount(names: Iterable[str]) -> bool:
    """Tell whether one of some names speaks of money that is worth adding up."""
    return any(_AMOUNTS & set(words_of(name)) for name in names)
