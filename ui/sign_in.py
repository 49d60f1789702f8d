"""Signing in with streamlit-authenticator, as far as it can be trusted.

Its login view draws the form and its Hasher checks the password, against credentials that `ma.services.auth`
hands it one account at a time. Everything else of it stays off, because of what it does (0.4.2):
its cookie survives signing out and a changed password, its lockout forgets, and unknown names answer faster
than known ones. So the session is ours (a row behind an HttpOnly cookie), failures are counted in the
database, and an unknown name has a hash too, one that nothing fits.
"""

from collections.abc import Mapping

import streamlit as st
import streamlit_authenticator as stauth
from streamlit_authenticator.controllers import AuthenticationController

from ma import clock
from ma.services import auth
from ma.services.sign_in import WRONG, spoken
from ui.session import reading, writing

EMPTY = "Type your user name and your password."
_FIELDS = {"Form name": "Sign in", "Username": "User name", "Password": "Password", "Login": "Sign in"}
# What the library leaves in the session; nothing here reads it.
_ITS_STATE = ("name", "authentication_status", "username", "email", "roles", "logout")


class Credentials(Mapping):
    """What the library checks against: every name is known, but only an account's hash can be met."""

    def __init__(self):
        self._looked_up = {}

    def __contains__(self, username):
        return True

    def __getitem__(self, username):
        if username not in self._looked_up:
            with reading() as session:
                account = auth.find_account(session, username)
            usable = account is not None and not auth.is_legacy(account.password_hash)
            self._looked_up[username] = {
                "name": account.name if account else "",
                "password": account.password_hash if usable else auth.dummy_hash(),
            }
        return self._looked_up[username]

    def __iter__(self):
        return iter(())

    def __len__(self):
        return 0


class _NoCookie:
    """Stands in for the library's cookie, which cannot be revoked."""

    def get_cookie(self):
        return None

    def set_cookie(self):
        pass

    def delete_cookie(self):
        pass


class _Checked(AuthenticationController):
    """The library's check between our counting of failures and our ticket."""

    def __init__(self, address: str | None):
        super().__init__({"usernames": {}}, auto_hash=False, secret_key="")
        self.authentication_model.credentials = {"usernames": Credentials()}
        self.address = address
        self.message: str | None = None
        self.ticket: str | None = None

    def login(self, username=None, password=None, *_args, **_options):
        username, password = auth.normal(username or ""), (password or "").strip()
        if not username or not password:
            self.message = EMPTY
            return False
        with writing() as session:
            wait = auth.begin_attempt(session, username=username, address=self.address, at=clock.now())
        if wait:
            self.message = f"Too many failed attempts. Wait {spoken(wait)}, then try again."
            return False
        with reading() as session:
            account = auth.find_account(session, username)
        if account and auth.is_legacy(account.password_hash):
            with writing() as session:
                auth.upgrade_legacy(session, account, password, at=clock.now())
        # The hasher refuses more than 72 bytes without counting or taking its time; nothing fits "".
        checkable = password if len(password.encode()) <= 72 else ""
        fits = super().login(username, checkable)
        with writing() as session:
            if not (fits and account):
                auth.record_failure(session, username=username, at=clock.now())
                self.message = WRONG
                return False
            auth.record_success(session, account, address=self.address, at=clock.now())
            self.ticket = auth.issue_ticket(session, account.user_id, at=clock.now())
        return True


class SignInForm(stauth.Authenticate):
    """The library's login view without its cookie. After `draw()`: a ticket, a message, or neither."""

    def __init__(self):
        # Not super().__init__: it builds the cookie's iframe.
        self.path = None
        self.attrs = {"login_sleep_time": 0}
        self.cookie_controller = _NoCookie()
        self.authentication_controller = _Checked(address=st.context.ip_address)

    def draw(self) -> None:
        """Draw the form and, when it was sent, check it."""
        self.login(fields=_FIELDS, key="sign-in")
        for name in _ITS_STATE:
            st.session_state.pop(name, None)

    @property
    def ticket(self) -> str | None:
        """What the browser swaps for the session's cookie; None unless the password was right just now."""
        return self.authentication_controller.ticket

    @property
    def message(self) -> str | None:
        """Why the person was not let in just now."""
        return self.authentication_controller.message
