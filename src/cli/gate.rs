//! Speaks to a running gate over its control socket.
//!
//! One request, one response; failures become a sentence and an exit code.

use super::exit::Exit;
use super::terminal;
use crate::daemon::protocol::{Failure, REQUEST_MOST, Request, Response};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
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
        let socket = socket.display();
        match error.kind() {
            ErrorKind::PermissionDenied => {
                terminal::complain(&format!("{socket} is for the user who runs the gate: {error}"));
                Exit::NoInput
            }
            ErrorKind::InvalidInput => {
                terminal::complain(&error.to_string());
                Exit::Usage
            }
            _ => {
                terminal::complain(&format!("no running gate answers at {socket}: {error}"));
                Exit::Unavailable
            }
        }
    })?;
    match response {
        Response::Failed { kind, message } => {
            terminal::complain(&message);
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
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    if line.len() > REQUEST_MOST {
        return Err(std::io::Error::new(ErrorKind::InvalidInput, "that is too long to ask"));
    }
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&line)?;
    let mut reader = BufReader::new(stream);
    let mut answer = Vec::new();
    reader.read_until(b'\n', &mut answer)?;
    if answer.is_empty() {
        return Err(std::io::Error::new(
            ErrorKind::UnexpectedEof,
            "it went away without an answer",
        ));
    }
    let response = serde_json::from_slice(&answer)?;
    let mut body = Vec::new();
    reader.read_to_end(&mut body)?;
    Ok((response, body))
}
