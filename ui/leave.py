"""Leaving the screen for a route of the server by a form that the browser sends.

A POST, not a link: tickets stay out of addresses, histories and logs, and the server can check where it
comes from. Built as a component because its script loads from a blob, which the content policy allows;
inline scripts it does not.
"""

import streamlit as st

_SEND = """
export default function ({ data }) {
  if (window.maLeaving) return;
  window.maLeaving = true;
  const form = document.createElement("form");
  form.method = "post";
  form.action = data.path;
  const fields = { ...data.fields, next: window.location.pathname + window.location.search };
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement("input");
    input.type = "hidden";
    input.name = name;
    input.value = value;
    form.appendChild(input);
  }
  document.body.appendChild(form);
  form.submit();
}
"""


def send(path: str, **fields: str) -> None:
    """Make the browser POST these fields, and `next`, the place where it is, to a path of this server."""
    component = st.components.v2.component("leave", js=_SEND)
    component(data={"path": path, "fields": fields}, key=f"leave-{path}")
    st.stop()
