"""A file of customers: what it would change, and changing it."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.analytics.workspace import workspace
from ma.clock import local_day
from ma.db import staging
from ma.files.columns import Target
from ma.models import Attribute, Customer
from ma.services import customer_fields as fields
from ma.services import import_extras as extras
from ma.services import import_people as people
from ma.services import import_values as values
from ma.services import import_writing as writing
from ma.services.import_plans import Options, Rows, no_changes
from ma.types import Actor, Channel

CUSTOMER = Customer.__table__
CONSENTS = tuple(f"consent_{channel}" for channel in Channel)
# How many customers are read from the database at once to see what a file changes in them.
_PART = 100_000

_ALIASES = {
    "external_id": ("customer id", "customer number", "customer no", "id", "household id", "user id",
                    "member id", "contact id", "kundennummer", "kundennr", "client id"),
    "first_name": ("given name", "forename", "firstname", "vorname", "prénom"),
    "last_name": ("surname", "family name", "lastname", "nachname", "familienname", "nom"),
    "email": ("e-mail", "mail", "email address", "e-mail-adresse", "e-mail address"),
    "phone": ("telephone", "mobile", "mobile phone", "cell", "tel", "telefon", "handy", "phone number"),
    "gender": ("sex", "geschlecht"),
    "birth_date": ("birthday", "date of birth", "dob", "born", "geburtsdatum", "geburtstag"),
    "city": ("town", "place", "ort", "stadt", "ville"),
    "postal_code": ("zip", "zip code", "postcode", "plz", "postleitzahl"),
    "country": ("country code", "nation", "land", "pays"),
    "joined_on": ("joined", "customer since", "member since", "signed up", "kunde seit", "registered on"),
    "age_band": ("age group", "age", "alter"),
    "income_band": ("income",),
    "household_size": ("household",),
    "consent_email": ("email consent", "email opt in", "newsletter", "opt in"),
    "consent_sms": ("sms consent", "sms opt in"),
    "consent_push": ("push consent", "push opt in"),
    "consent_direct_mail": ("direct mail", "mail consent", "post consent", "direct mail opt in"),
    "consent_ads": ("ads consent", "ads opt in", "advertising", "custom audience"),
}  # fmt: skip
_KINDS = {"text": "text", "number": "number", "yes_no": "yes_no", "date": "date", "list": "text"}


@dataclass
class Work:
    """What `apply` writes. `added` is indexed by position in the file; `place` in the others counts it."""

    added: pd.DataFrame
    changed: pd.DataFrame
    matched: pd.DataFrame
    absent: dict[str, pd.Series]
    consent: pd.DataFrame
    more: extras.Extras


def targets(session: Session) -> tuple[Target, ...]:
    """The fields of a customer, the workspace's own ones too."""
    own = [
        Target(name, label[0].upper() + label[1:], _ALIASES.get(name, ()), kind=_kind(name))
        for name, label in _labels().items()
    ]
    attributes = session.execute(
        select(Attribute.id, Attribute.name, Attribute.kind).order_by(Attribute.name)
    )
    return (
        *own,
        Target("tags", "Tags, with ; between them", ("tag", "labels", "schlagworte")),
        *(Target(f"attribute:{row.id}", row.name, kind=_KINDS[row.kind]) for row in attributes),
    )


def read(session: Session, rows: Rows, at: datetime) -> dict[str, pd.Series]:
    """The mapped fields as they would be stored, by target; what is wrong is rejected."""
    today = local_day(at, workspace(session).timezone)
    found = {}
    for name in rows.targets:
        if name == "country":
            found[name], bad = values.countries(rows)
            rows.reject(bad, name, "This is no known country. Write its name or its two letters, such as DE.")
        elif name in fields.TEXTS:
            found[name] = values.customer_text(rows, name)
        elif name in fields.DATES:
            found[name] = _day(rows, name, pd.Timestamp(today))
        elif name in CONSENTS:
            found[name] = values.flags(rows, name)
    return found


