//! A Maildir as a target: whole files with their envelope, or none at all.

use super::*;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn to(path: &Path) -> Arc<Route> {
    let settings = Settings {
        target: Targets::One(TargetUrl::Maildir(path.into())),
        ..Settings::default()
    };
    route_as(&settings)
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    std::fs::read_dir(folder)
        .map(|entries| {
            entries
                .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
                .collect()
        })
        .unwrap_or_default()
}

#[tokio::test]
async fn one_file_holds_the_envelope_and_the_message() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep").join("mail");
    let route = to(&path);
    let recipients = ["a@example.net", "postmaster"];
    let mut transaction = opened(&route, &recipients).await;
    transaction.park().await;
    let pieces = [
        Bytes::new(),
        Bytes::from_static(b"Subject: x\r\n"),
        Bytes::from_static(b"\r\n.\r\n"),
    ];
    assert_eq!(
        outcome(transaction.deliver(&envelope(&recipients), &pieces).await),
        ("accepted", 250)
    );
    let expected = "Return-Path: <sender@example.org>\r\nX-Envelope-To: a@example.net\r\n\
                    X-Envelope-To: postmaster\r\nSubject: x\r\n\r\n.\r\n";
    assert_eq!(files(&path.join("new")), [expected.as_bytes()]);
    assert!(files(&path.join("tmp")).is_empty());
    for folder in ["tmp", "new", "cur"] {
        let mode = std::fs::metadata(path.join(folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{folder}");
    }
}

#[tokio::test]
async fn no_two_messages_share_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let route = to(folder.path());
    let senders: Vec<_> = (0..50)
        .map(|_| {
            let route = Arc::clone(&route);
            // The clock stands still in this test.
            tokio::spawn(async move { converse(&route, BODY).await })
        })
        .collect();
    for sender in senders {
        assert_eq!(sender.await.unwrap(), ("accepted", 250));
    }
    assert_eq!(files(&folder.path().join("new")).len(), 50);
}

#[tokio::test]
async fn folders_taken_away_meanwhile_are_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let route = to(folder.path());
    assert_eq!(converse(&route, BODY).await, ("accepted", 250));
    std::fs::remove_dir_all(folder.path().join("tmp")).unwrap();
    assert_eq!(converse(&route, BODY).await, ("accepted", 250));
    assert_eq!(files(&folder.path().join("new")).len(), 2);
}

#[tokio::test]
async fn a_maildir_that_cannot_be_written_is_451_and_leaves_nothing() {
    // A file stands where a folder should: this holds for root too, whom permissions don't stop.
    for blocked in ["", "tmp", "new"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail");
        if !blocked.is_empty() {
            std::fs::create_dir(&path).unwrap();
            for name in ["tmp", "new", "cur"].iter().filter(|name| **name != blocked) {
                std::fs::create_dir(path.join(name)).unwrap();
            }
        }
        std::fs::write(path.join(blocked), "in the way")
            .unwrap_or_else(|_| std::fs::write(&path, "in the way").unwrap());
        assert_eq!(converse(&to(&path), BODY).await, ("not sent", 451), "{blocked:?}");
        if blocked == "new" {
            assert!(files(&path.join("tmp")).is_empty());
        }
    }
}

#[tokio::test]
async fn a_probe_makes_the_folders_or_says_why_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail");
    let settings = |path: &Path| Settings {
        target: Targets::One(TargetUrl::Maildir(path.into())),
        ..Settings::default()
    };
    let all = upstreams(&[settings(&path)]);
    assert_eq!(all.probe().await[0].outcome, Ok(None));
    assert!(path.join("new").is_dir());
    assert!(all.capabilities().smtputf8 && !all.capabilities().dsn);
    std::fs::write(folder.path().join("file"), "").unwrap();
    assert!(
        upstreams(&[settings(&folder.path().join("file"))]).probe().await[0]
            .outcome
            .is_err()
    );
}
