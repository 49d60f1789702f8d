"""The script behind every screen: nobody passes without signing in, then the navigation."""

from pathlib import Path

import streamlit as st

from ma import clock
from ma.services import auth
from ma.types import Actor, Permission
from pages import login
from ui import own_password, session, style
from ui.demo_clock import demo_clock
from ui.errors import shown
from ui.leave import send
from ui.text import literal

ROOT = Path(__file__).resolve().parent.parent


def pages(actor: Actor | None = None) -> dict[str, list]:
    """The navigation: sections by task, each page with its own address.

    Pages of which somebody's role may use nothing are left out; for nobody all are there.
    """

    def screen(name: str, title: str, icon: str, **options):
        return st.Page(ROOT / "pages" / f"{name}.py", title=title, icon=f":material/{icon}:", **options)

    def may(permission: Permission) -> bool:
        return actor is None or actor.may(permission)

    admin = [
        *([screen("users", "Users", "manage_accounts", url_path="users")] * may(Permission.MANAGE_USERS)),
        *([screen("tokens", "API tokens", "key", url_path="tokens")] * may(Permission.MAKE_TOKENS)),
        *(
            [screen("webhooks", "Webhooks", "webhook", url_path="webhooks")]
            * may(Permission.MANAGE_WORKSPACE)
        ),
    ]
    sections = {
        "Overview": [screen("home", "Home", "home", default=True)],
        "People": [
            screen("customers", "Customers", "group", url_path="customers"),
            screen("duplicates", "Duplicates", "merge", url_path="duplicates"),
            screen("segments", "Segments", "filter_alt", url_path="segments"),
            screen("value", "Customer value", "savings", url_path="value"),
            screen("retention", "Retention", "grid_view", url_path="retention"),
        ],
        "Campaigns": [
            screen("campaigns", "Campaigns", "campaign", url_path="campaigns"),
            screen("forecast", "Forecast", "query_stats", url_path="forecast"),
            screen("next_actions", "Next best action", "assistant", url_path="next-actions"),
            screen("planner", "Budget planner", "call_split", url_path="planner"),
            screen("results", "Results", "monitoring", url_path="results"),
            screen(
                "recipients", "People behind the results", "group", url_path="recipients", visibility="hidden"
            ),
            screen("experiments", "Experiments", "science", url_path="experiments"),
            screen("attribution", "Attribution", "account_tree", url_path="attribution"),
            screen("replay", "Replay", "replay", url_path="replay"),
            screen("report", "Report", "summarize", url_path="report"),
        ],
        "Follow-up": [
            screen("sales", "Sales", "handshake", url_path="sales"),
            screen("service", "Service", "support_agent", url_path="service"),
        ],
        "Data": [
            screen("files", "Import and export", "swap_vert", url_path="files"),
            screen("activity", "Activity", "timeline", url_path="activity"),
        ],
        "Admin": admin,
    }
    return {name: screens for name, screens in sections.items() if screens}


def who_am_i(actor) -> None:
    """In the sidebar: the person, the workspace, its date, and the way out."""
    workspace = session.workspace()
    with st.sidebar.container(key="who-am-i"):
        st.markdown(f"**{literal(actor.name or actor.username)}**  \n:gray[{actor.role.capitalize()}]")
        today = clock.local_day(workspace.now(), workspace.timezone)
        st.caption(f"{literal(workspace.name)}, {today:%A} {today.day} {today:%B %Y}")
        if workspace.is_demo:
            st.caption("Demo data. Names, e-mail addresses, consent and visits are invented.")
        demo_clock()
        own_password.button()
        if st.button("Sign out", icon=":material/logout:", key="sign-out", width="stretch"):
            with session.writing() as writing:
                auth.end_session(writing, session.token(), at=clock.now())
            send("/auth/logout")


st.set_page_config(
    page_title="Marketing workbench", page_icon=str(ROOT / "ui" / "favicon.png"), layout="wide"
)
actor = session.signed_in()
if actor is None:
    # All pages are known but not shown, so that the address survives signing in.
    st.navigation(pages(), position="hidden")
    login.show()
    st.stop()

chosen = st.navigation(pages(actor), expanded=True)
style.everywhere()
st.logo(ROOT / "ui" / "logo.svg", size="large", icon_image=ROOT / "ui" / "favicon.png")
session.seen()
who_am_i(actor)
with shown():
    chosen.run()
