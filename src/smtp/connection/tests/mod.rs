//! Connections over streams in memory: the dialogues of `tests/dialogues`, and what needs a clock.

mod chunks;

use super::*;
use crate::smtp::data::variants::{Expected, VARIANTS};
use crate::smtp::{Body, Offer};
use crate::units::{Size, Span};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// A desk that accepts everything but what the address tells it to do, and writes down what it is asked.
#[derive(Debug, Clone)]
struct Scripted {
    offer: Offer,
    asked: Arc<Mutex<VecDeque<String>>>,
    /// Whether others wait for what it holds.
    wanted: Arc<AtomicBool>,
}

impl Scripted {
    fn note(&self, text: String) {
        self.asked.lock().unwrap().push_back(text);
    }

    fn notes(&self) -> Vec<String> {
        self.asked.lock().unwrap().drain(..).collect()
    }
}

fn parameters(parameters: &[crate::mail::Parameter]) -> String {
    parameters
        .iter()
        .map(|parameter| match &parameter.value {
            Some(value) => format!(" {}={value}", parameter.keyword),
            None => format!(" {}", parameter.keyword),
        })
        .collect()
}

impl Desk for Scripted {
    fn offer(&self) -> Offer {
        self.offer
    }

    async fn hello(&mut self, client: &Client) {
        let tls = client.tls.as_deref().map_or("", |_| " in TLS");
        let verb = if client.extended { "EHLO" } else { "HELO" };
        let address = client
            .address
            .map_or_else(String::new, |address| format!(" from {address}"));
        let name = client
            .name
            .as_deref()
            .map_or_else(String::new, |name| format!(" named {name}"));
        self.note(format!("hello {verb} {}{tls}{address}{name}", client.helo));
    }

    async fn mail(&mut self, mail: MailCommand) -> Reply {
        let path = mail.reverse_path.as_ref().map_or("", |path| path.as_str());
        self.note(format!("mail <{path}>{}", parameters(&mail.parameters)));
        match path {
            "refused@example.org" => Reply::new(550, "5.7.1", "Not you"),
            "later@example.org" => Reply::new(451, "4.3.0", "Not now"),
            _ => Reply::new(250, "2.1.0", "Sender OK"),
        }
    }

    async fn rcpt(&mut self, recipient: Recipient) -> Reply {
        self.note(format!(
            "rcpt <{}>{}",
            recipient.address,
            parameters(&recipient.parameters)
        ));
        match recipient.address.local_part() {
            "unknown" => Reply::new(550, "5.1.1", "No such user"),
            "later" => Reply::new(451, "4.2.1", "Not now"),
            "closing" => Reply::new(421, "4.3.2", "Closing"),
            "panic" => panic!("the desk was told to"),
            _ => Reply::new(250, "2.1.5", "Recipient OK"),
        }
    }

    fn hold(&self) -> Hold {
        if self.wanted.load(Ordering::Relaxed) {
            Hold::Wanted
        } else {
            Hold::Spare
        }
    }

    async fn slow(&mut self) {
        self.wanted.store(false, Ordering::Relaxed);
        self.note("slow".to_owned());
    }

    async fn message(&mut self, body: Body) -> Reply {
        let text = body.bytes.escape_ascii().to_string();
        let shown = if text.len() > 80 {
            format!("{} bytes", body.bytes.len())
        } else {
            text
        };
        self.note(format!("message {shown}"));
        Reply::new(250, "2.0.0", "Message OK")
    }

    async fn reset(&mut self) {
        self.note("reset".to_owned());
    }
}

/// Lets in all but one client.
#[derive(Debug)]
struct Ajar;

impl Door for Ajar {
    fn enter(&self, client: Option<SocketAddr>) -> Result<(), Refusal> {
        match client {
            Some(client) if client.ip().to_string() == "192.0.2.66" => Err(Refusal::ClientNetwork),
            _ => Ok(()),
        }
    }
}

/// A connection under test, and the client's end of it.
struct Line {
    client: DuplexStream,
    desk: Scripted,
    service: Arc<Service>,
    serving: tokio::task::JoinHandle<&'static str>,
}

