// Package web sends one request to a web service, for an action that is bound to one.
//
// A request is made of the binding's templates and a call's parameters ([NewRequest]),
// sent by a [Client], and its [Response] read into an output ([Response.Output]). What
// goes wrong is an [*Error] with one of the failure types below.
//
// A value never changes where a request goes: it is escaped for its place, can't stand
// in scheme or host, and a path segment that it would turn into "." or ".." is refused. Hosts
// are those that the binding lists. The address is checked when a connection is made, the
// very address that is dialled, after the name was resolved: an address that isn't
// public is refused, however it is spelled and whatever redirect led there, unless the
// worker's configuration lets the host through. No proxy is used, as it would do the
// dialling.
//
// Secrets are known by name. Their values come from the worker, go into headers and
// the URL's query, and are taken out of everything that comes back. Another origin, that
// a redirect leads to, gets none of the request's headers.
//
// Nothing here is tried again. The workflow does that, by the failure's type.
package web
