"""The server: the screens, and the routes beside them. Run it with `streamlit run app.py` or `make run`."""

import streamlit as st
from starlette.middleware import Middleware

from ui.errors import show_uncaught
from ui.headers import SecurityHeaders
from ui.routes import ROUTES
from ui.server import lifespan, require_ready

require_ready()
app = st.App(
    "ui/main.py",
    routes=ROUTES,
    lifespan=lifespan,
    middleware=[Middleware(SecurityHeaders)],
    on_script_error=show_uncaught,
)
