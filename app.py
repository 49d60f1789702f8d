"""The server: the screens, and the routes beside them.

`python app.py` (which `make run` calls) sets the workspace up first; `streamlit run app.py` only serves one.
"""

import streamlit as st
from starlette.middleware import Middleware

from ui import company_sign_in
from ui.company_answers import CompanyAnswers
from ui.errors import show_uncaught
from ui.headers import SecurityHeaders
from ui.routes import ROUTES
from ui.server import lifespan, prepare, require_ready, server_options

if __name__ == "__main__":
    prepare()
require_ready()
app = st.App(
    "ui/main.py",
    routes=ROUTES,
    lifespan=lifespan,
    middleware=[Middleware(SecurityHeaders), Middleware(CompanyAnswers)],
    secrets=company_sign_in.secrets(),
    # The framework's own log of errors is off (ui.server): without this they would vanish.
    on_script_error=show_uncaught,
)

if __name__ == "__main__":
    app.run(config=server_options())
