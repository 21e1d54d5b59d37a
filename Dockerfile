# syntax=docker/dockerfile:1.24.0@sha256:87999aa3d42bdc6bea60565083ee17e86d1f3339802f543c0d03998580f9cb89
# check=error=true

# The image of bot, for linux/amd64 and linux/arm64:
#
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=v0.1.0 --build-arg REVISION=$(git rev-parse HEAD) .
#
# A release compiles bot outside and puts that very program in here (BINARY=released), so that archive and image hold the same bytes.
# Images, and what reads this file, are pinned by digest; Renovate (renovate.json) brings newer ones. docs/release.md has the rest.
ARG BINARY=compiled

# The compiler runs on the machine's own platform and compiles for the other one; nothing is emulated.
FROM --platform=$BUILDPLATFORM golang:1.26.8-trixie@sha256:bdca99a00bc16590cb1a0bb4e698f5fc5d6a64e4d5eef13d9f18a0ee08e5fa65 AS compiled
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod \
    go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION=devel REVISION=unknown
# .git stays outside, so the version is told.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
      -ldflags="-s -w -buildid= -X 'github.com/netdiag/netdiag/internal/program.stamp=$VERSION $REVISION'" -o /bot ./cmd/bot

FROM scratch AS released
ARG TARGETPLATFORM
COPY $TARGETPLATFORM/bot /bot

# A COPY can't name its stage by a variable, a FROM can.
FROM $BINARY AS program

FROM gcr.io/distroless/static-debian13:nonroot@sha256:f7f8f729987ad0fdf6b05eeeae94b26e6a0f613bdf46feea7fc40f7bd72953e6
ARG VERSION=devel REVISION=unknown
LABEL org.opencontainers.image.title="netdiag" \
      org.opencontainers.image.description="Slack bot that diagnoses EKS networking and applies approved fixes" \
      org.opencontainers.image.source="https://github.com/netdiag/netdiag" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY LICENSE THIRD_PARTY_NOTICES /licenses/
COPY --from=program /bot /bot
# By number, or Kubernetes can't prove runAsNonRoot.
USER 65532:65532
ENTRYPOINT ["/bot"]
CMD ["serve"]
