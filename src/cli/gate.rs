//! Speaks to a running gate over its control socket.
//!
//! One request, one response; failures become a sentence and an exit code.

use super::exit::Exit;
use crate::daemon::protocol::{Failure, Request, Response};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Longer than any exchange that the gate allows.
const PATIENCE: Duration = Duration::from_secs(660);

/// Asks; what comes back is never a failure, and for a message its bytes come too.
///
/// # Errors
/// The exit code, once the failure has been told on standard error.
pub fn ask(socket: &Path, request: &Request) -> Result<(Response, Vec<u8>), Exit> {
    let (response, body) = exchange(socket, request).map_err(|error| {
        eprintln!("portreeve: no running gate answers at {}: {error}", socket.display());
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => Exit::NoInput,
            _ => Exit::Unavailable,
        }
    })?;
    match response {
        Response::Failed { kind, message } => {
            eprintln!("portreeve: {message}");
            Err(match kind {
                Failure::NotFound => Exit::Findings,
                Failure::Usage => Exit::Usage,
                Failure::Configuration => Exit::Configuration,
                Failure::TryAgain => Exit::TryAgain,
            })
        }
        response => Ok((response, body)),
    }
}

fn exchange(socket: &Path, request: &Request) -> std::io::Result<(Response, Vec<u8>)> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut reader = BufReader::new(stream);
    let mut answer = Vec::new();
    reader.read_until(b'\n', &mut answer)?;
    let response = serde_json::from_slice(&answer)?;
    let mut body = Vec::new();
    reader.read_to_end(&mut body)?;
    Ok((response, body))
}
