//! Portreeve: a before-queue SMTP proxy that judges each message while its sender is still connected.
//!
//! This is the map. Modules stand in layers, and a module imports only from layers below its own
//! (`tests/architecture.rs` holds the table). From the outside world's edge down to the wire:

// One file a subcommand: arguments in, exit code out.
pub mod cli;
// Builds the parts from the settings, binds, spawns, reloads, drains; the control socket.
pub mod daemon;
// Composes each module's `Settings`; layers, origins, cross-field checks.
pub mod config;
// Accepts connections, applies limits and TLS, hands each to an SMTP session.
pub mod listener;
// HTTP, read-only: health and metrics.
pub mod admin;
// What authors of rules measure with: archived mail in, counts and comparisons out.
pub mod measure;
// The whole story of a message: implements the session's desk, inspects, and has the verdict acted on.
pub mod pipeline;
// What is done with a judged message: relay, tag, quarantine, defer, reject.
pub mod action;
// Where mail goes on: routes and their pools, SMTP and Maildir targets.
pub mod upstream;
// What lasts: the quarantine, the journal and the audit log.
pub mod store;
// Findings and policy become an action, with reasons.
pub mod verdict;
// What it means: a compiled language over the evidence.
pub mod rules;
// What can be seen of a message: facts, never opinions.
pub mod evidence;
// The wire protocol, server and client; knows nothing of spam, rules or storage.
pub mod smtp;
// A message: its envelope and bytes, and a parsed, bounded view of them.
pub mod mail;
// Certificates with their keys, and what else says whether one is right.
pub mod certificate;
// Events become log lines and metrics; the one place that names them.
pub mod telemetry;
// Host names to addresses, and DNS records with whether they were validated.
pub mod resolver;
// The time of day.
pub mod clock;
// Randomness, and the ids made from it.
pub mod chance;
// Blocking work, on a bounded pool.
pub mod compute;
// Sizes and durations as people write them.
pub mod units;