#[derive(Clone)]
struct Setting {
    limits: Limits,
    deadlines: Deadlines,
    opening: Opening,
    offer: Offer,
    /// Octets that the client has sent before it is served.
    early: Vec<u8>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            deadlines: Deadlines::default(),
            opening: Opening {
                starttls: true,
                ..Opening::default()
            },
            offer: Offer {
                size: 1_000_000,
                smtputf8: true,
                dsn: true,
            },
            early: Vec::new(),
        }
    }
}

impl Setting {
    async fn connect(self) -> Line {
        let (mut client, server) = duplex(1 << 16);
        client.write_all(&self.early).await.unwrap();
        let telemetry = Telemetry::default();
        let service = Arc::new(Service {
            hostname: "gate.example".into(),
            budget: Arc::new(Budget::new(self.limits.memory.0, telemetry.clone())),
            limits: self.limits,
            deadlines: self.deadlines,
            telemetry,
            overloaded: Arc::default(),
            drain: CancellationToken::new(),
        });
        let desk = Scripted {
            offer: self.offer,
            asked: Arc::default(),
            wanted: Arc::default(),
        };
        let connection = Connection::new(server, desk.clone(), self.opening, Arc::clone(&service));
        let serving = tokio::spawn(async move {
            match connection.serve().await {
                End::Closed => "closed",
                // TLS itself is the listener's; what is left of the clear is dropped with the stream.
                End::StartTls(..) => "starttls",
            }
        });
        Line {
            client,
            desk,
            service,
            serving,
        }
    }
}

impl Line {
    async fn send(&mut self, octets: &[u8]) {
        // A client that was sent off may find nobody there.
        let _ = self.client.write_all(octets).await;
    }

    /// One reply, or what came before the end.
    async fn reply(&mut self) -> String {
        let mut text = String::new();
        loop {
            let line = self.line().await;
            if line.is_empty() {
                return if text.is_empty() { "closed".to_owned() } else { text };
            }
            text.push_str(&line);
            if line.as_bytes().get(3) != Some(&b'-') {
                return text.replace("\r\n", "\n").trim_end().to_owned();
            }
        }
    }

    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            match self.client.read_u8().await {
                Ok(octet) => line.push(octet),
                Err(_) => break,
            }
        }
        String::from_utf8(line).unwrap()
    }

    async fn expect(&mut self, say: &[u8], code: &str) {
        self.send(say).await;
        let reply = self.reply().await;
        assert!(reply.starts_with(code), "{}: {reply}", say.escape_ascii());
    }

    /// Goes up to 354.
    async fn begin_data(&mut self) {
        self.expect(b"", "220").await;
        self.expect(b"EHLO client.example\r\n", "250").await;
        self.expect(b"MAIL FROM:<>\r\n", "250").await;
        self.expect(b"RCPT TO:<a@example.org>\r\n", "250").await;
        self.expect(b"DATA\r\n", "354").await;
    }
}

/// Whether `text` is what `pattern` says: `*` stands for any octets.
fn is_like(text: &str, pattern: &str) -> bool {
    let Some((first, others)) = pattern.split_once('*') else {
        return text == pattern;
    };
    let (middle, last) = others.rsplit_once('*').unwrap_or(("", others));
    let Some(mut rest) = text.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else {
        return false;
    };
    middle.split('*').all(|piece| {
        let found = rest.find(piece).map(|at| &rest[at + piece.len()..]);
        rest = found.unwrap_or(rest);
        found.is_some()
    })
}

/// The octets that a dialogue's escapes stand for.
fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        octets.extend_from_slice(before.as_bytes());
        let (escape, tail) = after.split_at(1);
        rest = tail;
        match escape {
            "r" => octets.push(b'\r'),
            "n" => octets.push(b'\n'),
            "0" => octets.push(0),
            "\\" => octets.push(b'\\'),
            "x" => {
                let (digits, tail) = tail.split_at(2);
                octets.push(u8::from_str_radix(digits, 16).unwrap());
                rest = tail;
            }
            "*" => {
                // `\*N:text*` repeats a text N times.
                let (count, tail) = tail.split_once(':').unwrap();
                let (text, tail) = tail.split_once('*').unwrap();
                octets.extend(text.repeat(count.parse().unwrap()).bytes());
                rest = tail;
            }
            other => panic!("unknown escape \\{other}"),
        }
    }
    octets.extend_from_slice(rest.as_bytes());
    octets
}

