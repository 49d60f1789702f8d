"""What an import is made of: the choices of a person, the plan of a dry run, and what came of it."""

from dataclasses import asdict, dataclass, field, fields, is_dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from ma.errors import Exposed
from ma.files.columns import Target
from ma.files.reading import Sheet

CUSTOMERS, PURCHASES, EVENTS, CONSENT = KINDS = ("customers", "purchases", "events", "consent")
DRY_RUN_AGAIN = "Nothing was imported: do the dry run again and look at what would change now."
TEXT = pd.StringDtype(na_value=float("nan"))
COUNTS = ("rows", "new", "changed", "unchanged", "rejected")


class Cancelled(Exposed):
    """Somebody stopped the import; nothing of it stays."""


@dataclass(frozen=True)
class Options:
    """How a file is to be read, and what it may do.

    `date_format` is a DateFormat or its label, for all columns or {target name: format}; None: the best that
    reads the column. `decimal`: "." or ","; None: as the column looks. `create_missing`: buyers, visitors and
    people in a consent file who are not known become customers. `record_consent`: a yes in the file is a yes.
    """

    date_format: object = None
    decimal: str | None = None
    create_missing: bool = False
    record_consent: bool = False
    source: str = "file"
    timezone: str | None = None

    def words(self) -> dict:
        """The options as they are kept with the import."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}


@dataclass(frozen=True)
class Plan:
    """What an import would do, seen at one instant; nothing has been written.

    counts: rows = new + changed + unchanged + rejected, in rows of the file. rejected: row, column, value,
    problem (a row may have several). changes: row, customer (of purchases and events: their number), field,
    before, after. preview: the first rows, by field, and what would become of them. rejected_rows: the
    rejected rows as they stood in the file, and `problem`. `work` is for `apply` alone.
    """

    kind: str
    key: str
    counts: dict[str, int]
    notes: list[str]
    rejected: pd.DataFrame
    changes: pd.DataFrame
    preview: pd.DataFrame
    rejected_rows: pd.DataFrame
    file_name: str
    file_sha256: str
    headers: tuple[str, ...]
    mapping: dict[str, str]
    options: Options
    at: datetime
    work: object = field(repr=False, default=None)

    @property
    def writes(self) -> bool:
        """Whether it would change anything at all."""
        return bool(self.counts["new"] or self.counts["changed"])


@dataclass(frozen=True)
class Done:
    """What came of an import; `import_id` is None where there was nothing to write."""

    import_id: int | None
    counts: dict[str, int]


class Rows:
    """The rows of one file on their way into a plan: which are rejected, and why."""

    def __init__(self, sheet: Sheet, targets: tuple[Target, ...], mapping: dict[str, str], options: Options):
        self.sheet, self.options = sheet, options
        self.targets = {t.name: t for t in targets if mapping.get(t.name)}
        self.mapping = {name: mapping[name] for name in self.targets}
        self.wrong = np.zeros(len(sheet.frame), dtype=bool)
        self._problems: list[pd.DataFrame] = []
        if sheet.surplus:
            long = pd.Series(range(len(self))).map(sheet.surplus)
            self.reject(long.notna(), "whole row", long)

    def __len__(self) -> int:
        return len(self.wrong)

    def __contains__(self, name: str) -> bool:
        return name in self.targets

    def texts(self, name: str) -> pd.Series:
        """A target's column as it stood in the file; all missing where it is not mapped."""
        if name not in self.mapping:
            return pd.Series(np.nan, index=range(len(self)), dtype=TEXT)
        return self.sheet.frame[self.mapping[name]].reset_index(drop=True)

    def numbers(self, positions: np.ndarray) -> np.ndarray:
        """The row numbers that people see in their spreadsheet."""
        return np.asarray(positions) + self.sheet.first_row

    def reject(self, mask, name: str, problem: "str | pd.Series") -> None:
        """Refuse rows for what stands in a target's column; a row already refused for it stays as it is."""
        positions = np.flatnonzero(np.asarray(mask, dtype=bool))
        if not len(positions):
            return
        words = problem if isinstance(problem, str) else problem.to_numpy(dtype=object)[positions]
        self.wrong[positions] = True
        column = self.mapping.get(name, name)
        values = self.texts(name).iloc[positions].to_numpy(dtype=object)
        self._problems.append(
            pd.DataFrame({"position": positions, "column": column, "value": values, "problem": words})
        )

    def rejected(self) -> pd.DataFrame:
        """row, column, value and problem, in the file's order."""
        if not self._problems:
            return _empty("row", "column", "value", "problem")
        found = pd.concat(self._problems, ignore_index=True)
        found = found.drop_duplicates(["position", "column"]).sort_values("position", kind="stable")
        found.insert(0, "row", self.numbers(found["position"].to_numpy()))
        return found.drop(columns="position").reset_index(drop=True)

    def rejected_rows(self, rejected: pd.DataFrame) -> pd.DataFrame:
        """The refused rows as they stood in the file, with all that is wrong with each."""
        whole = self.sheet.frame[self.wrong].reset_index(drop=True)
        words = (rejected["column"] + ": " + rejected["problem"]).groupby(rejected["row"]).agg(" ".join)
        name = "problem" if "problem" not in whole else "import problem"
        return whole.assign(**{name: words.reindex(self.numbers(np.flatnonzero(self.wrong))).to_numpy()})


def no_changes() -> pd.DataFrame:
    """An empty diff."""
    return _empty("row", "customer", "field", "before", "after")


def _empty(*columns: str) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype="int64" if name == "row" else TEXT) for name in columns})


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if hasattr(value, "label"):
        return value.label
    return asdict(value) if is_dataclass(value) else value
