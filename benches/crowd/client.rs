//! A client among thousands: a socket, a few octets, no thread.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Barrier;

const CHUNK: usize = 64 * 1024;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// 250.
    Taken,
    /// 4xx.
    PutOff,
    /// Anything else, or nothing.
    Otherwise,
}

/// One connection.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects, hears the greeting and says EHLO.
    pub async fn greeted(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut client = Self {
            stream: BufReader::with_capacity(256, stream),
        };
        match client.reply().await? {
            220 => {}
            code => return Err(io::Error::other(format!("greeted with {code}"))),
        }
        client.say(b"EHLO client.example\r\n").await?;
        Ok(client)
    }

    /// Sends a message that holds no line beginning with a dot.
    pub async fn deliver(&mut self, body: &[u8]) -> Sent {
        let sent = async {
            self.envelope("").await?;
            self.stream.get_mut().write_all(body).await?;
            self.say(b"\r\n.\r\n").await
        };
        outcome(sent.await)
    }

    /// A message up to the go-ahead for its body, its size told beforehand or not.
    pub async fn begin(&mut self, declared: Option<usize>) -> io::Result<u16> {
        let declared = declared.map_or_else(String::new, |size| format!(" SIZE={size}"));
        self.envelope(&declared).await
    }

    /// Sends `size` octets of text for its body once all are ready to.
    pub async fn finish_together(&mut self, size: usize, at_once: &Barrier) -> Sent {
        at_once.wait().await;
        let line = [b"x".repeat(76).as_slice(), b"\r\n"].concat();
        let chunk = line.repeat(CHUNK / line.len());
        let sent = async {
            for _ in 0..size / chunk.len() {
                self.stream.get_mut().write_all(&chunk).await?;
            }
            self.say(b".\r\n").await
        };
        outcome(sent.await)
    }

    async fn envelope(&mut self, parameters: &str) -> io::Result<u16> {
        let mail = format!("MAIL FROM:<sender@parish.example>{parameters}\r\n");
        for (line, expected) in [
            (mail.as_bytes(), 250),
            (b"RCPT TO:<clerk@council.example>\r\n", 250),
            (b"DATA\r\n", 354),
        ] {
            let code = self.say(line).await?;
            if code != expected {
                return Err(io::Error::other(format!("told {code}")));
            }
        }
        Ok(354)
    }

    /// Says nothing (0), a command of which an octet a second comes (1), or a body at that pace (2); for ever.
    pub async fn dawdle(mut self, way: usize) {
        let begun = match way {
            2 => self.envelope("").await.map(|_| ()),
            _ => Ok(()),
        };
        let mut is_open = begun.is_ok();
        while is_open {
            tokio::time::sleep(Duration::from_secs(1)).await;
            is_open = way == 0 || self.stream.get_mut().write_all(b"x").await.is_ok();
        }
    }

    async fn say(&mut self, octets: &[u8]) -> io::Result<u16> {
        self.stream.get_mut().write_all(octets).await?;
        self.reply().await
    }

    async fn reply(&mut self) -> io::Result<u16> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.stream.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return line
                    .get(..3)
                    .and_then(|code| code.parse().ok())
                    .ok_or_else(|| io::Error::other(line));
            }
        }
    }
}

fn outcome(answer: io::Result<u16>) -> Sent {
    match answer {
        Ok(250) => Sent::Taken,
        Ok(400..=499) => Sent::PutOff,
        Ok(_) | Err(_) => Sent::Otherwise,
    }
}

/// How one more client fared.
pub struct Canary {
    /// Messages taken.
    pub served: usize,
    /// Times that it didn't get as far as a message.
    pub turned_away: usize,
    /// Times that its message was put off.
    pub put_off: usize,
    /// From connecting to the reply to its message.
    pub slowest: Duration,
}

impl Canary {
    /// Sends a message on a connection of its own every second.
    pub async fn sing(address: SocketAddr, body: Vec<u8>, length: Duration) -> Self {
        let mut canary = Self {
            served: 0,
            turned_away: 0,
            put_off: 0,
            slowest: Duration::ZERO,
        };
        let end = Instant::now() + length;
        while Instant::now() < end {
            let start = Instant::now();
            match Client::greeted(address).await {
                Err(_) => canary.turned_away += 1,
                Ok(mut client) => match client.deliver(&body).await {
                    Sent::Taken => {
                        canary.served += 1;
                        canary.slowest = canary.slowest.max(start.elapsed());
                    }
                    Sent::PutOff | Sent::Otherwise => canary.put_off += 1,
                },
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        canary
    }
}
