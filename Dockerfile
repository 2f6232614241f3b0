FROM docker.io/library/python:3.13-slim-trixie AS build
COPY requirements.txt /tmp/requirements.txt
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r /tmp/requirements.txt

FROM docker.io/library/python:3.13-slim-trixie
# A new named volume takes its owner from the folder in the image.
RUN groupadd --system --gid 10001 orderflow && \
    useradd --system --uid 10001 --gid 10001 --create-home orderflow && \
    install -d -o orderflow -g orderflow /data /dropzones
COPY --from=build /venv /venv
WORKDIR /app
COPY manage.py ./
COPY orderflow ./orderflow
COPY connectors ./connectors
COPY exports ./exports
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    DATA_DIR=/data STATE_DIR=/data/state DROPZONE_ROOT=/dropzones
# Static files need no secret; these two keys exist in this command only.
RUN SECRET_KEY=build ENCRYPTION_MASTER_KEY=build DATA_DIR=/tmp/build python manage.py collectstatic --noinput && \
    rm -rf /tmp/build
USER 10001:10001
VOLUME ["/data", "/dropzones"]
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/livez', timeout=3)"]
# The keep-alive is longer than the idle time of load balancers: 60 s is the usual one.
CMD ["gunicorn", "orderflow.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "4", "--keep-alive", "75", "--no-control-socket"]
