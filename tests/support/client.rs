//! An SMTP client that sends exactly what it is told and shows exactly what it hears.

use super::{PATIENCE, eventually};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;

/// A reply of one or more lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The three digits of its last line.
    pub code: u16,
    /// What follows code and separator on each line.
    pub lines: Vec<String>,
}

impl Reply {
    /// The lines as one text.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// 2, 3, 4 or 5.
    pub fn class(&self) -> u16 {
        self.code / 100
    }

    /// Whether EHLO's answer has this keyword.
    pub fn offers(&self, keyword: &str) -> bool {
        self.lines.iter().skip(1).any(|line| {
            line.split(' ')
                .next()
                .is_some_and(|word| word.eq_ignore_ascii_case(keyword))
        })
    }

    /// The message id that the text tells: a UUID, wherever it stands.
    pub fn id(&self) -> Option<String> {
        let text = self.text();
        let words = text.split(|letter: char| !letter.is_ascii_hexdigit() && letter != '-');
        words
            .map(str::to_owned)
            .find(|word| word.len() == 36 && word.matches('-').count() == 4)
    }
}

/// One connection to a server.
pub struct Client {
    stream: BufReader<Wire>,
}

enum Wire {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Gone,
}

impl Client {
    /// Connects and says nothing; the greeting is still to be read.
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("a server that listens"))
    }

    /// Speaks over a connection that is there already.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a fresh socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a fresh socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a fresh socket");
        Self {
            stream: BufReader::new(Wire::Clear(stream)),
        }
    }

    /// Connects, hears the greeting and says EHLO.
    pub fn greeted(address: SocketAddr) -> Self {
        let mut client = Self::connect(address);
        assert_eq!(client.reply().code, 220, "a greeting");
        assert_eq!(client.say("EHLO client.example").code, 250, "an answer to EHLO");
        client
    }

    /// As [`Client::greeted`], once EHLO offers `keyword`: what upstream has, the gate learns of a
    /// moment after it starts.
    pub fn greeted_with(address: SocketAddr, keyword: &str) -> Self {
        eventually(&format!("EHLO offers {keyword}"), || {
            let mut client = Self::connect(address);
            client.try_reply()?;
            client.say("EHLO client.example").offers(keyword).then_some(client)
        })
    }

    /// Sends bytes as they are, in one write.
    pub fn send(&mut self, bytes: &[u8]) {
        // A server that hangs up early is judged by what it answered, so a failed write is no failure.
        let _ = self
            .stream
            .get_mut()
            .write_all(bytes)
            .and_then(|()| self.stream.get_mut().flush());
    }

    /// Sends a line and reads the reply.
    pub fn say(&mut self, line: &str) -> Reply {
        self.send(format!("{line}\r\n").as_bytes());
        self.reply()
    }

    /// Reads a reply; a closed connection fails the test.
    pub fn reply(&mut self) -> Reply {
        self.try_reply().expect("a reply, not the end of the connection")
    }

    /// Reads a reply; `None` once the server has hung up.
    pub fn try_reply(&mut self) -> Option<Reply> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            match self.stream.read_line(&mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    panic!("no reply after {PATIENCE:?}; so far {lines:?}")
                }
                Err(_) => return None,
            }
            let line = line
                .strip_suffix("\r\n")
                .unwrap_or_else(|| panic!("a reply line that ends in CRLF: {line:?}"));
            let code = line
                .get(..3)
                .and_then(|digits| digits.parse().ok())
                .unwrap_or_else(|| panic!("a reply: {line:?}"));
            lines.push(line.get(4..).unwrap_or("").to_owned());
            if line.as_bytes().get(3) != Some(&b'-') {
                return Some(Reply { code, lines });
            }
        }
    }

    /// Reads replies until the server hangs up.
    pub fn replies_to_the_end(&mut self) -> Vec<Reply> {
        std::iter::from_fn(|| self.try_reply()).collect()
    }

    /// Opens a transaction; every step must be taken.
    pub fn envelope(&mut self, from: &str, to: &[&str]) {
        let reply = self.say(&format!("MAIL FROM:<{from}>"));
        assert_eq!(reply.code, 250, "MAIL: {reply:?}");
        for recipient in to {
            let reply = self.say(&format!("RCPT TO:<{recipient}>"));
            assert_eq!(reply.code, 250, "RCPT {recipient}: {reply:?}");
        }
    }

    /// DATA, the message dot-stuffed, the final dot; the reply to the dot, or to DATA when it is refused.
    pub fn data(&mut self, message: &[u8]) -> Reply {
        let reply = self.say("DATA");
        if reply.code != 354 {
            return reply;
        }
        self.send(&stuffed(message));
        self.reply()
    }

    /// A whole message on this connection.
    pub fn deliver(&mut self, from: &str, to: &[&str], message: &[u8]) -> Reply {
        self.envelope(from, to);
        self.data(message)
    }

    /// STARTTLS, the handshake, and EHLO again; the answer to that EHLO.
    pub fn start_tls(&mut self, config: Arc<ClientConfig>) -> Reply {
        let reply = self.say("STARTTLS");
        assert_eq!(reply.code, 220, "STARTTLS: {reply:?}");
        self.handshake(config);
        self.say("EHLO client.example")
    }

    /// The TLS handshake on the connection as it is.
    pub fn handshake(&mut self, config: Arc<ClientConfig>) {
        let Wire::Clear(stream) = std::mem::replace(self.stream.get_mut(), Wire::Gone) else {
            panic!("a second handshake");
        };
        let name = ServerName::try_from("localhost").expect("a name");
        let session = ClientConnection::new(config, name).expect("client settings");
        self.stream = BufReader::new(Wire::Tls(Box::new(StreamOwned::new(session, stream))));
        self.stream.get_mut().flush().expect("a handshake");
    }

    /// Says that nothing more will be sent; replies can still be read.
    pub fn finish_sending(&mut self) {
        if let Wire::Clear(stream) = self.stream.get_ref() {
            let _ = stream.shutdown(Shutdown::Write);
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
            Self::Gone => Ok(0),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
            Self::Gone => Ok(()),
        }
    }
}

/// A message as DATA carries it: dots doubled at line starts (RFC 5321 §4.5.2), the final dot added.
pub fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 8);
    for line in message.split_inclusive(|&byte| byte == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}
