FROM python:3.12.12-slim-bookworm

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /srv/workbench

# First what seldom changes.
COPY requirements.txt ./
RUN pip install -r requirements.txt

COPY app.py ./
COPY .streamlit .streamlit
COPY data data
COPY docs docs
COPY ma ma
COPY pages pages
COPY ui ui
# Compiled once: the container may not write here.
RUN python -m compileall -q . && useradd --system --no-create-home --uid 10001 workbench

USER 10001
EXPOSE 8501
CMD ["python", "app.py"]
