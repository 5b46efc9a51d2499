//! Messages in chunks, where a clock or the budget decides.

use super::*;

/// As far as a first chunk of three octets.
async fn begin_chunks(setting: Setting) -> Line {
    let mut line = Setting {
        opening: Opening {
            chunking: true,
            ..setting.opening
        },
        ..setting
    }
    .connect()
    .await;
    line.expect(b"", "220").await;
    line.expect(b"EHLO client.example\r\n", "250").await;
    line.expect(b"MAIL FROM:<>\r\n", "250").await;
    line.expect(b"RCPT TO:<a@example.org>\r\n", "250").await;
    line.expect(b"BDAT 3\r\na\r\n", "250").await;
    line
}

#[tokio::test(start_paused = true)]
async fn a_pause_between_chunks_is_a_slow_body_with_its_deadlines() {
    let mut line = begin_chunks(Setting::default()).await;
    tokio::time::sleep(Duration::from_secs(55)).await;
    line.expect(b"NOOP\r\n", "250").await;
    line.expect(b"BDAT 3 LAST\r\nb\r\n", "250 2.0.0 Message OK").await;
    let slow = line.desk.notes().iter().filter(|note| *note == "slow").count();
    assert_eq!(slow, 1);

    // Commands are no octets of a body: with them alone it stays below the rate.
    let mut line = begin_chunks(Setting::default()).await;
    for _ in 0..65 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        line.send(b"NOOP\r\n").await;
    }
    let mut last = String::new();
    for _ in 0..66 {
        last = line.reply().await;
        if !last.starts_with("250") {
            break;
        }
    }
    assert!(last.starts_with("421 4.4.2"), "{last}");
}

#[tokio::test(start_paused = true)]
async fn draining_lets_a_message_in_chunks_finish() {
    let mut line = begin_chunks(Setting::default()).await;
    line.service.drain.cancel();
    tokio::time::sleep(Duration::from_secs(1)).await;
    line.expect(b"BDAT 3 LAST\r\nb\r\n", "250 2.0.0 Message OK").await;
    line.expect(b"", "421 4.3.2").await;
}

#[tokio::test(start_paused = true)]
async fn chunks_share_one_budget_and_give_it_back_however_they_end() {
    let rest = b"x".repeat(200_000);
    for (end, reply) in [
        (&b"BDAT 0 LAST\r\n"[..], "250 2.0.0 Message OK"),
        (b"RSET\r\n", "250 2.0.0 OK"),
        (b"EHLO client.example\r\n", "250-"),
        (b"BDAT 999999999\r\n", ""),
    ] {
        let mut line = begin_chunks(Setting::default()).await;
        line.expect(&[b"BDAT 200000\r\n".as_slice(), &rest].concat(), "250")
            .await;
        let held = line.service.budget.used();
        assert!((130_000..400_000).contains(&held), "{held}");
        line.send(end).await;
        if !reply.is_empty() {
            assert!(line.reply().await.starts_with(reply));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(line.service.budget.used(), 0, "{}", end.escape_ascii());
    }
}

#[tokio::test(start_paused = true)]
async fn chunks_that_memory_does_not_reach_for_are_read_on_and_refused() {
    let setting = Setting {
        limits: Limits {
            memory: Size(200_000),
            ..Limits::default()
        },
        ..Setting::default()
    };
    let mut line = begin_chunks(setting).await;
    let big = [b"BDAT 400000\r\n".as_slice(), &b"x".repeat(400_000)].concat();
    line.expect(&big, "452 4.3.1").await;
    assert_eq!(line.service.budget.used(), 0);
    line.expect(b"BDAT 0 LAST\r\n", "503").await;
    line.expect(b"MAIL FROM:<>\r\n", "250").await;
}

#[tokio::test(start_paused = true)]
async fn any_split_of_a_message_in_chunks_goes_the_same_way() {
    let input = b"BDAT 5\r\n.\r\n.\rBDAT 4 LAST\r\n\n..\rRSET\r\n";
    for at in 1..input.len() {
        let mut line = begin_chunks(Setting::default()).await;
        line.send(&input[..at]).await;
        tokio::task::yield_now().await;
        line.send(&input[at..]).await;
        line.expect(b"", "250 2.0.0 5 octets").await;
        line.expect(b"", "550 5.6.0").await;
        line.expect(b"", "250 2.0.0 OK").await;
    }
}
