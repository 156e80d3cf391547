// Package scripted is a model that plays a script over the OpenAI
// chat-completions protocol, on real HTTP, on loopback only. It thinks nothing:
// it serves tests, and examples that must run without a model or a key. It never
// hides that: its model name begins with "scripted/", and each answer carries
// that name in the header X-Scripted-Model, with a system_fingerprint that names
// the scenario's digest.
//
// # A scenario
//
//	model: scripted/mgh09        # "scripted/" and a name; requests must ask for it
//	rules:                       # the first rule whose conditions all hold answers
//	  - name: look at the data   # optional; shown in the log and in errors
//	    when: {turn: 0}          # so many assistant messages are in the request
//	    reply:
//	      text: The data come first.
//	      calls:
//	        - {id: data, action: data.table, why: to see it, params: {path: mgh09.csv}}
//	  - when:
//	      last: {observation: data, pointer: /status, equals: completed}
//	    reply:
//	      calls:
//	        - id: fit1
//	          action: fit.nonlinear
//	          why: the published start
//	          params:
//	            table: {$observed: {observation: data, pointer: /output/path}}
//	            start: [25, 39, 41.5, 39]
//	  - when:
//	      last:
//	        - {observation: fit1, pointer: /error/type, equals: rlam.NotConverged}
//	        - {observation: fit1, pointer: /output/iterations, gt: 100}
//	      any: {role: user, contains: four significant digits}
//	    reply:
//	      give_up: no start was left to try
//	  - reply:                   # a rule without conditions always answers
//	      finish: {b1: {$observed: {observation: fit2, pointer: /output/b1}}}
//	    fault: {times: 2, status: 429, retry_after: 2}
//
// The answer depends on what the request holds and on nothing else, so a worker
// that restarts, a reset and a fork all find a model that carries on where their
// conversation stands. The one exception is a fault's times, below.
//
// # Conditions
//
// "when" may hold turn, last and any; a rule without it always matches. turn is
// the number of assistant messages. last looks at the messages after the newest
// assistant message, any at all messages; each is one condition or a list, and
// every condition must be satisfied by some message in sight, which has:
//
//	role         this role
//	observation  a JSON object as content, with this "id"
//	contains     this text in its content
//	matches      a content that this RE2 expression matches
//	pointer      a value at this JSON pointer (RFC 6901) in its content, and there
//	  exists: false  no value; exists: true is the default
//	  equals: V      the same JSON value (3 equals 3.0)
//	  lt: X, gt: X   a number below, above X
//
// Observations are looked for in messages of the roles tool and user, so a
// condition serves both ways of talking that follow.
//
// # Replies
//
// When the request offers tools, each call becomes a tool call. Its function is
// the offered tool that is named like the action with "_" for ".", and its
// arguments are {"id", "why", "params"}. finish: V calls the tool finish with
// {"result": V}, and give_up: TEXT the tool give_up with {"reason": TEXT}. A tool
// that wasn't offered is called all the same, as models do, and the log says so.
//
// When the request offers no tools, the content is one JSON object with the same
// members: {"calls":[{"id","action","why","params"}]}, {"finish":{"result":V}},
// {"give_up":{"reason":TEXT}}. text is then sent only when it stands alone.
//
//	text, calls, finish, give_up   any of them together
//	calls[].arguments              sent verbatim in place of that call's JSON, broken or not
//	answered_model, fingerprint    other than the model and fingerprint of this server
//	finish_reason                  other than tool_calls or stop
//	usage: {prompt_tokens, cached_tokens, completion_tokens}
//
// Without usage the numbers are an estimate: a token for each four bytes, begun
// or full, of the request's body and of the answer's message.
//
// Anywhere in params and finish, {$observed: {observation: ID, pointer: P}} is
// replaced by the value at P of the newest observation with that id, with the
// digits it came with.
//
// # Faults
//
// A rule's fault spoils its answer:
//
//	delay: 10ms          wait before answering
//	stall: 30s           wait, but after what truncate_body lets through; leaves with the client
//	status: 503          an HTTP error, with
//	  retry_after: 2       seconds, an HTTP date, or 2s: the HTTP date two seconds from now
//	  body: KIND           openai (default), text ({"error":"…"}), vllm, html, none
//	  message: TEXT
//	garbage: true        200, and a body that isn't JSON
//	empty: true          200, and no choices
//	empty_content: true  a message that says nothing
//	refusal: TEXT        a message that refuses
//	model: NAME          answered by another model
//	truncated: true      finish_reason length, the last call's arguments (or the content) cut in half
//	truncate_body: N     the connection breaks after N bytes of the body
//	times: N             only for the first N requests
//
// stall, status, garbage, empty, empty_content and refusal need no reply. A stall
// without one breaks the connection when it is over. times is counted by a server
// for each rule and each request body: the same question asked again is a retry,
// another question starts anew. It is the only state there is. When the count is
// spent the rule replies; a rule without a reply is then passed over.
//
// # What is refused
//
// A request that no rule matches gets status 400 with an OpenAI error object that
// names the nearest rule and the conditions of it that failed. n above 1, audio
// and images are not supported.
package scripted
