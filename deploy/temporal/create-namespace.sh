#!/bin/sh
# Makes the namespace, sets how long it keeps closed runs, and registers R-LAM's search
# attributes. It may run any number of times. Connection: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE.
set -eu

# again tries a command until it succeeds, for two minutes: a server that has just
# started, and a namespace that was just made, are known everywhere a moment later.
again() {
	tries=60
	until "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 2
	done
}

namespace() {
	temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
		temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE"
}

again temporal operator cluster health
again namespace
again temporal operator namespace update --namespace "$TEMPORAL_NAMESPACE" --retention "${RETENTION:-8760h}"
again temporal operator search-attribute create \
	--name RlamStudy --type Keyword \
	--name RlamStatus --type Keyword \
	--name RlamModel --type Keyword \
	--name RlamForkedFrom --type Keyword \
	--name RlamApprovalPending --type Bool
