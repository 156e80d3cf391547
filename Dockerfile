# The worker, and the starter beside it. Builtin actions need nothing else; programs that
# your own actions run belong into an image made from this one.
FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/ ./worker ./starter

FROM debian:12.12-slim
RUN apt-get update \
	&& apt-get install --yes --no-install-recommends ca-certificates \
	&& rm -rf /var/lib/apt/lists/* \
	&& useradd --uid 10001 --user-group --home-dir /var/lib/rlam --create-home --shell /usr/sbin/nologin rlam
COPY --from=build /out/worker /out/starter /usr/local/bin/
COPY LICENSE /usr/share/doc/rlam/
USER rlam
ENV RLAM_HOME=/var/lib/rlam RLAM_STORE=/var/lib/rlam/store
WORKDIR /var/lib/rlam
VOLUME /var/lib/rlam
ENTRYPOINT ["worker"]
