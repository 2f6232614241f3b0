FROM python:3.13-slim AS build
COPY requirements.txt /tmp/requirements.txt
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r /tmp/requirements.txt

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home orderflow && install -d -o orderflow /data /dropzones
COPY --from=build /venv /venv
WORKDIR /app
COPY manage.py ./
COPY orderflow ./orderflow
COPY connectors ./connectors
COPY exports ./exports
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 DATA_DIR=/data
# Static files need no secret; these two keys live in this layer's command only.
RUN SECRET_KEY=build ENCRYPTION_MASTER_KEY=build python manage.py collectstatic --noinput
USER orderflow
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
CMD ["gunicorn", "orderflow.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "4", "--access-logfile", "-"]
