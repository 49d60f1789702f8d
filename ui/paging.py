"""Pages of a long table: which rows to read, and the numbers under it to choose from."""

from dataclasses import dataclass

import streamlit as st

from ma.text import whole_number


@dataclass(frozen=True)
class Paging:
    """One table's pages. Read `limit` rows from `offset`, draw the table, then call `draw`."""

    name: str
    total: int
    limit: int
    # What is being shown: another search starts on its own first page.
    view: str = ""
    in_address: bool = False

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.limit))

    @property
    def page(self) -> int:
        """The chosen page, from 1; one that is gone is the last."""
        return min(max(1, st.session_state.get(self._key) or self._default), self.pages)

    @property
    def offset(self) -> int:
        """The first row to read."""
        return (self.page - 1) * self.limit

    def draw(self) -> None:
        """The page numbers, unless there is only one page; keeps the address up to date."""
        chosen = self.page
        if self.pages > 1:
            chosen = st.pagination(self.pages, default=self._default, max_visible_pages=5, key=self._key)
        if self.in_address:
            if chosen > 1:
                st.query_params[self.name] = str(chosen)
            else:
                st.query_params.pop(self.name, None)

    @property
    def _key(self) -> str:
        # The number of pages is in it: the widget refuses a page that is no longer there.
        return f"{self.name}-{self.pages}-{self.view}"

    @property
    def _default(self) -> int:
        text = st.query_params.get(self.name, "") if self.in_address else ""
        return min(max(1, whole_number(text) or 1), self.pages)
