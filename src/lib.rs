//! Portreeve: a before-queue SMTP proxy that judges each message while its sender is still connected.
//!
//! This is the map. Modules stand in layers, and a module imports only from layers below its own
//! (`tests/architecture.rs` holds the table). From the outside world's edge down to the wire:

// What is done with a judged message: relay, tag, quarantine, defer, reject.
pub mod action;
// HTTP, read-only: health and metrics.
pub mod admin;
// Randomness, and the ids made from it.
pub mod chance;
// One file a subcommand: arguments in, exit code out.
pub mod cli;
// The time of day.
pub mod clock;
// Blocking work, on a bounded pool.
pub mod compute;
// Composes each module's `Settings`; layers, origins, cross-field checks.
pub mod config;
// Builds the parts from the settings, binds, spawns, reloads, drains; the control socket.
pub mod daemon;
// What can be seen of a message: facts, never opinions.
pub mod evidence;
// Accepts connections, applies limits and TLS, hands each to an SMTP session.
pub mod listener;
// A message: its envelope and bytes, and a parsed, bounded view of them.
pub mod mail;
// The whole story of a message: implements the session's desk, inspects, and has the verdict acted on.
pub mod pipeline;
// Host names to addresses.
pub mod resolver;
// What it means: a compiled language over the evidence.
pub mod rules;
// The wire protocol, server and client; knows nothing of spam, rules or storage.
pub mod smtp;
// What lasts: the quarantine, the journal and the audit log.
pub mod store;
// Events become log lines and metrics; the one place that names them.
pub mod telemetry;
// Sizes and durations as people write them.
pub mod units;
// Where mail goes on: routes and their pools, SMTP and Maildir targets.
pub mod upstream;
// Findings and policy become an action, with reasons.
pub mod verdict;
