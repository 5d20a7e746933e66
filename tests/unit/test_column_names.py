"""Names are compared as people mean them: case, marks and common words aside, and never by chance alone."""

from __future__ import annotations

import pytest

from batchrun.core import targets
from batchrun.core.column_names import LEAST, is_amount, likeness, names_a_row, words_of

ALIKE = [
    ("Invoice No", "invoiceNumber"),
    ("INVOICE_NO.", "invoiceNumber"),
    ("invoice-nr", "invoiceNumber"),
    ("Rechnungsnummer", "invoiceNumber"),
    ("Due", "dueDate"),
    ("Due Date", "due"),
    ("Fällig", "dueDate"),
    ("IBAN", "payee.iban"),
    ("Vendor", "payee.name"),
    ("Vendor No", "payee.number"),
    ("Amount (EUR)", "amount"),
    ("Betrag", "amount"),
    ("E-Mail", "customer.email"),
    ("eMail", "email"),
    ("Straße", "customer.address.street"),
    ("PLZ", "customer.address.postalCode"),
    ("Adress", "address"),
    ("Firstname", "firstName"),
    ("Organisation", "organization"),
    ("SKU 1", "lines[0].sku"),
    ("SKU", "lines[0].sku"),
    ("SKU2", "lines[1].sku"),
    ("№", "number"),
    ("XMLFile", "xmlFile"),
    ("Cost-Centre", "cost center"),
    ("日付", "日付"),
]
UNLIKE = [
    ("Amount", "account"),
    ("Currency", "customer"),
    ("Handled By", "requestedAt"),
    ("SKU", "lines[1].sku"),
    ("SKU 2", "lines[0].sku"),
    ("E-Mail Buchhaltung", "contacts[0].email"),
    ("🙂", "amount"),
    ("", "amount"),
    ("()", "amount"),
]


@pytest.mark.parametrize(("column", "path"), ALIKE)
def test_names_that_mean_the_same_are_alike(column: str, path: str) -> None:
    assert likeness(column, targets.parse(path)) >= LEAST


@pytest.mark.parametrize(("column", "path"), UNLIKE)
def test_names_that_only_look_alike_are_not(column: str, path: str) -> None:
    assert likeness(column, targets.parse(path)) < LEAST


def test_what_is_written_the_same_is_likelier_than_what_means_the_same() -> None:
    assert likeness("Comment", ("comment",)) > likeness("Comment", ("note",)) > 0.9


def test_the_whole_path_is_likelier_than_its_end() -> None:
    assert likeness("Payee Name", ("payee", "name")) > likeness("Payee Name", ("customer", "name"))


def test_a_name_of_marks_alone_has_no_words() -> None:
    assert words_of("🙂") == ()
    assert words_of("Ünï Nº 2") == ("uni", "number", "2")


@pytest.mark.parametrize(
    "name", ["Invoice No", "Ref", "ID", "Kundennummer", "No", "Nr.", "Order Reference", "No of PO"]
)
def test_names_of_rows(name: str) -> None:
    assert names_a_row(name) is (name != "No of PO")


def test_names_of_money() -> None:
    assert is_amount(["Betrag"])
    assert is_amount(["x", "totalAmount"])
    assert not is_amount(["Quantity", "price_list_no"[:0]])
