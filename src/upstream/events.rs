//! What a route reports: each reply's class, its connections, and what needs a person.
//!
//! Passes plain fields on to telemetry. Decides nothing.

use super::failure::{Failure, NO_XCLIENT, Softening, Stage};
use crate::smtp::Reply;
use crate::telemetry::Telemetry;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// One route's voice, shared by its targets and their connections.
pub(super) struct Events {
    route: Arc<str>,
    telemetry: Telemetry,
    softening: Softening,
    idle: AtomicI64,
    busy: AtomicI64,
}

impl Events {
    pub(super) fn new(route: Arc<str>, telemetry: Telemetry, softening: Softening) -> Self {
        Self {
            route,
            telemetry,
            softening,
            idle: AtomicI64::new(0),
            busy: AtomicI64::new(0),
        }
    }

    pub(super) fn route(&self) -> &Arc<str> {
        &self.route
    }

    /// Upstream answered a step.
    pub(super) fn answered(&self, stage: Stage, reply: &Reply) {
        self.telemetry
            .upstream_reply(&self.route, stage.as_str(), reply.class().as_str());
    }

    /// A step failed for good: counts it, and gives the client's reply.
    pub(super) fn failed(&self, target: &str, failure: &Failure) -> Reply {
        let (reply, is_softened) = failure.reply(&self.softening);
        match failure {
            Failure::Fault(stage, fault) => {
                self.telemetry.upstream_reply(&self.route, stage.as_str(), "none");
                self.warn(target, fault);
            }
            Failure::Answer(stage, answer) if is_softened => {
                self.telemetry
                    .upstream_softened(&self.route, stage.as_str(), &answer.to_string());
            }
            // Its set-up or ours is at fault, as where it refuses us: all mail waits meanwhile.
            Failure::NoXclient => self
                .telemetry
                .upstream_softened(&self.route, Stage::Hello.as_str(), NO_XCLIENT),
            Failure::Busy => self.warn(target, &"every connection is in use"),
            Failure::Answer(..) | Failure::NeedsSmtpUtf8 | Failure::Unsendable => {}
        }
        reply
    }

    /// A transaction is begun with a server that wasn't told who the client is.
    pub(super) fn unstated(&self) {
        self.telemetry.upstream_unstated(&self.route);
    }

    /// A server took no XFORWARD.
    pub(super) fn refused_forward(&self, reply: &Reply) {
        let text = format!(
            "route {}: XFORWARD is refused, mail goes on without it: {reply}",
            self.route
        );
        self.telemetry.warning("upstream", &text);
    }

    /// Something about a target that needs a person.
    pub(super) fn warn(&self, target: &str, what: &dyn std::fmt::Display) {
        self.telemetry
            .warning("upstream", &format!("route {}: {target} {what}", self.route));
    }

    /// So many connections more, or fewer, are idle and busy.
    pub(super) fn moved(&self, idle: i64, busy: i64) {
        for (state, gauge, change) in [("idle", &self.idle, idle), ("busy", &self.busy, busy)] {
            if change != 0 {
                let now = gauge.fetch_add(change, Ordering::Relaxed) + change;
                self.telemetry.upstream_connections(&self.route, state, now);
            }
        }
    }
}
