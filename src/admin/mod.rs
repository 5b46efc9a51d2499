//! HTTP, read-only: health and metrics.
//!
//! A bound listener and what the daemon knows of its health in; answers out, each connection
//! bounded in time, bytes and number. Knows nothing of mail.

mod settings;

pub use settings::Settings;