def plan(session: Session, rows: Rows, key: str, options: Options, at: datetime):
    """(status of each row, work, changes, notes)."""
    found = read(session, rows, at)
    more = extras.read(session, rows)
    wanted = people.comparable(key, found[key])
    rows.reject(wanted.isna() | (wanted == ""), key, _no_key(key))
    people.reject_erased(session, rows, found)
    match = people.find(session, key, wanted)
    rows.reject(match.many, key, f"Several customers have this {people.NAMES[key]}. Use another key.")
    customer_id = match.customer_id
    whole = pd.DataFrame(found | more.columns(), copy=False)
    again = duplicates(rows, whole, wanted, key, _SAME_KEY)
    again |= duplicates(rows, whole, customer_id, key, _SAME_CUSTOMER)
    _reject_taken(session, rows, found, key, customer_id, again)
    new = customer_id.isna().to_numpy()
    _reject_nobody(rows, found, new)
    # The key says who it is and is not itself changed: neither how it is spelled, nor by the id of a record
    # that was merged away.
    found[key] = found[key].mask(customer_id.notna())
    kept = ~rows.wrong & ~again
    added, known = _where(found, kept & new), _where(found, kept & ~new)
    known.insert(0, "id", customer_id[kept & ~new].astype("int64"))
    # Of a million rows these may hold some 300 MB, and what follows needs as much.
    del found, whole, wanted
    pa.default_memory_pool().release_unused()
    added, notes = _new(added, options)
    changed, matched, consent, changes, more_notes = _known(session, rows, known, more, options)
    work = Work(
        added=added,
        changed=changed,
        matched=matched,
        absent={n: added[people.COLUMNS[n]] for n in dict.fromkeys((key, *_UNIQUE)) if n in added},
        consent=pd.concat([_granted(added), consent], ignore_index=True),
        more=more.kept(added.index),
    )
    status = np.full(len(rows), "unchanged", dtype=object)
    status[rows.wrong] = "rejected"
    status[added.index] = "new"
    status[known.index[known["id"].isin(changed["id"])]] = "changed"
    return status, work, changes, consent_notes(notes, more_notes, options)


def apply(session: Session, actor: Actor, work: Work, *, run_id: int, at: datetime, step) -> dict[str, int]:
    """Write what was planned; returns more counts. Raises Conflict when it no longer holds."""
    people.check_versions(session, work.matched)
    people.check_absent(session, work.absent)
    ids = writing.add_customers(session, work.added, run_id=run_id, at=at, step=step)
    writing.change_customers(session, work.changed, run_id=run_id, at=at)
    step(0.9, "Keeping what was allowed and tagged")
    writing.record_consent(session, actor, work.consent, ids, run_id=run_id, at=at)
    work.more.write(session, actor, ids, at=at)
    return {"customers": len(ids)}


def mapping_problems(mapping: dict[str, str]) -> dict[str, str]:
    """What is impossible about a mapping as a whole: nothing more than that its key is missing."""
    return {}


_UNIQUE = ("external_id", "email")
_SAME_KEY = "Row {row} has the same key and other values. Keep one row for each customer."
_SAME_CUSTOMER = "Row {row} is the same customer. Keep one row for each customer."


def _labels() -> dict[str, str]:
    consents = {f"consent_{channel}": f"{channel.label} allowed" for channel in Channel}
    return {name: label for name, (label, _) in fields.TEXTS.items()} | fields.DATES | consents


def _kind(name: str) -> str:
    if name in fields.DATES:
        return "date"
    return "yes_no" if name in CONSENTS else "country" if name == "country" else "text"


def _no_key(key: str) -> str:
    return (
        f"There is no {people.NAMES[key]}, by which customers are told apart. Fill it in, or use another key."
    )


def _day(rows: Rows, name: str, today: pd.Timestamp) -> pd.Series:
    days = values.days(rows, name)
    outside = (days > today) | (days < pd.Timestamp("1900-01-01"))
    _, problems = fields.clean({name: pd.Timestamp("1800-01-01").date()}, today=today.date())
    rows.reject(outside, name, problems[name])
    return days


def duplicates(rows: Rows, whole: pd.DataFrame, by: pd.Series, key: str, words: str) -> np.ndarray:
    """Refuse later rows of the same customer that differ from the first; True where they are equal to it."""
    candidates = ~rows.wrong & by.notna().to_numpy()
    again = np.zeros(len(rows), dtype=bool)
    twice = np.flatnonzero(candidates)[by[candidates].duplicated(keep=False).to_numpy()]
    if not len(twice):
        return again
    first = pd.Series(twice).groupby(by.iloc[twice].to_numpy()).transform("first").to_numpy()
    equal = np.ones(len(twice), dtype=bool)
    for name in whole:
        codes = np.zeros(len(rows), dtype="int64")
        codes[twice] = pd.factorize(whole[name].iloc[twice])[0]
        equal &= codes[twice] == codes[first]
    later = twice != first
    again[twice[later & equal]] = True
    refused = np.zeros(len(rows), dtype=bool)
    refused[twice[later & ~equal]] = True
    problem = pd.Series("", index=range(len(rows)), dtype=object)
    problem.iloc[twice] = [words.format(row=number) for number in rows.numbers(first)]
    rows.reject(refused, key, problem)
    return again


