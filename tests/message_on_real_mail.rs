//! Reads every file under `PORTREEVE_CORPORA` as a message and asks the view everything.
//!
//! Ignored unless asked for, since the mail is nobody's to ship: it holds that real mail makes nothing
//! panic, and that no view exceeds its limits.

use portreeve::mail::{Limits, Message};
use std::path::PathBuf;

#[test]
#[ignore = "set PORTREEVE_CORPORA to a folder of messages"]
fn real_mail_is_read_within_limits() {
    let Ok(folder) = std::env::var("PORTREEVE_CORPORA") else {
        eprintln!("skipped: PORTREEVE_CORPORA names no folder");
        return;
    };
    let limits = Limits::default();
    let mut folders = vec![PathBuf::from(folder)];
    let mut messages = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            read(&std::fs::read(&path).unwrap(), &limits);
            messages += 1;
        }
    }
    eprintln!("{messages} messages");
    assert!(messages > 0);
}

fn read(raw: &[u8], limits: &Limits) {
    let message = Message::parse(raw, limits);
    assert!(message.fields().len() <= limits.header_fields && message.parts().len() <= limits.parts);
    assert!(message.text().len() <= limits.text_bytes && message.hidden_text().len() <= limits.text_bytes);
    assert!(message.new_text().len() <= message.text().len());
    assert!(message.links().len() <= limits.links && message.images().len() <= limits.links);
    assert!(
        message
            .attachments()
            .iter()
            .all(|file| file.sha256().len() == 64 && file.size == file.content().len())
    );
    assert!(message.defects().is_sorted() && message.received().len() <= message.fields().len());
    let _ = (
        message.thread(),
        message.authors(),
        message.sender(),
        message.reply_to(),
        message.to(),
        message.cc(),
    );
    let _ = (
        message.date(),
        message.list_id(),
        message.is_auto(),
        message.is_bulk(),
        message.message_id(),
    );
}
