// Package mcp asks servers that speak the Model Context Protocol: for the tools they
// have, and to call one.
//
// A [Tool] is pinned by the [Tool.Digest] of its definition. [Session.Call] compares it
// with what the server says now, and calls nothing that has changed: a description that
// a model was never shown, or a schema that no gate has judged by, is not what was
// admitted.
//
// A server gets nothing from here but calls: no sampling of a model, no questions to a
// person, no list of folders. What it sends is bounded, and is data.
package mcp
