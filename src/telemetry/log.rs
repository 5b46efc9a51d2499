//! The log: what each kind of line says, and whether it is written.
//!
//! Events in, one line each out, to the writer's queue. Knows nothing of metrics.

use super::catalogue::SHADOW;
use super::event::MessageEvent;
use super::line::Line;
use super::settings::{Format, Level, Settings};
use super::{Now, writer::Writer};
use arc_swap::ArcSwap;
use jiff::Timestamp;
use prometheus::IntCounter;
use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

/// Where log lines go.
pub(super) struct Log {
    settings: ArcSwap<Settings>,
    writer: Writer,
    now: Now,
}

impl fmt::Debug for Log {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Log")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Log {
    /// Starts the writer.
    pub(super) fn start(settings: Settings, output: Box<dyn Write + Send>, now: Now, dropped: IntCounter) -> Self {
        Self {
            settings: ArcSwap::from_pointee(settings),
            writer: Writer::start(output, dropped),
            now,
        }
    }

    pub(super) fn configure(&self, settings: Settings) {
        self.settings.store(Arc::new(settings));
    }

    pub(super) fn level(&self) -> Level {
        self.settings.load().level
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.now)()
    }

    pub(super) fn flush(&self, patience: Duration) -> bool {
        self.writer.flush(patience)
    }

    /// A line of plain fields; `message` is a sentence, all others are texts of anyone's.
    pub(super) fn fields(&self, level: Level, event: &str, fields: &[(&str, &str)]) {
        let settings = self.settings.load();
        if level > settings.level {
            return;
        }
        let mut line = self.line(settings.format, level, event);
        for (key, value) in fields {
            if *key == "message" {
                line.sentence(key, value);
            } else {
                line.text(key, value);
            }
        }
        self.writer.send(line.finish());
    }

    /// The line of a message, most needed fields first.
    pub(super) fn message(&self, event: &MessageEvent) {
        let settings = self.settings.load();
        if Level::Info > settings.level {
            return;
        }
        let mut line = self.line(settings.format, Level::Info, "message");
        line.text("id", &event.id);
        push_outcome(&mut line, event);
        push_reasons(&mut line, event);
        push_envelope(&mut line, event);
        self.writer.send(line.finish());
    }

    fn line(&self, format: Format, level: Level, event: &str) -> Line {
        Line::new(format, &format!("{:.3}", self.now()), level.as_str(), event)
    }
}

fn push_outcome(line: &mut Line, event: &MessageEvent) {
    line.text("generation", &event.generation);
    line.text("listener", &event.listener);
    line.text("direction", &event.direction);
    line.text("mode", &event.mode);
    line.text("verdict", &event.verdict);
    line.text("action", &event.action);
    line.number("score", event.score);
    line.text("severity", &event.severity);
    line.text("category", &event.category);
    line.integer("size", event.size);
    line.integer("to_count", event.recipients.len() as u64);
    line.map(
        "stages_ms",
        event
            .stages
            .iter()
            .map(|(stage, milliseconds)| (stage.as_str(), *milliseconds)),
    );
    line.text("route", &event.route);
    line.text("reply", &event.reply);
    line.text("upstream_reply", &event.upstream_reply);
}

fn push_reasons(line: &mut Line, event: &MessageEvent) {
    let findings = |shadow: bool| {
        let of_status = event
            .findings
            .iter()
            .filter(move |finding| (finding.status == SHADOW) == shadow);
        of_status.map(|finding| (finding.rule.as_str(), finding.score))
    };
    line.map("findings", findings(false));
    line.map("shadow", findings(true));
    line.list("levers", event.levers.iter().map(String::as_str));
    line.list("reasons", event.reasons.iter().map(String::as_str));
    let unscanned: Vec<String> = event
        .unscanned
        .iter()
        .map(|unscanned| format!("{}:{}", unscanned.check, unscanned.cause))
        .collect();
    line.list("unscanned", unscanned.iter().map(String::as_str));
    line.list("authentication", event.authentication.iter().map(String::as_str));
}

fn push_envelope(line: &mut Line, event: &MessageEvent) {
    line.text("client", &event.client);
    line.text("tls", &event.tls);
    line.text("helo", &event.helo);
    line.text("from", &event.from);
    line.list(
        "to",
        event.recipients.iter().map(|recipient| recipient.address.as_str()),
    );
}
