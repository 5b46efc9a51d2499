//! The senders: a few threads, each with a connection at a time, every write a single one.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;

/// Senders at once.
const SENDERS: usize = 4;

/// How the senders talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Each command waits for the reply to the one before.
    StepByStep,
    /// MAIL, RCPT and DATA in one write (RFC 2920).
    Pipelined,
}

/// What to send where.
pub struct Load<'a> {
    /// The candidate.
    pub address: SocketAddr,
    /// Sent in turn, ready for DATA.
    pub mails: &'a [Vec<u8>],
    /// How many in all.
    pub messages: usize,
    /// How many before a connection is closed.
    pub messages_per_connection: usize,
    /// How the senders talk.
    pub pace: Pace,
}

impl Load<'_> {
    /// Sends everything; each message must be taken.
    pub fn send(&self) {
        thread::scope(|scope| {
            for sender in 0..SENDERS {
                scope.spawn(move || {
                    let mut numbers = (sender..self.messages).step_by(SENDERS).peekable();
                    while numbers.peek().is_some() {
                        let mut connection = Connection::open(self.address);
                        for number in numbers.by_ref().take(self.messages_per_connection) {
                            connection.send(&self.mails[number % self.mails.len()], self.pace);
                        }
                        connection.close();
                    }
                });
            }
        });
    }
}

struct Connection {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    line: String,
}

impl Connection {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a candidate that listens");
        stream.set_nodelay(true).expect("a fresh socket");
        let reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let mut connection = Self {
            stream,
            reader,
            line: String::new(),
        };
        connection.expect("220");
        connection.say(b"EHLO client.example\r\n", &["250"]);
        connection
    }

    fn send(&mut self, mail: &[u8], pace: Pace) {
        const COMMANDS: [&[u8]; 3] = [
            b"MAIL FROM:<sender@parish.example>\r\n",
            b"RCPT TO:<clerk@council.example>\r\n",
            b"DATA\r\n",
        ];
        match pace {
            Pace::StepByStep => {
                for (command, code) in COMMANDS.iter().zip(["250", "250", "354"]) {
                    self.say(command, &[code]);
                }
            }
            Pace::Pipelined => self.say(&COMMANDS.concat(), &["250", "250", "354"]),
        }
        self.say(mail, &["250"]);
    }

    fn close(mut self) {
        self.say(b"QUIT\r\n", &["221"]);
    }

    fn say(&mut self, bytes: &[u8], codes: &[&str]) {
        self.stream.write_all(bytes).expect("a candidate that listens");
        for code in codes {
            self.expect(code);
        }
    }

    fn expect(&mut self, code: &str) {
        loop {
            self.line.clear();
            self.reader.read_line(&mut self.line).expect("a reply");
            assert!(self.line.starts_with(code), "{code} expected, {:?} came", self.line);
            if self.line.as_bytes().get(3) != Some(&b'-') {
                return;
            }
        }
    }
}
