//! The control socket: answers the command line of whoever may open it (mode 0600).
//!
//! Every act on kept mail goes to the audit log with the asking user. Knows nothing of arguments
//! and terminals.

use super::levers::Asked;
use super::protocol::{Failure, Kept, REQUEST_MOST, Request, Response};
use super::state::Daemon;
use crate::action::{self, ReleaseError};
use crate::mail::Domain;
use crate::pipeline::release_lesson;
use crate::store::{AuditEntry, Hold, State, StoreError};
use crate::verdict::lever::Kind;
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Exchanges at once; more wait in the kernel's queue.
const EXCHANGES_MOST: usize = 16;
/// How long a client may take to ask, and again to take the answer. What it asked for isn't cut
/// short in between: a release runs to its end, whose record then says what became of it.
const CLIENT_PATIENCE: Duration = Duration::from_secs(10);

/// What a client must take within its patience.
const CHUNK: usize = 64 << 10;

/// Opens the socket. One that a dead gate left behind is replaced; a living gate's is not.
///
/// # Errors
/// When the path can't be used, or another gate answers there.
pub fn bind(path: &Path) -> std::io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(std::io::Error::new(
            std::io::ErrorKind::AddrInUse,
            "another portreeve answers there",
        ));
    }
    if path.exists() {
        std::fs::remove_file(path)?;
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves until told to stop; then answers what is under way and returns.
pub async fn serve(listener: UnixListener, daemon: Arc<Daemon>, stop: CancellationToken) {
    let exchanges = TaskTracker::new();
    let places = Arc::new(Semaphore::new(EXCHANGES_MOST));
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Some((stream, place)) => {
                let daemon = Arc::clone(&daemon);
                exchanges.spawn(async move {
                    let _place = place;
                    // A client that has gone has nobody to tell.
                    let _ = exchange(stream, &daemon).await;
                });
            }
            None => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    exchanges.close();
    exchanges.wait().await;
}

/// The next client, once there is a place for it.
async fn accept(listener: &UnixListener, places: &Arc<Semaphore>) -> Option<(UnixStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    let (stream, _) = listener.accept().await.ok()?;
    Some((stream, place))
}

async fn exchange(stream: UnixStream, daemon: &Daemon) -> std::io::Result<()> {
    let actor = stream
        .peer_cred()
        .map_or_else(|_| "unknown".into(), |peer| format!("uid {}", peer.uid()));
    let (reader, mut writer) = stream.into_split();
    let line = timeout(CLIENT_PATIENCE, request_line(reader)).await??;
    let (response, body) = match serde_json::from_slice(&line) {
        Ok(request) => answer(request, &actor, daemon).await,
        Err(_) if line.len() >= REQUEST_MOST => (failed(Failure::Usage, "too long a request".into()), Bytes::new()),
        Err(error) => (failed(Failure::Usage, format!("no request: {error}")), Bytes::new()),
    };
    let mut out = serde_json::to_vec(&response)?;
    out.push(b'\n');
    for piece in [Bytes::from(out), body] {
        for chunk in piece.chunks(CHUNK) {
            timeout(CLIENT_PATIENCE, writer.write_all(chunk)).await??;
        }
    }
    writer.shutdown().await
}

async fn request_line(reader: impl AsyncRead + Unpin) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(reader.take(REQUEST_MOST as u64))
        .read_until(b'\n', &mut line)
        .await?;
    Ok(line)
}

async fn answer(request: Request, actor: &str, daemon: &Daemon) -> (Response, Bytes) {
    let store = daemon.gate.store.as_ref();
    let response = match request {
        Request::Status => Ok(Response::Status(Box::new(daemon.status().await))),
        Request::Reload { force } => Ok(daemon.reload("control socket", force).await),
        Request::Rearm { rule, reason } => Ok(daemon.rearm(rule.as_deref(), actor, &reason).await),
        Request::QuarantineList(query) => store
            .list(query)
            .await
            .map(|messages| Response::Quarantine { messages }),
        Request::QuarantineShow { id, reason, body } => return show(id, &reason, body, actor, daemon).await,
        Request::QuarantineRelease { id, recipients, reason } => {
            Ok(release(id, &recipients, &reason, actor, daemon).await)
        }
        Request::QuarantineDelete { id, reason } => delete(id, &reason, actor, daemon).await,
        Request::QuarantineHold { id, lift, reason } => hold(id, lift, reason, actor, daemon).await,
        Request::QuarantineSettle { id, state, reason } => settle(id, state, reason, actor, daemon).await,
        Request::SetEntry { .. }
        | Request::RemoveEntry { .. }
        | Request::Entries { .. }
        | Request::StartBypass { .. }
        | Request::EndBypass { .. } => Ok(levers(request, actor, daemon).await),
        Request::HistoryForget { whom, reason } => forget(&whom, &reason, actor, daemon).await,
        Request::JournalSearch(query) => store
            .search_journal(query)
            .await
            .map(|records| Response::Journal { records }),
        Request::Audit { id } => store.audit(id).await.map(|entries| Response::Audit { entries }),
    };
    (response.unwrap_or_else(|error| store_failure(&error)), Bytes::new())
}

