# Counts itself, leaves a partial result, starts a process that counts itself as alive
# and won't be told to end, and waits for its gate.
note() {
	printf '{"event":"%s","label":"%s","pid":%d,"key":"%s"}\n' "$1" "$2" $$ "$RLAM_IDEMPOTENCY_KEY" >>"$FAULTS_OUTSIDE/effects.jsonl"
}
note begin "$1"
printf '{"digits":"partial"}' >result.json
(
	trap '' TERM HUP INT
	while :; do
		note alive "$1"
		sleep 0.05
	done
) &
while ! [ -e "$FAULTS_OUTSIDE/go.$1" ]; do sleep 0.02; done
# Long enough that a process of an earlier execution would be seen alive.
sleep 0.3
printf '{"digits":"%s"}' "$(printf %s "$1" | sha256sum | cut -c1-12)" >result.json
note end "$1"
