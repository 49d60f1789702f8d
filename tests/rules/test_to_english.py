"""Rules as sentences."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from ma.rules.catalogue import STANDARD, KnownSegment
from ma.rules.check import parse
from ma.rules.events import behaviour
from ma.rules.nodes import CampaignRule, Did, EventRule, FieldRule, RandomRule, SegmentRule
from ma.rules.to_english import amount, english, phrase
from tests.rules.generated import CATALOGUE, nodes

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
        "Customers where last visit is more than 1 month ago (or never).",
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
    ({"field": "last_visit", "operator": "is_missing"}, "Customers where last visit does not exist yet."),
    ({"field": "average_order", "operator": "is_set"}, "Customers where average order exists."),
    (
        {"field": "average_order", "operator": "lt", "value": 5000, "missing": "match"},
        "Customers where average order is less than $50 (or no order yet).",
    ),
    (
        {"field": "engagement", "operator": "gte", "value": 62.5},
        "Customers where engagement is at least 62.5.",
    ),
    ({"field": "engagement", "operator": "lt", "value": 50}, "Customers where engagement is less than 50."),
    (
        {"field": "age", "operator": "not_in", "value": list(range(20, 32))},
        "Customers where age is none of 20, 21, 22, 23, 24, 25, 26, 27 or 4 more.",
    ),
    (
        {"field": "tags", "operator": "has_all", "value": ["vip", "press"]},
        "Customers where tags has all of “vip” and “press”.",
    ),
    (
        {"field": "tags", "operator": "has_any", "value": ["vip", "press"]},
        "Customers where tags has any of “vip” or “press”.",
    ),
    (
        {"field": "attribute:14", "operator": "gt", "value": 12.5, "missing": "match"},
        "Customers where Points is more than 12.5 (or is unknown).",
    ),
    (
        {"any": [LOYAL, {"not": {"in_segment": 7}}, {"random": "autumn test", "from": 0, "to": 50}]},
        "Customers where number of orders is at least 10, or not (they are in the segment “Loyal”), or they "
        "are in the first 50 % of the random split “autumn test”.",
    ),
]
WINE = {"field": "category", "operator": "eq", "value": "wine"}
WEEKS = {"last": 2, "unit": "week"}
JANUARY = {"from": "2026-01-01", "to": "2026-01-31"}


def bought(measure="count", operator="gte", value=3, event="purchase", **more):
    return {"event": event, "measure": measure, "operator": operator, "value": value} | more


PHRASES = [
    (bought(), "number of purchases is at least 3"),
    (bought(operator="eq", value=0, within=WEEKS), "number of purchases in the last 2 weeks is 0"),
    (
        bought(where=WINE, within={"last": 90, "unit": "day"}),
        "number of purchases in the last 90 days (where category is “wine”) is at least 3",
    ),
    (
        bought("sum", "between", [5000, 10050], event="refund", within=JANUARY),
        "total amount of refunds from 1 January 2026 to 31 January 2026 is between $50 and $100.50",
    ),
    (
        bought("avg", "lt", 5000, within={"from": "2026-01-01"}, missing="match"),
        "average amount of purchases from 1 January 2026 on is less than $50 (or none)",
    ),
    (
        bought("min", "gt", 0, within={"to": "2026-01-31"}),
        "lowest amount of purchases up to 31 January 2026 is more than $0",
    ),
    (
        bought("max", "ne", 1, within={"from": "2026-01-31", "to": "2026-01-31"}),
        "highest amount of purchases on 31 January 2026 is not $0.01",
    ),
    (bought("days_since_last", "lte", 30), "days since the last purchase is at most 30"),
    (
        bought("days_since_last", "gt", 30, missing="match"),
        "days since the last purchase is more than 30 (or never)",
    ),
    (
        bought(
            "days_since_first",
            "in",
            [1, 2],
            where={"all": [WINE, {"field": "quantity", "operator": "gt", "value": 6}]},
        ),
        "days since the first purchase (where category is “wine” and quantity is more than 6) is "
        "any of 1 or 2",
    ),
    (bought(event="visit"), "number of visits is at least 3"),
    (
        bought(event="visit", where={"field": "device", "operator": "in", "value": ["phone", "tablet"]}),
        "number of visits (where device is any of phone or tablet) is at least 3",
    ),
    (bought(event="cart_abandoned"), "number of “cart abandoned” events is at least 3"),
    (
        bought("days_since_last", event="cart_abandoned"),
        "days since the last “cart abandoned” event is at least 3",
    ),
    (
        {"campaign": 3, "did": "opened", "within": {"last": 30, "unit": "day"}},
        "they opened the campaign “Autumn sale” in the last 30 days",
    ),
    ({"campaign": "any", "did": "was_sent"}, "they were sent any campaign"),
    ({"campaign": {"channel": "email"}, "did": "delivered"}, "they received any e-mail campaign"),
    ({"campaign": {"channel": "sms"}, "did": "clicked"}, "they clicked on any SMS campaign"),
    ({"campaign": {"channel": "push"}, "did": "converted"}, "they converted after any push campaign"),
    (
        {"campaign": {"channel": "direct_mail"}, "did": "unsubscribed"},
        "they unsubscribed after any direct mail campaign",
    ),
    ({"in_segment": 7}, "they are in the segment “Loyal”"),
    ({"random": "a", "from": 33.34, "to": 100}, "they are in the last 66.66 % of the random split “a”"),
    ({"random": "a", "from": 20, "to": 50}, "they are in the part from 20 % to 50 % of the random split “a”"),
    ({"random": "a", "from": 0, "to": 100}, "they are in the first 100 % of the random split “a”"),
    (
        {"any": [LOYAL, {"in_segment": 7}]},
        "(number of orders is at least 10, or they are in the segment “Loyal”)",
    ),
]


@pytest.mark.parametrize(("rule", "sentence"), SENTENCES, ids=range(len(SENTENCES)))
def test_a_rule_reads_as_a_sentence(rule, sentence):
    assert english(parse(rule, CATALOGUE), currency="USD", catalogue=CATALOGUE) == sentence


@pytest.mark.parametrize(("rule", "words"), PHRASES, ids=range(len(PHRASES)))
def test_a_leaf_reads_as_a_clause(rule, words):
    assert phrase(parse(rule, CATALOGUE), currency="USD", catalogue=CATALOGUE) == words


def test_what_is_gone_is_said_to_be_gone():
    gone = {
        FieldRule("attribute:99", "eq", 4.5): "a field that is gone (99) is 4.5",
        CampaignRule(Did.OPENED, 12): "they opened a campaign that is gone (12)",
        SegmentRule(12): "they are in a segment that is gone (12)",
        EventRule(
            "basket", "count", "gt", 1, (FieldRule("colour", "eq", "red"),)
        ): "number of “basket” events (where a field that is gone (colour) is “red”) is more than 1",
    }
    for leaf, words in gone.items():
        assert phrase(leaf, currency="USD", catalogue=CATALOGUE) == words


def test_without_a_workspace_things_are_called_by_their_ids():
    unnamed = {
        FieldRule("attribute:12", "eq", "42"): "own field 12 is “42”",
        CampaignRule(Did.OPENED, 12): "they opened campaign 12",
        SegmentRule(7): "they are in segment 7",
    }
    assert {leaf: phrase(leaf, currency="USD") for leaf in unnamed} == unnamed


def test_names_that_break_lines_or_are_empty_can_be_read():
    odd = replace(
        CATALOGUE,
        campaigns={1: "a\nb\t\u202ec"},
        segments={1: KnownSegment("\0", None)},
        events={"\n": behaviour("\n")},
        fields={"attribute:1": replace(CATALOGUE.fields["attribute:12"], label="\u200b")},
    )
    rules = {
        CampaignRule(Did.OPENED, 1): "they opened the campaign “a b c”",
        SegmentRule(1): "they are in the segment “without a name”",
        FieldRule("attribute:1", "is_set"): "without a name is known",
        RandomRule("\t", 0, 1): "they are in the first 1 % of the random split “without a name”",
    }
    assert {rule: phrase(rule, currency="USD", catalogue=odd) for rule in rules} == rules
    assert phrase(EventRule("\n", "count", "gt", 1), currency="USD", catalogue=odd).isprintable()


FORGED = [
    ("country", "eq", "DE", "country is DE"),
    ("age_band", "in", ["65+", "18-24", "under 18"], "age band is any of 65+, 18-24 or under 18"),
    ("country", "eq", "DE, or age is at least 3", "country is “DE, or age is at least 3”"),
    ("country", "in", ["DE or FR", "IT"], "country is any of “DE or FR” or IT"),
    ("country", "in", ["DE, FR", "IT"], "country is any of “DE, FR” or IT"),
    ("gender", "eq", "unknown", "gender is “unknown”"),
    ("gender", "eq", "not female", "gender is “not female”"),
    ("gender", "eq", " female", "gender is “ female”"),
    ("gender", "eq", "a\u202eb\nc", "gender is “a b c”"),
    ("kids", "eq", "2”, or age is at least “3", "number of kids is “2’, or age is at least ‘3”"),
    ("city", "eq", 'Bonn” or "Köln', "city is “Bonn’ or 'Köln”"),
    ("city", "eq", " Bonn\nKöln ", "city is “Bonn Köln”"),
    ("city", "contains", " van ", "city contains “ van ”"),
    ("city", "starts_with", " van ", "city starts with “van ”"),
    ("city", "ends_with", " van ", "city ends with “ van”"),
    ("tags", "has_any", ["a” or “b", "c"], "tags has any of “a’ or ‘b” or “c”"),
]


@pytest.mark.parametrize(("field", "operator", "value", "words"), FORGED, ids=range(len(FORGED)))
def test_no_value_can_be_taken_for_a_part_of_the_sentence(field, operator, value, words):
    rule = {"field": field, "operator": operator, "value": value}
    assert phrase(parse(rule), currency="USD") == words


def test_no_name_can_be_taken_for_a_part_of_the_sentence():
    name = "a”, or age is at least “3"
    names = replace(CATALOGUE, campaigns={1: name}, segments={1: KnownSegment(name, None)})
    inner = "“a’, or age is at least ‘3”"
    for leaf in (CampaignRule(Did.OPENED, 1), SegmentRule(1), RandomRule(name, 0, 1)):
        assert phrase(leaf, currency="USD", catalogue=names).endswith(inner)
    event = EventRule(name, "count", "gt", 1)
    words = phrase(event, currency="USD", catalogue=replace(names, events={name: behaviour(name)}))
    assert words == f"number of {inner} events is more than 1"


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(nodes())
def test_every_rule_can_be_said_with_and_without_its_workspace(node):
    for catalogue in (CATALOGUE, STANDARD):
        sentence = english(node, currency="EUR", catalogue=catalogue)
        assert sentence.startswith("Customers where ")
        assert sentence.count("(") == sentence.count(")")


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