/// What is asked of the levers.
async fn levers(request: Request, by: &str, daemon: &Daemon) -> Response {
    match &request {
        Request::SetEntry {
            kind,
            entry,
            until,
            reason,
        } => daemon.set_entry(*kind, entry, until, Asked { by, reason }).await,
        Request::RemoveEntry { kind, entry, reason } => daemon.remove_lever(*kind, entry, Asked { by, reason }).await,
        Request::Entries { kind } => daemon.levers_of(*kind),
        Request::StartBypass { span, reason } => daemon.start_bypass(*span, Asked { by, reason }).await,
        Request::EndBypass { reason } => daemon.remove_lever(Kind::Bypass, "", Asked { by, reason }).await,
        _ => failed(Failure::Usage, "no lever is asked for".into()),
    }
}

async fn show(id: Uuid, reason: &str, body: bool, actor: &str, daemon: &Daemon) -> (Response, Bytes) {
    match daemon.gate.store.get(id).await {
        Ok(kept) => {
            let act = if body { "show body" } else { "show" };
            audit(daemon, actor, act, id, reason, "shown").await;
            let bytes = if body { kept.body } else { Bytes::new() };
            let kept = Kept {
                id,
                state: kept.state,
                envelope: kept.envelope,
                route: kept.route,
                event: kept.event,
                hold: kept.hold,
                body_bytes: bytes.len() as u64,
            };
            (Response::Message(Box::new(kept)), bytes)
        }
        Err(error) => (store_failure(&error), Bytes::new()),
    }
}

async fn delete(id: Uuid, reason: &str, actor: &str, daemon: &Daemon) -> Result<Response, StoreError> {
    let Some(_turn) = daemon.turns.take(id) else {
        return Ok(under_way(id, "delete", reason, actor, daemon).await);
    };
    let outcome = daemon.gate.store.delete(id).await;
    let told = outcome.as_ref().map_or_else(ToString::to_string, |()| "deleted".into());
    audit(daemon, actor, "delete", id, reason, &told).await;
    outcome.map(|()| Response::Done {
        message: format!("{id} is deleted"),
    })
}

async fn hold(id: Uuid, lift: bool, reason: String, actor: &str, daemon: &Daemon) -> Result<Response, StoreError> {
    let since = daemon.gate.clock.now();
    let (act, told) = if lift {
        ("hold lift", "no longer on legal hold")
    } else {
        ("hold", "on legal hold")
    };
    let entry = audit_entry(daemon, actor, act, Some(id), &reason, told);
    let hold = (!lift).then(|| Hold {
        by: actor.into(),
        reason: reason.clone(),
        since,
    });
    if let Err(error) = daemon.gate.store.hold(id, hold, entry).await {
        audit(daemon, actor, act, id, &reason, &error.to_string()).await;
        return Err(error);
    }
    daemon
        .gate
        .telemetry
        .notice("hold", &format!("{id} is {told}, by {actor}"));
    Ok(Response::Done {
        message: format!("{id} is {told}"),
    })
}

/// A person's word on what became of a message. Nothing is sent.
async fn settle(id: Uuid, state: State, reason: String, actor: &str, daemon: &Daemon) -> Result<Response, StoreError> {
    let act = format!("settle as {}", state.as_str());
    let Some(_turn) = daemon.turns.take(id) else {
        return Ok(under_way(id, &act, &reason, actor, daemon).await);
    };
    let entry = audit_entry(daemon, actor, &act, Some(id), &reason, "settled");
    match daemon.gate.store.decide(id, state, entry).await {
        Ok(stands) => {
            let message = format!("{id} is {} now", stands.as_str());
            daemon
                .gate
                .telemetry
                .notice("settle", &format!("{message}, by {actor}: {reason}"));
            Ok(Response::Done { message })
        }
        Err(error) => {
            audit(daemon, actor, &act, id, &reason, &error.to_string()).await;
            Err(error)
        }
    }
}

/// Forgets an address with all its pairs, or a domain with its bank details.
async fn forget(whom: &str, reason: &str, actor: &str, daemon: &Daemon) -> Result<Response, StoreError> {
    let secret = &daemon.gate.secret;
    let (key, recipient) = match whom.strip_prefix('@') {
        Some(domain) => match Domain::parse(domain) {
            Some(domain) => (secret.domain(&domain), None),
            None => return Ok(failed(Failure::Usage, format!("{domain:?} is no domain"))),
        },
        None if !whom.contains('@') => {
            let help = "write user@domain, or @domain";
            return Ok(failed(Failure::Usage, format!("{whom:?} is no address: {help}")));
        }
        None => (secret.address(whom), Some(secret.recipient(whom))),
    };
    // What waits to be learned would bring it back.
    daemon.gate.journal.flush().await;
    // Whom it was about is not to stay in the audit log for years.
    let entry = audit_entry(daemon, actor, "history forget", None, reason, "forgotten");
    let gone = daemon.gate.store.forget(key, recipient, entry).await?;
    Ok(Response::Done {
        message: format!("{gone} entries about {whom} are forgotten"),
    })
}

