//! The compiled gate between real sockets: only what the parts can't show alone.
//!
//! Each test starts a gate of its own on free ports, with rules that act on the subject, before an
//! upstream under the test's control. `postfix` puts real mail servers in their places.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test program: what goes wrong fails it"
)]

#[allow(
    dead_code,
    unused_imports,
    reason = "each test program uses its own part of the tools"
)]
#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod breaker;
mod check;
mod chunking;
mod custody;
mod dane;
mod delivery;
mod fronts;
mod hostile_mail;
mod ipv6;
mod levers;
mod lifecycle;
mod lmtp;
mod machine_faults;
mod outbound;
mod postfix;
mod recipes;
mod relay_guard;
mod reload;
mod reload_storm;
mod seen;
mod senders;
mod smuggling;
mod stand_in;
mod told;
mod upstream_chunks;
mod upstream_faults;
mod verdicts;
mod wire;