def _reject_taken(
    session: Session, rows: Rows, found: dict, key: str, customer_id: pd.Series, again: np.ndarray
) -> None:
    """Refuse what would give two customers one address or id."""
    for name in _UNIQUE:
        if name not in found or name == key:
            continue
        wanted = people.comparable(name, found[name]).mask(rows.wrong | again)
        # Equal keys are one customer by now, so a second row with the same address is somebody else.
        twice = wanted.notna() & wanted.duplicated()
        words = f"Another row has the same {people.NAMES[name]}. Two customers cannot share it: correct it."
        rows.reject(twice, name, words)
        held = people.taken(session, name, wanted, customer_id)
        words = (
            f"Another customer has this {people.NAMES[name]} already. Correct it, or change that customer."
        )
        rows.reject(held, name, words)


def _where(columns: dict[str, pd.Series], mask: np.ndarray) -> pd.DataFrame:
    """The rows of columns where the mask is True, without a copy where all are."""
    everywhere = mask.all()
    return pd.DataFrame({n: c if everywhere else c[mask] for n, c in columns.items()}, copy=False)


def _reject_nobody(rows: Rows, found: dict, new: np.ndarray) -> None:
    given = np.zeros(len(rows), dtype=bool)
    for name in fields.IDENTITY:
        if name in found:
            given |= found[name].notna().to_numpy()
    words = "A new customer needs a name, e-mail address or external id. Fill in at least one of them."
    rows.reject(new & ~given & ~rows.wrong, "first_name", words)


def _new(added: pd.DataFrame, options: Options) -> tuple[pd.DataFrame, dict[str, int]]:
    """New customers, ready but for their ids: nobody is allowed to be written to without `record_consent`."""
    given = [name for name in CONSENTS if name in added]
    yes = added[given].fillna(False).astype(bool)
    notes = {"raised": int(yes.any(axis=1).sum()) if given else 0, "lowered": 0}
    ready = consent_free(writing.with_derived(added.drop(columns=given)))
    return ready.assign(**yes) if options.record_consent else ready, notes


def consent_free(customers: pd.DataFrame) -> pd.DataFrame:
    """Customers who allow nothing."""
    return customers.assign(**dict.fromkeys(CONSENTS, False))


def _granted(added: pd.DataFrame) -> pd.DataFrame:
    """The channels that new customers allow."""
    parts = [
        pd.DataFrame({"place": np.flatnonzero(added[name]), "channel": name.removeprefix("consent_")})
        for name in CONSENTS
    ]
    return pd.concat(parts, ignore_index=True).assign(
        customer_id=pd.Series(pd.NA, index=range(sum(map(len, parts))), dtype="Int64"), allowed=True
    )


def _known(session: Session, rows: Rows, known: pd.DataFrame, more: extras.Extras, options: Options):
    """(changed, matched, consent changes, diff, notes) of rows whose customers are there already."""
    names = [name for name in known if name != "id"]
    read_too = dict.fromkeys((*names, *(writing.SEARCHED if set(names) & set(writing.SEARCHED) else ())))
    query = select(CUSTOMER.c.id, CUSTOMER.c.version, *(CUSTOMER.c[name] for name in read_too))
    parts = [
        writing.compare(
            rows,
            part,
            staging.by_id(session, query, CUSTOMER.c.id, part["id"]),
            more.differences(session, part["id"], rows),
            raise_consent=options.record_consent,
        )
        for start in range(0, len(known), _PART)
        if len(part := known.sort_values("id").iloc[start : start + _PART])
    ]
    notes = {"raised": sum(p.raised for p in parts), "lowered": sum(p.lowered for p in parts)}
    if not parts:
        nobody = pd.DataFrame({"id": pd.Series(dtype="int64"), "version": pd.Series(dtype="int64")})
        return nobody, nobody, _granted(pd.DataFrame(columns=CONSENTS)), no_changes(), notes
    changed, matched, consent, changes = (
        pd.concat([getattr(part, name) for part in parts], ignore_index=True)
        for name in ("changed", "matched", "consent", "changes")
    )
    return changed, matched, consent, changes.sort_values("row", kind="stable", ignore_index=True), notes


def consent_notes(new: dict[str, int], known: dict[str, int], options: Options) -> list[str]:
    """What the file does to consent, in sentences; `new` and `known` count people raised and lowered."""
    notes = []
    if raised := new["raised"] + known["raised"]:
        who = f"{raised:,} {'person' if raised == 1 else 'people'}"
        notes.append(
            f"The file allows a channel for {who} who did not allow it here: it is recorded as consent."
            if options.record_consent
            else f"The file allows a channel for {who} who did not allow it here: this is left out. "
            "Choose to record consent if the file is proof of it."
        )
    if lowered := known["lowered"]:
        who = f"{lowered:,} {'person' if lowered == 1 else 'people'}"
        notes.append(f"The file withdraws a consent of {who}: this will be recorded.")
    return notes