async fn under_way(id: Uuid, act: &str, reason: &str, actor: &str, daemon: &Daemon) -> Response {
    let why = "is being acted on at this moment";
    audit(daemon, actor, act, id, reason, why).await;
    failed(Failure::TryAgain, format!("{id} {why}"))
}

async fn release(id: Uuid, recipients: &[String], reason: &str, actor: &str, daemon: &Daemon) -> Response {
    let Some(_turn) = daemon.turns.take(id) else {
        return under_way(id, "release", reason, actor, daemon).await;
    };
    let live = daemon.gate.live.load_full();
    // Its bytes are gone once everybody has it.
    let kept = daemon.gate.store.get(id).await;
    let outcome = action::release(daemon.gate.store.as_ref(), &live.upstreams, &live.stamp, id, recipients).await;
    let told = match &outcome {
        Ok(released) => {
            let missed: String = released.missed.iter().map(|one| format!("; not to {one}")).collect();
            format!(
                "released to {}: {}{missed}",
                released.recipients.join(", "),
                released.reply
            )
        }
        Err(error) => error.to_string(),
    };
    audit(daemon, actor, "release", id, reason, &told).await;
    let category = outcome.as_ref().map_or("", |released| released.category.as_str());
    daemon
        .gate
        .telemetry
        .release("cli", category, if outcome.is_ok() { "delivered" } else { "failed" });
    if let (Ok(released), Ok(kept)) = (&outcome, &kept)
        && let Some(lesson) = release_lesson(kept, &released.recipients, &daemon.gate.secret, &live)
    {
        daemon.gate.journal.learn(lesson, live.history.entries);
    }
    match outcome {
        Ok(released) => {
            let still = match released.remaining {
                0 => String::new(),
                remaining => format!("; still held for {remaining} more"),
            };
            Response::Done {
                message: format!("{id} {told}{still}"),
            }
        }
        Err(ReleaseError::Store(error)) => store_failure(&error),
        Err(error) => failed(Failure::TryAgain, format!("{id}: {error}")),
    }
}

async fn audit(daemon: &Daemon, actor: &str, act: &str, message: Uuid, reason: &str, outcome: &str) {
    audited(daemon, actor, act, Some(message), reason, outcome).await;
}

/// Appends to the audit log; where that fails, the log says what is missing there.
pub async fn audited(daemon: &Daemon, actor: &str, act: &str, message: Option<Uuid>, reason: &str, outcome: &str) {
    let entry = audit_entry(daemon, actor, act, message, reason, outcome);
    if let Err(error) = daemon.gate.store.append_audit(entry).await {
        let about = message.map(|id| format!(" of {id}")).unwrap_or_default();
        daemon.gate.telemetry.warning(
            "audit",
            &format!("{act}{about} by {actor} is not in the audit log: {error}"),
        );
    }
}

/// An entry of now.
pub fn audit_entry(
    daemon: &Daemon,
    actor: &str,
    act: &str,
    message: Option<Uuid>,
    reason: &str,
    outcome: &str,
) -> AuditEntry {
    AuditEntry {
        time: daemon.gate.clock.now(),
        actor: actor.into(),
        act: act.into(),
        message,
        reason: reason.into(),
        outcome: outcome.into(),
    }
}

fn store_failure(error: &StoreError) -> Response {
    let kind = match error {
        StoreError::NotFound
        | StoreError::WrongState(_)
        | StoreError::NoSuchRecipient
        | StoreError::OnHold
        | StoreError::NotOnHold => Failure::NotFound,
        StoreError::Failed(_) => Failure::TryAgain,
    };
    failed(kind, error.to_string())
}

fn failed(kind: Failure, message: String) -> Response {
    Response::Failed { kind, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn a_dead_gates_socket_is_replaced_and_a_living_ones_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("var/gate.sock");
        let living = bind(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(bind(&path).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
        drop(living);
        assert!(path.exists());
        bind(&path).unwrap();
    }

    #[tokio::test]
    async fn a_request_is_read_to_its_line_end_or_its_limit() {
        for (sent, read) in [
            (REQUEST_MOST - 1, REQUEST_MOST - 1),
            (REQUEST_MOST, REQUEST_MOST),
            (REQUEST_MOST + 1, REQUEST_MOST),
        ] {
            let bytes = vec![b'x'; sent];
            assert_eq!(request_line(bytes.as_slice()).await.unwrap().len(), read);
        }
        assert_eq!(request_line(&b"one\ntwo\n"[..]).await.unwrap(), b"one\n");
    }
}
