//! What we and our libraries say through `tracing` becomes log lines like any other.
//!
//! A subscriber layer: events and their spans in, escaped lines out, by the log's level. Knows
//! nothing of messages or metrics.

use super::log::Log;
use super::settings::Level;
use std::fmt::{Debug, Write};
use std::sync::Arc;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// Targets of our own.
const OURS: &str = "portreeve";
/// Bytes kept of one field; the line escapes and cuts it again.
const FIELD_BYTES_MAX: usize = 4 * 1024;
/// Fields kept of one event with its spans.
const FIELDS_MAX: usize = 24;

/// Makes the log the process's subscriber; false when there is one already.
pub(super) fn install(log: &Arc<Log>) -> bool {
    tracing::subscriber::set_global_default(subscriber(log)).is_ok()
}

/// A subscriber that writes to the log.
pub(super) fn subscriber(log: &Arc<Log>) -> impl Subscriber + Send + Sync + use<> {
    tracing_subscriber::registry().with(Diagnostics(Arc::clone(log)))
}

/// Has `tracing` ask again what is wanted.
pub(super) fn level_changed() {
    tracing::callsite::rebuild_interest_cache();
}

struct Diagnostics(Arc<Log>);

impl Diagnostics {
    /// Libraries are heard a step less than ourselves, and whole only at `trace`: at `debug` some
    /// print what passes through them.
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let level = level_of(metadata);
        let ours = metadata.target() == OURS || metadata.target().starts_with("portreeve::");
        let most = match (self.0.level(), ours) {
            (Level::Info, false) => Level::Warning,
            (Level::Debug, false) => Level::Info,
            (most, _) => most,
        };
        level <= most
    }
}

impl<S: Subscriber + for<'l> LookupSpan<'l>> Layer<S> for Diagnostics {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _context: Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().replace(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.0.extend(outer.0.iter().cloned());
            }
        }
        fields.0.truncate(FIELDS_MAX);
        let metadata = event.metadata();
        let mut texts = vec![("target", metadata.target())];
        texts.extend(fields.0.iter().map(|(key, value)| (*key, value.as_str())));
        self.0.fields(level_of(metadata), "diagnostic", &texts);
    }
}

fn level_of(metadata: &Metadata<'_>) -> Level {
    match *metadata.level() {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warning,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::TRACE => Level::Trace,
    }
}

#[derive(Default)]
struct Fields(Vec<(&'static str, String)>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        let mut end = value.len().min(FIELD_BYTES_MAX);
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        self.0
            .push((name_of(field), value.get(..end).unwrap_or_default().to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = Bounded(String::new());
        // An error means that the bound was reached, which is what we want.
        let _ = write!(text, "{value:?}");
        self.0.push((name_of(field), text.0));
    }
}

/// Keys of the line itself can't be said twice.
fn name_of(field: &Field) -> &'static str {
    match field.name() {
        "time" | "level" | "event" | "target" => "field",
        name => name,
    }
}

/// Takes text up to [`FIELD_BYTES_MAX`], then fails, so that nobody's `Debug` costs more.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if self.0.len() + text.len() > FIELD_BYTES_MAX {
            return Err(std::fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}
