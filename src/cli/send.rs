//! `portreeve send`: a sample sender, to try the gate with.
//!
//! Says what the server said. It is no relay: it stops at the first refused recipient.

use super::exit::Exit;
use super::{Shared, mails, terminal};
use lettre::address::Envelope;
use lettre::transport::smtp::SmtpTransport;
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `send`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Messages: files, folders, mboxes, or - for standard input.
    #[arg(required = true)]
    mail: Vec<PathBuf>,
    /// Where to send, such as 127.0.0.1:2525.
    #[arg(long, value_name = "HOST:PORT")]
    to: String,
    /// The reverse-path.
    #[arg(long, default_value = "sender@example.org")]
    from: lettre::Address,
    /// A recipient; may be given several times.
    #[arg(long, default_value = "recipient@example.org")]
    recipient: Vec<lettre::Address>,
}

/// Sends each message and prints each reply.
pub fn run(arguments: Arguments, shared: &Shared) -> Exit {
    let Some((host, port)) = arguments
        .to
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse().ok()?)))
    else {
        terminal::complain("--to wants HOST:PORT, such as 127.0.0.1:2525");
        return Exit::Usage;
    };
    let Ok(envelope) = Envelope::new(Some(arguments.from), arguments.recipient) else {
        terminal::complain("at least one --recipient is needed");
        return Exit::Usage;
    };
    let transport = SmtpTransport::builder_dangerous(host.trim_matches(['[', ']']))
        .port(port)
        .timeout(Some(Duration::from_secs(300)))
        .build();
    let mut exit = Exit::Fine;
    let unread = mails::for_each(&arguments.mail, |source| {
        let (reply, ended) = send(&transport, &envelope, &source);
        if shared.json {
            terminal::print_json(&json!({ "path": source.path, "reply": reply }));
        } else {
            terminal::print(&terminal::plain(&format!("{}: {reply}", source.path)));
        }
        exit = exit.worse(ended);
    });
    exit.worse(mails::told(&unread))
}

/// The server's reply, or what went wrong instead, and what that comes to.
fn send(transport: &SmtpTransport, envelope: &Envelope, source: &mails::Source) -> (String, Exit) {
    use lettre::Transport;
    // The library's DATA wants the body without its last line end and adds one itself.
    let body = source.bytes.strip_suffix(b"\r\n").unwrap_or(&source.bytes);
    match transport.send_raw(envelope, body) {
        Ok(response) => {
            let lines: Vec<&str> = response.message().collect();
            (format!("{} {}", response.code(), lines.join(" / ")), Exit::Fine)
        }
        Err(error) => {
            let exit = match error.status() {
                Some(_) if error.is_permanent() => Exit::Findings,
                Some(_) => Exit::TryAgain,
                None => Exit::Unavailable,
            };
            (error.to_string(), exit)
        }
    }
}
