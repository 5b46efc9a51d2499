//! An upstream that takes everything, forgets it, and costs little: a thread a connection.

use std::io::{BufRead, BufReader, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

const HELLO: &[u8] =
    b"250-sink.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n";

/// Starts it; it ends with the program.
pub fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // The end of a connection is no error worth a word.
            thread::spawn(move || _ = converse(&stream));
        }
    });
    address
}

fn converse(stream: &TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream;
    let mut reader = BufReader::with_capacity(64 * 1024, stream);
    writer.write_all(b"220 sink.example ESMTP\r\n")?;
    let (mut line, mut replies) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        match verb.as_slice() {
            b"EHLO" | b"HELO" => replies.extend_from_slice(HELLO),
            b"DATA" => {
                replies.extend_from_slice(b"354 go on\r\n");
                writer.write_all(&replies)?;
                replies.clear();
                discard_message(&mut reader)?;
                replies.extend_from_slice(b"250 2.0.0 taken\r\n");
            }
            b"QUIT" => {
                replies.extend_from_slice(b"221 2.0.0 bye\r\n");
                return writer.write_all(&replies);
            }
            _ => replies.extend_from_slice(b"250 2.0.0 ok\r\n"),
        }
        // Replies to pipelined commands leave together.
        if reader.buffer().is_empty() {
            writer.write_all(&replies)?;
            replies.clear();
        }
    }
}

fn discard_message(reader: &mut impl BufRead) -> Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 || line == b".\r\n" {
            return Ok(());
        }
    }
}
