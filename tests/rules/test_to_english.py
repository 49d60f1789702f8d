"""Rules as sentences."""

import pytest

from ma.rules.check import parse
from ma.rules.to_english import amount, english

LOYAL = {"field": "orders", "operator": "gte", "value": 10}
SENTENCES = [
    (LOYAL, "Customers where number of orders is at least 10."),
    ({"all": [LOYAL]}, "Customers where number of orders is at least 10."),
    (
        {
            "all": [
                {"field": "country", "operator": "in", "value": ["DE", "FR"]},
                {"any": [{"field": "lifetime_value", "operator": "gt", "value": 80050}, LOYAL]},
                {"not": {"field": "last_order", "operator": "in_last", "value": 90, "unit": "day"}},
            ]
        },
        "Customers where country is any of DE or FR, and (lifetime value is more than $800.50, or number of "
        "orders is at least 10), and not (last order is in the last 90 days).",
    ),
    (
        {"none": [{"field": "city", "operator": "contains", "value": "50%"}, LOYAL]},
        "Customers where not (city contains “50%”, or number of orders is at least 10).",
    ),
    (
        {"field": "last_visit", "operator": "more_than_ago", "value": 1, "unit": "month", "missing": "match"},
        "Customers where last visit is more than 1 month ago (or is unknown).",
    ),
    (
        {"field": "birth_date", "operator": "anniversary_in_next", "value": 2, "unit": "week"},
        "Customers where birth date has its anniversary in the next 2 weeks.",
    ),
    (
        {"field": "joined_on", "operator": "between", "value": ["2026-01-01", "2026-03-31"]},
        "Customers where joining date is between 1 January 2026 and 31 March 2026.",
    ),
    ({"field": "consent_sms", "operator": "eq", "value": False}, "Customers where SMS consent is no."),
    ({"field": "email", "operator": "is_missing"}, "Customers where e-mail address is unknown."),
    (
        {"field": "engagement", "operator": "gte", "value": 62.5},
        "Customers where engagement is at least 62.5.",
    ),
    ({"field": "engagement", "operator": "lt", "value": 50}, "Customers where engagement is less than 50."),
    (
        {"field": "age", "operator": "not_in", "value": list(range(20, 32))},
        "Customers where age is none of 20, 21, 22, 23, 24, 25, 26, 27 or 4 more.",
    ),
]


@pytest.mark.parametrize(("rule", "sentence"), SENTENCES)
def test_a_rule_reads_as_a_sentence(rule, sentence):
    assert english(parse(rule), currency="USD") == sentence


@pytest.mark.parametrize(
    ("minor", "currency", "words"),
    [
        (80000, "USD", "$800"),
        (5, "EUR", "€0.05"),
        (-1234567, "GBP", "-£12,345.67"),
        (1500, "JPY", "¥1,500"),
        (150, "CHF", "1.50 CHF"),
    ],
)
def test_amounts_are_written_in_the_currency(minor, currency, words):
    assert amount(minor, currency) == words
