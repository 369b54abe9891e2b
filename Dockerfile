# The embedded AWS in a container. It listens on the loopback interface alone, as everywhere: share the host's network to reach it.
#   docker build -t sekisho . && docker run --rm --network host -v "$PWD:/work:ro" sekisho sekisho.yaml
FROM python:3.11-slim

COPY pyproject.toml constraints.txt README.md LICENSE NOTICE /source/
COPY src /source/src
RUN pip install --no-cache-dir -c /source/constraints.txt /source && rm -rf /source \
 && useradd --create-home --uid 10001 sekisho && mkdir -m 0700 /state && chown sekisho /state

# By number, so that whoever runs it can see that it isn't root.
USER 10001
WORKDIR /work
VOLUME /state
ENTRYPOINT ["sekisho", "sandbox"]
CMD ["--state", "/state"]
