//! HTTP, read-only: health and metrics.
//!
//! A bound listener and what the daemon knows of its health in; answers out, each connection
//! bounded in time, bytes and number. Knows nothing of mail.

mod bounded;
mod settings;

pub use settings::Settings;

use crate::telemetry::Telemetry;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bounded::BoundedListener;
use serde::Serialize;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The media type of the metrics' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A reason not to send mail here now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotReady {
    /// Which part: `rules`, `store`, `upstream`.
    pub part: &'static str,
    /// In words.
    pub why: String,
}

/// What the daemon knows of its own health. Answers at once, from what was last found out.
pub trait Health: Send + Sync + 'static {
    /// Everything that stands in the way; empty when mail can be taken.
    fn not_ready(&self) -> Vec<NotReady>;
}

/// Serves until `stop` is cancelled; then answers what is under way and returns.
///
/// # Errors
/// When the listener itself fails.
pub async fn serve(
    listener: TcpListener,
    telemetry: Telemetry,
    health: Arc<dyn Health>,
    stop: CancellationToken,
) -> io::Result<()> {
    let state = Console { telemetry, health };
    axum::serve(BoundedListener::new(listener), router(state))
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

#[derive(Clone)]
struct Console {
    telemetry: Telemetry,
    health: Arc<dyn Health>,
}

fn router(state: Console) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .fallback(not_found)
        .method_not_allowed_fallback(read_only)
        .with_state(state)
}

async fn metrics(State(console): State<Console>) -> Response {
    answer(StatusCode::OK, METRICS_TYPE, console.telemetry.scrape())
}

/// That this answers is the answer.
async fn healthz() -> Response {
    text(StatusCode::OK, "alive\n")
}

async fn readyz(State(console): State<Console>) -> Response {
    #[derive(Serialize)]
    struct Readiness {
        ready: bool,
        reasons: Vec<NotReady>,
    }
    let reasons = console.health.not_ready();
    let ready = reasons.is_empty();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    // Plain strings always make JSON.
    let body = serde_json::to_string(&Readiness { ready, reasons }).unwrap_or_default();
    answer(status, "application/json", body + "\n")
}

async fn not_found() -> Response {
    text(StatusCode::NOT_FOUND, "here are /metrics, /healthz and /readyz\n")
}

async fn read_only() -> Response {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "read-only: GET or HEAD\n");
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static("GET,HEAD"));
    response
}

fn text(status: StatusCode, body: &'static str) -> Response {
    answer(status, "text/plain; charset=utf-8", body.to_owned())
}

/// One answer a connection: nothing idle holds one of the few places.
fn answer(status: StatusCode, media_type: &'static str, body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CONNECTION, "close"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, body).into_response()
}

#[cfg(test)]
mod tests;