/// Reads a dialogue's `@` line.
fn set(setting: &mut Setting, line: &str) {
    for word in line.split_whitespace() {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let number = || value.parse::<usize>().unwrap();
        match key {
            "errors" => setting.limits.errors = number(),
            "junk" => setting.limits.junk_commands = number(),
            "recipients" => setting.limits.recipients = number(),
            "memory" => setting.limits.memory = Size(value.parse().unwrap()),
            "size" => setting.offer.size = value.parse().unwrap(),
            "plain" => {
                setting.offer.smtputf8 = false;
                setting.offer.dsn = false;
                setting.opening.starttls = false;
            }
            "chunking" => setting.opening.chunking = true,
            "front" => {
                setting.opening.address = "127.0.0.1:4000".parse().ok();
                setting.opening.door = Some(Arc::new(Ajar));
            }
            "repair" => setting.opening.line_ends = LineEnds::Repair,
            "early" => setting.early = unescape(value),
            "unserved" => setting.opening.refusal = Some(Refusal::ClientNetwork),
            other => panic!("unknown setting {other}"),
        }
    }
}

/// Plays one dialogue: what differed, and the dialogue as it went.
async fn play(text: &str) -> (Vec<String>, String) {
    let mut setting = Setting::default();
    for line in text.lines().filter_map(|line| line.strip_prefix("@ ")) {
        set(&mut setting, line);
    }
    let mut line = setting.connect().await;
    let mut pending = Vec::new();
    let (mut faults, mut went) = (Vec::new(), Vec::new());
    let mut asked: VecDeque<String> = VecDeque::new();
    for (index, written) in text.lines().enumerate() {
        let (kind, rest) = written.split_once(':').unwrap_or((written, ""));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        let seen = match kind {
            "C" | "R" => {
                pending.extend(unescape(rest));
                pending.extend_from_slice(if kind == "C" { b"\r\n" } else { b"" });
                None
            }
            "S" => {
                line.send(&std::mem::take(&mut pending)).await;
                Some(line.reply().await.replace('\n', " / "))
            }
            "D" => {
                asked.extend(line.desk.notes());
                asked.pop_front().or_else(|| Some("nothing".to_owned()))
            }
            _ if written.is_empty() || written.starts_with("@ ") => None,
            _ => panic!("what is {written:?}?"),
        };
        match seen.filter(|seen| !is_like(seen, rest)) {
            Some(seen) => {
                faults.push(format!("line {}: {kind} expected {rest:?}, got {seen:?}", index + 1));
                went.push(format!("{kind}: {seen}"));
            }
            None => went.push(written.to_owned()),
        }
    }
    drop(line.client);
    let ended = tokio::time::timeout(Duration::from_secs(600), line.serving).await;
    assert!(ended.is_ok_and(|ended| ended.is_ok()), "the connection does not end");
    asked.extend(line.desk.notes());
    // What the end itself makes the desk do need not be written down.
    asked.retain(|note| note != "reset");
    if !asked.is_empty() {
        faults.push(format!("the desk was also asked {asked:?}"));
    }
    (faults, went.join("\n"))
}

