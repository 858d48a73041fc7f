# ministyle in a container, on the CPU. It sees the folder that is mounted at /work:
#
#   docker build -t ministyle .
#   docker run --rm -v "$PWD:/work" ministyle transfer photo.jpg painting.jpg -o out.png
#
# Files are written as user 1000; `--user "$(id -u):$(id -g)"` before the image's name makes them yours.
FROM python:3.13-slim

# The checkout is there during this step only, and only what .dockerignore lets through.
RUN --mount=type=bind,target=/checkout,rw pip install --no-cache-dir /checkout

RUN useradd --uid 1000 ministyle && install --directory --owner=ministyle /work
USER 1000
WORKDIR /work

ENTRYPOINT ["ministyle"]
CMD ["--help"]
