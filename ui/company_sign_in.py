"""Signing in at the company's identity provider with the framework's own `st.login`, as far as it goes.

It talks to the provider (discovery, PKCE, state, nonce, signature) and says in `st.user` who came back. But
what it keeps of that is a cookie that anybody can show again for a month, signed out or not. So it only tells
us once who somebody is: `ma.services.company_sign_in` uses each answer a single time and opens a session of
ours, which ends like every other. `ui.company_answers` sees to the cookies and to the way back.
"""

import importlib
import warnings
from urllib.parse import urlsplit

import streamlit as st

from ma import clock
from ma.db.secret import key
from ma.errors import NotSignedIn
from ma.services import company_sign_in
from ma.settings import settings
from ui.company_answers import REFUSED, REMEMBER, log_discreetly
from ui.session import database, reading
from ui.text import literal

CALLBACK = "/oauth2callback"
_OUTCOME, _GOING = "company-sign-in-outcome", "company-sign-in-going"
# Why nobody came back from the provider, by the word that the way back left in a cookie.
_FAILED = {
    "cancelled": "The sign-in at your company was cancelled. Try again, or use a user name and password.",
    "unreachable": "The sign-in at your company does not answer. Try again in a minute; if it stays so, ask "
    "whoever runs this workbench to run: python -m ma doctor",
    "failed": "The sign-in at your company did not succeed. Try again; if it stays so, ask whoever runs "
    "this workbench to look for the reason in its log.",
}
# Where the person wants to go lies in a cookie before the browser leaves for the provider.
_REMEMBER = """
export default async function ({ data, setTriggerValue }) {
  if (window.maGoing === data.attempt) return;
  window.maGoing = data.attempt;
  const next = window.location.pathname + window.location.search;
  try {
    await fetch(data.path, { method: "POST", body: new URLSearchParams({ next }) });
  } finally {
    setTriggerValue("remembered", true);
  }
}
"""


def is_on() -> bool:
    """Whether there is an identity provider."""
    return bool(settings().oidc_issuer)


def secrets() -> dict | None:
    """What the framework's sign-in needs, from our settings; None where there is no identity provider."""
    if not is_on():
        return None
    log_discreetly()
    _require_signatures()
    wanted = settings()
    with reading() as session:
        cookie_secret = key(session, "company sign-in").hex()
    return {
        "auth": {
            "redirect_uri": wanted.address + CALLBACK,
            "cookie_secret": cookie_secret,
            "client_id": wanted.oidc_client_id,
            "client_secret": wanted.oidc_client_secret.get_secret_value(),
            "server_metadata_url": f"{wanted.oidc_issuer}/.well-known/openid-configuration",
            "client_kwargs": {"scope": wanted.oidc_scopes, "prompt": "select_account"},
        }
    }


def _require_signatures() -> None:
    # Loaded here: only who has an identity provider should wait for it.
    from joserfc.jws import JWSRegistry

    with warnings.catch_warnings(record=True):
        # It says on import that it will prefer another HTTP library one day.
        importlib.import_module("authlib.integrations.starlette_client")
    # The library takes unsigned answers from a provider that lists "none" among its algorithms: seen with
    # Authlib 1.9.9. Nothing in this program reads or writes such tokens.
    JWSRegistry.algorithms.pop("none", None)


def arrived() -> tuple[str | None, str]:
    """Of somebody who comes back from the provider: a ticket for their session, or why there is none."""
    agreed = company_sign_in.provider(settings())
    if agreed is None:
        return None, ""
    if not st.user.get("is_logged_in"):
        return None, _FAILED.get(st.context.cookies.get(REFUSED, ""), "")
    # An answer counts once, but the screen may be drawn again before the browser has left it.
    if _OUTCOME not in st.session_state:
        st.session_state[_OUTCOME] = _outcome(agreed)
    return st.session_state[_OUTCOME]


def _outcome(agreed: company_sign_in.Provider) -> tuple[str | None, str]:
    try:
        claims = st.user.to_dict()
        return company_sign_in.sign_in(database(), claims, provider=agreed, at=clock.now()), ""
    except NotSignedIn as refused:
        return None, str(refused)


def button() -> None:
    """The way to the provider, and back to the place where the person is now."""
    label, address = literal(settings().oidc_label), settings().address
    if urlsplit(st.context.url or address).netloc != urlsplit(address).netloc:
        # The provider leads back there, and the cookies of this address would be missing.
        st.link_button(label, address, width="stretch")
        return
    if st.button(label, icon=":material/domain:", key="company", width="stretch"):
        st.session_state[_GOING] = st.session_state.get(_GOING, 0) + 1
        st.session_state[_OUTCOME] = (None, "")
    if not st.session_state.get(_GOING):
        return
    component = st.components.v2.component("remember", js=_REMEMBER)
    data = {"path": REMEMBER, "attempt": st.session_state[_GOING]}
    result = component(data=data, key="company-remember", on_remembered_change=lambda: None)
    if result.remembered:
        st.login()