/// With `PORTREEVE_REWRITE` set, files take what was answered for what is expected; review the change.
#[tokio::test(start_paused = true)]
async fn dialogues_go_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
    let mut faults = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "dialogue") {
            continue;
        }
        let file = std::fs::read_to_string(&path).unwrap();
        let mut pieces = file.trim_end().split("\n== ");
        let mut rewritten = pieces.next().unwrap().to_owned();
        for piece in pieces {
            let (title, text) = piece.split_once('\n').unwrap();
            let (differences, went) = play(text).await;
            let name = path.file_name().unwrap().display();
            faults.extend(
                differences
                    .iter()
                    .map(|difference| format!("{name}: {title}: {difference}")),
            );
            rewritten.push_str(&format!("\n== {title}\n{went}\n"));
            count += 1;
        }
        if std::env::var_os("PORTREEVE_REWRITE").is_some() {
            std::fs::write(&path, rewritten).unwrap();
        }
    }
    assert!(count > 40, "only {count} dialogues");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn patterns_match_the_whole_text() {
    for (text, pattern, like) in [
        ("250 OK", "250 OK", true),
        ("250 OK", "250", false),
        ("250 OK", "250*", true),
        ("250 OK", "*OK", true),
        ("250-a / 250 b", "250-*b", true),
        ("250-a / 250 b", "250*a*b", true),
        ("250-a / 250 b", "250*b*a*", false),
    ] {
        assert_eq!(is_like(text, pattern), like, "{pattern}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_smuggled_message_gets_through_at_any_split() {
    for variant in VARIANTS {
        let input = [
            b"one".as_slice(),
            variant.sequence,
            b"MAIL FROM:<smuggled@example.org>\r\nRCPT TO:<c@example.org>\r\nDATA\r\ntwo\r\n.\r\n",
        ]
        .concat();
        let near = 3 + variant.sequence.len();
        for at in (0..=3).chain(near.saturating_sub(5)..near + 3) {
            let mut line = Setting::default().connect().await;
            line.begin_data().await;
            let (one, two) = input.split_at(at);
            line.send(one).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
            line.send(two).await;
            let refused = matches!(variant.expected, Expected::Refused);
            line.expect(b"", if refused { "550 5.6.0" } else { "250" }).await;
            line.expect(b"QUIT\r\n", if refused { "closed" } else { "221" }).await;
            let notes = line.desk.notes();
            let count = |what: &str| notes.iter().filter(|note| note.starts_with(what)).count();
            assert_eq!(
                (count("mail"), count("message")),
                (1, usize::from(!refused)),
                "{}",
                variant.name
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_sent_off_at_the_command_deadline() {
    let mut line = Setting::default().connect().await;
    line.expect(b"", "220").await;
    let before = Instant::now();
    // Octets that don't make a command don't win time.
    line.send(b"EHL").await;
    tokio::time::sleep(Duration::from_secs(200)).await;
    line.send(b"O").await;
    line.expect(b"", "421 4.4.2").await;
    assert_eq!(before.elapsed().as_secs(), 300);
}

#[tokio::test(start_paused = true)]
async fn under_overload_silence_is_shorter() {
    let mut line = Setting::default().connect().await;
    line.service.overloaded.store(true, Ordering::Relaxed);
    line.expect(b"", "220").await;
    let before = Instant::now();
    line.expect(b"", "421 4.4.2").await;
    assert!(before.elapsed().as_secs() <= 10);
}

/// After MAIL, after RCPT, in a command of which an octet comes now and then, and in a body.
#[tokio::test(start_paused = true)]
async fn what_others_wait_for_is_let_go_of_wherever_the_client_dawdles() {
    let mut line = Setting::default().connect().await;
    line.expect(b"", "220").await;
    line.expect(b"EHLO client.example\r\n", "250").await;
    for (said, code) in [
        ("MAIL FROM:<a@example.org>\r\n", "250"),
        ("RCPT TO:<b@example.net>\r\n", "250"),
        ("DATA\r\n", "354"),
    ] {
        line.expect(said.as_bytes(), code).await;
        line.desk.notes();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(line.desk.notes(), Vec::<String>::new(), "nobody waits");
        line.desk.wanted.store(true, Ordering::Relaxed);
        for _ in 0..5 {
            line.send(if code == "354" { b"x\r\n" } else { b"" }).await;
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        assert_eq!(line.desk.notes(), ["slow"], "{said}");
    }
    line.expect(b".\r\n", "250").await;
}

#[tokio::test(start_paused = true)]
async fn overload_ends_waits_that_are_under_way() {
    let mut line = Setting::default().connect().await;
    line.expect(b"", "220").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    // Whoever speaks goes on, and waits anew.
    line.service.overloaded.store(true, Ordering::Relaxed);
    line.expect(b"NOOP\r\n", "250").await;
    line.service.overloaded.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(60)).await;
    line.service.overloaded.store(true, Ordering::Relaxed);
    let before = Instant::now();
    line.expect(b"", "421 4.4.2").await;
    assert!(before.elapsed().as_secs() <= 10);
}

#[tokio::test(start_paused = true)]
async fn overload_never_makes_waits_longer() {
    let setting = Setting {
        deadlines: Deadlines {
            command: Span(Duration::from_secs(3)),
            ..Deadlines::default()
        },
        ..Setting::default()
    };
    let mut line = setting.connect().await;
    line.service.overloaded.store(true, Ordering::Relaxed);
    line.expect(b"", "220").await;
    let before = Instant::now();
    line.expect(b"", "421 4.4.2").await;
    assert_eq!(before.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_dawdling_body_is_told_of_once_and_still_taken() {
    let mut line = Setting::default().connect().await;
    line.begin_data().await;
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        line.send(&[b"x".repeat(600).as_slice(), b"\r\n"].concat()).await;
    }
    line.expect(b".\r\n", "250").await;
    let slow = line.desk.notes().iter().filter(|note| *note == "slow").count();
    assert_eq!(slow, 1);
}

#[tokio::test(start_paused = true)]
async fn a_quick_body_is_not_told_of() {
    let mut line = Setting::default().connect().await;
    line.begin_data().await;
    tokio::time::sleep(Duration::from_millis(4900)).await;
    line.expect(b"x\r\n.\r\n", "250").await;
    assert!(!line.desk.notes().contains(&"slow".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_body_below_the_rate_is_given_up_after_the_grace() {
    for (octets, kept) in [(499, false), (501, true)] {
        let mut line = Setting::default().connect().await;
        line.begin_data().await;
        let chunk = vec![b'x'; octets];
        for _ in 0..90 {
            line.send(&chunk).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let code = if kept { "250" } else { "421 4.4.2" };
        line.expect(b"\r\n.\r\n", code).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_has_its_longest_even_above_the_rate() {
    let setting = Setting {
        deadlines: Deadlines {
            data: Span(Duration::from_secs(100)),
            ..Deadlines::default()
        },
        ..Setting::default()
    };
    let mut line = setting.connect().await;
    line.begin_data().await;
    for _ in 0..110 {
        line.send(&[b'x'; 600]).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    line.expect(b"\r\n.\r\n", "421 4.4.2").await;
}

#[tokio::test(start_paused = true)]
async fn draining_ends_an_idle_session_at_once_and_lets_a_body_finish() {
    let mut idle = Setting::default().connect().await;
    idle.expect(b"", "220").await;
    idle.service.drain.cancel();
    idle.expect(b"", "421 4.3.2").await;
    assert_eq!(idle.reply().await, "closed");

    let mut busy = Setting::default().connect().await;
    busy.begin_data().await;
    busy.service.drain.cancel();
    tokio::time::sleep(Duration::from_secs(1)).await;
    busy.expect(b"last words\r\n.\r\n", "250 2.0.0 Message OK").await;
    busy.expect(b"", "421 4.3.2").await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_speaks_within_the_greet_delay_is_refused() {
    let delay = Deadlines {
        greet_delay: Span(Duration::from_secs(2)),
        ..Deadlines::default()
    };
    for (wait, code) in [(1, "554 5.5.0"), (3, "220")] {
        let setting = Setting {
            deadlines: delay.clone(),
            ..Setting::default()
        };
        let mut line = setting.connect().await;
        tokio::time::sleep(Duration::from_secs(wait)).await;
        line.expect(b"EHLO client.example\r\n", code).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_memory_does_not_reach_for_is_read_on_and_refused() {
    let setting = Setting {
        limits: Limits {
            memory: Size(200_000),
            ..Limits::default()
        },
        ..Setting::default()
    };
    let big = [b"x".repeat(400_000), b"\r\n.\r\n".to_vec()].concat();
    let mut line = setting.connect().await;
    line.begin_data().await;
    line.expect(&big, "452 4.3.1").await;
    assert_eq!(line.service.budget.used(), 0);
    // The session goes on, and a smaller one fits.
    line.expect(b"MAIL FROM:<>\r\n", "250").await;
    line.expect(b"RCPT TO:<a@example.org>\r\n", "250").await;
    line.expect(b"DATA\r\n", "354").await;
    line.expect(&big[300_000..], "250").await;
    assert_eq!(line.service.budget.used(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_declared_size_is_drawn_in_one_step_and_lies_are_survived() {
    for declared in [10_u64, 150_000, 900_000] {
        let mut line = Setting::default().connect().await;
        line.expect(b"", "220").await;
        line.expect(b"EHLO client.example\r\n", "250").await;
        line.expect(format!("MAIL FROM:<> SIZE={declared}\r\n").as_bytes(), "250")
            .await;
        line.expect(b"RCPT TO:<a@example.org>\r\n", "250").await;
        line.expect(b"DATA\r\n", "354").await;
        line.send(&b"x".repeat(100_000)).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let held = line.service.budget.used();
        let expected = declared.max(100_000) - 64 * 1024;
        assert!(held >= expected && held <= 2 * expected + 100_000, "{declared}: {held}");
        line.expect(b"\r\n.\r\n", "250").await;
        assert_eq!(line.service.budget.used(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_endless_body_is_refused_at_the_limit_and_held_nowhere() {
    let mut line = Setting::default().connect().await;
    line.begin_data().await;
    for _ in 0..300 {
        line.send(&b"x".repeat(10_000)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(line.service.budget.used(), 0);
    line.expect(b"\r\n.\r\n", "552 5.3.4").await;
    line.expect(b"NOOP\r\n", "250").await;
}

#[tokio::test(start_paused = true)]
async fn replies_to_a_group_leave_in_one_write() {
    let mut line = Setting::default().connect().await;
    line.expect(b"", "220").await;
    line.expect(b"EHLO client.example\r\n", "250").await;
    line.send(b"MAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n")
        .await;
    let mut buffer = [0; 4096];
    let count = line.client.read(&mut buffer).await.unwrap();
    assert_eq!(buffer[..count].iter().filter(|octet| **octet == b'\n').count(), 4);
}

#[tokio::test(start_paused = true)]
async fn any_split_of_a_session_goes_the_same_way() {
    let input = b"EHLO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA\r\n";
    for step in 1..20 {
        let mut line = Setting::default().connect().await;
        line.expect(b"", "220").await;
        for command in input.split_inclusive(|octet| *octet == b'\n') {
            for chunk in command.chunks(step) {
                line.send(chunk).await;
                tokio::task::yield_now().await;
            }
            assert!(!line.reply().await.starts_with('5'));
        }
        for chunk in b"..a\r\n.\r\n".chunks(step) {
            line.send(chunk).await;
            tokio::task::yield_now().await;
        }
        line.expect(b"", "250").await;
        assert!(line.desk.notes().contains(&"message .a\\r\\n".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_dropped() {
    let (client, server) = duplex(16);
    let mut setting = Setting::default();
    setting.deadlines.write = Span(Duration::from_secs(5));
    let line = setting.connect().await;
    let connection = Connection::new(server, line.desk.clone(), Opening::default(), Arc::clone(&line.service));
    let before = Instant::now();
    assert!(matches!(connection.serve().await, End::Closed));
    assert_eq!(before.elapsed().as_secs(), 5);
    drop(client);
}

#[test]
fn an_idle_connection_is_small() {
    let (_, server) = duplex(16);
    let telemetry = Telemetry::default();
    let service = Arc::new(Service {
        hostname: "gate.example".into(),
        budget: Arc::new(Budget::new(0, telemetry.clone())),
        limits: Limits::default(),
        deadlines: Deadlines::default(),
        telemetry,
        overloaded: Arc::default(),
        drain: CancellationToken::new(),
    });
    let desk = Scripted {
        offer: Setting::default().offer,
        asked: Arc::default(),
        wanted: Arc::default(),
    };
    let serving = Connection::new(server, desk, Opening::default(), service).serve();
    assert!(size_of_val(&serving) < 4096, "{} bytes", size_of_val(&serving));
}
