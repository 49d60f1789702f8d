"""The few rules of look that the theme in .streamlit/config.toml cannot say."""

import streamlit as st

_EVERYWHERE = """
<style>
[data-testid="stMainBlockContainer"] { padding-top: 3.25rem; padding-bottom: 4rem; max-width: 1360px; }
[data-testid="stSidebarContent"] { display: flex; flex-direction: column; }
[data-testid="stSidebarUserContent"] { margin-top: auto; padding-bottom: 1.25rem; }
.st-key-who-am-i { gap: 0.6rem; }
/* The export menu: the formats in a row, and under them lines of Python. */
[data-testid="stPopoverBody"]:has(a[href^="/export/"])
    { min-width: 0; width: min(32rem, 92vw); padding: 0.5rem 0.7rem 0.8rem; }
[data-testid="stPopoverBody"] a[href^="/export/"] { padding: 0.4rem 0.8rem; }
[data-testid="stPopoverBody"]:has(a[href^="/export/"]) [data-testid="stVerticalBlock"] { gap: 0.3rem; }
/* Where a card is narrow, the interval of its figure goes below it. */
[data-testid="stMetricValue"] * { white-space: normal !important; line-height: 1.25; }
[data-testid="stMetricValue"] span { white-space: nowrap !important; }
/* A customer's tags are quiet chips, and no one click takes all of them off. */
.st-key-customer-tags { flex-wrap: nowrap; }
.st-key-customer-tags [data-tag] { background: rgba(91, 102, 221, 0.14); color: inherit; }
.st-key-customer-tags [aria-label="Clear all"] { display: none; }
.st-key-consent-history button { color: inherit; }
/* A filter is a row of field, comparison and value. */
[data-testid="stPopoverBody"]:has(.st-key-filter-rows) { width: min(46rem, 94vw); max-width: none; }
</style>
"""
_SIGN_IN = """
<style>
[data-testid="stApp"]
    { background-image: radial-gradient(70rem 38rem at 50% -12rem, rgba(91, 102, 221, 0.20), transparent); }
[data-testid="stHeader"] { background: transparent; }
.st-key-login { width: min(27rem, 100%); margin: 5vh auto 0; padding: 2.25rem 2rem; border-radius: 1rem;
    box-shadow: 0 1.2rem 3rem rgba(30, 34, 80, 0.12); }
.st-key-login [data-testid="stForm"] { padding: 0; border: 0; }
/* The library's heading: the card has its own. */
.st-key-login [data-testid="stForm"] [data-testid="stElementContainer"]:has(h3) { display: none; }
.st-key-login [data-testid="stElementContainer"]:has([data-testid="stFormSubmitButton"]) { width: 100%; }
.st-key-login [data-testid="stFormSubmitButton"] button
    { margin-top: 0.4rem; background: #4F5BD5; border-color: #4F5BD5; color: #fff; }
.st-key-login [data-testid="stFormSubmitButton"] button:hover { background: #4350C8; color: #fff; }
</style>
"""


def everywhere() -> None:
    """The rules of every screen."""
    st.html(_EVERYWHERE)


def sign_in() -> None:
    """The rules of the sign-in screen."""
    st.html(_SIGN_IN)
