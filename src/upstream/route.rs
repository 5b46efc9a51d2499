//! One route: its targets in order of preference, and transactions opened on the first that answers.
//!
//! Fail-over happens here, before MAIL is accepted or while it is said again, and never later. Knows
//! nothing of which recipients are its own.

use super::connect::{Connect, Place};
use super::events::Events;
use super::failure::{Failure, Softening};
use super::maildir::Maildir;
use super::pool::{Lease, Pool};
use super::settings::{Deadlines, Settings};
use super::smtp_target::{SmtpTarget, State};
use super::tls::Tls;
use super::transaction::Transaction;
use super::{Delivery, TargetUrl};
use crate::certificate::{Certificate, CertificateFault};
use crate::clock::Clock;
use crate::mail::{Address, Client, Envelope, Parameter};
use crate::resolver::Dns;
use crate::smtp::Reply;
use crate::smtp::client::{Extensions, Fault, Protocol};
use crate::telemetry::Telemetry;
use bytes::Bytes;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::timeout;

/// What routes need from outside.
#[derive(Clone)]
pub struct Parts {
    /// What we call ourselves: in greetings and in Maildir file names.
    pub our_name: Arc<str>,
    /// How long each step may take.
    pub deadlines: Deadlines,
    /// Opens connections.
    pub connect: Arc<dyn Connect>,
    /// Looks TLSA records up for `tls = "dane"`; why nothing can be looked up.
    pub dns: Result<Arc<dyn Dns>, String>,
    /// Names Maildir files.
    pub clock: Arc<dyn Clock>,
    /// Hears of replies, connections and faults.
    pub telemetry: Telemetry,
}

/// One route: recipient domains and where their mail goes.
pub struct Route {
    description: String,
    targets: Vec<Target>,
    certificate: Option<Arc<Certificate>>,
    pub(super) deadlines: Deadlines,
    pub(super) events: Arc<Events>,
}

pub(super) enum Target {
    Smtp(Box<SmtpTarget>),
    Maildir(Maildir),
}

/// A target on which a transaction stands open.
pub(super) enum Way {
    Smtp { lease: Lease, target: Arc<str> },
    Maildir(Maildir),
}

impl Route {
    /// Builds a route; opens nothing yet.
    ///
    /// # Errors
    /// In words, naming the setting.
    pub(super) fn new(settings: &Settings, parts: &Parts) -> Result<Arc<Self>, String> {
        let softening = Softening {
            codes: settings.soft_codes.clone(),
            every_reject: settings.soft_reject,
        };
        let events = Arc::new(Events::new(
            settings.name.as_str().into(),
            parts.telemetry.clone(),
            softening,
        ));
        if settings.connections == 0 || settings.messages == 0 {
            return Err("connections and messages must be at least 1".into());
        }
        if let Some((key, fault)) = settings.faults().into_iter().next() {
            return Err(format!("{key}: {fault}"));
        }
        let tls = Tls::new(settings, parts)?;
        let mut targets = Vec::new();
        for url in settings.target.as_slice() {
            targets.push(target(url, settings, parts, &tls, &events));
        }
        if targets.is_empty() {
            return Err("target: names no target".into());
        }
        let urls: Vec<String> = settings.target.as_slice().iter().map(ToString::to_string).collect();
        Ok(Arc::new(Self {
            description: format!("{} {}", settings.name, urls.join(", ")),
            targets,
            certificate: tls.certificate,
            deadlines: parts.deadlines,
            events,
        }))
    }

    /// The name in settings, logs and metrics.
    pub fn name(&self) -> &str {
        self.events.route()
    }

    /// Its name and targets, for people.
    pub fn describe(&self) -> &str {
        &self.description
    }

    /// Whether it ends here, in a Maildir, so that no other server has a say.
    pub fn is_local(&self) -> bool {
        self.targets.iter().all(|target| matches!(target, Target::Maildir(_)))
    }

    /// Reads the certificate shown to upstream again, if there is one.
    pub(super) fn reload_certificate(&self, clock: &dyn Clock) -> Result<(), CertificateFault> {
        self.certificate
            .as_ref()
            .map_or(Ok(()), |certificate| certificate.reload(clock))
    }

    /// Asks upstream MAIL for this client. Upstream's reply, whatever it is; the transaction is there when
    /// it is 2xx.
    pub async fn open(
        self: &Arc<Self>,
        client: &Client,
        reverse_path: Option<&Address>,
        parameters: &[Parameter],
    ) -> (Reply, Option<Transaction>) {
        let envelope = Envelope {
            reverse_path: reverse_path.cloned(),
            parameters: parameters.to_vec(),
            recipients: Vec::new(),
        };
        let patience = self.deadlines.upstream_open.0;
        match self.open_way(client, &envelope, patience).await {
            Ok((reply, way)) => {
                let transaction = Transaction::new(Arc::clone(self), client.clone(), envelope, way);
                (reply, Some(transaction))
            }
            Err((reply, _)) => (reply, None),
        }
    }

    /// Opens, asks every recipient and delivers: a release. Sent only if every recipient is taken;
    /// upstream's refusal of MAIL or of a recipient is `Refused`, in its words.
    pub async fn deliver(self: &Arc<Self>, client: &Client, envelope: &Envelope, pieces: &[Bytes]) -> Delivery {
        let patience = self.deadlines.upstream_open.0;
        match self.open_way(client, envelope, patience).await {
            Ok((_, way)) => {
                Transaction::new(Arc::clone(self), client.clone(), envelope.clone(), way)
                    .deliver(envelope, pieces)
                    .await
            }
            Err((reply, Failure::Answer(..))) => Delivery::Refused(reply),
            Err((reply, _)) => Delivery::NotSent(reply),
        }
    }

    /// Opens a transaction for the envelope's recipients on the first target that can: those that failed a
    /// moment ago come last. The client's reply and the cause, when none can.
    pub(super) async fn open_way(
        &self,
        client: &Client,
        envelope: &Envelope,
        patience: Duration,
    ) -> Result<(Reply, Way), (Reply, Failure)> {
        let (resting, ready): (Vec<&Target>, Vec<&Target>) = self
            .targets
            .iter()
            .partition(|target| matches!(target, Target::Smtp(smtp) if smtp.is_resting()));
        let attempts = async {
            let mut last = None;
            for target in ready.into_iter().chain(resting) {
                let smtp = match target {
                    Target::Maildir(maildir) => {
                        return Ok((
                            Reply::new(250, "2.1.0", "Sender accepted"),
                            Way::Maildir(maildir.clone()),
                        ));
                    }
                    Target::Smtp(smtp) => smtp,
                };
                let target = Arc::clone(&smtp.name);
                let failure = match smtp.open(client, envelope).await {
                    Ok((reply, lease)) => return Ok((reply, Way::Smtp { lease, target })),
                    Err(failure) => failure,
                };
                let reply = self.events.failed(&target, &failure);
                let may_fail_over = failure.is_of_connection();
                last = Some((reply, failure));
                if !may_fail_over {
                    break;
                }
            }
            Err(last.unwrap_or_else(|| self.timed_out()))
        };
        timeout(patience, attempts)
            .await
            .unwrap_or_else(|_| Err(self.timed_out()))
    }

    /// Greets every server, makes every Maildir, and closes what has been idle for too long.
    pub(super) async fn probe(&self) -> Vec<Probe> {
        let mut probes = Vec::with_capacity(self.targets.len());
        for target in &self.targets {
            let (target, outcome) = match target {
                Target::Smtp(smtp) => {
                    smtp.pool.prune(false).await;
                    let probed = smtp.probe().await.map_err(|failure| {
                        self.events.failed(&smtp.name, &failure);
                        failure.to_string()
                    });
                    (smtp.name.to_string(), probed.map(Some))
                }
                Target::Maildir(maildir) => {
                    let made = maildir.create().await.map_err(|error| error.to_string());
                    (maildir.to_string(), made.map(|()| None))
                }
            };
            probes.push(Probe {
                route: self.name().to_owned(),
                target,
                outcome,
            });
        }
        probes
    }

    /// Says goodbye on idle connections.
    pub(super) async fn close(&self) {
        for target in &self.targets {
            if let Target::Smtp(smtp) = target {
                smtp.pool.prune(true).await;
            }
        }
    }

    /// What each target was last found to offer: `None` for one that was never greeted.
    pub(super) fn offers(&self) -> impl Iterator<Item = Option<Extensions>> {
        self.targets.iter().map(|target| match target {
            Target::Smtp(smtp) => smtp.extensions(),
            // A file holds any octets and any address; but nobody would send its delivery reports.
            Target::Maildir(_) => Some(Extensions {
                smtputf8: true,
                eight_bit_mime: true,
                ..Extensions::default()
            }),
        })
    }

    fn timed_out(&self) -> (Reply, Failure) {
        let failure = Failure::Fault(super::failure::Stage::Connect, Fault::TimedOut);
        (self.events.failed("every target", &failure), failure)
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Route")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The route's name.
    pub route: String,
    /// The target, as settings write it.
    pub target: String,
    /// What a server offers, `None` for a Maildir; or what is wrong, in words.
    pub outcome: Result<Option<Extensions>, String>,
}

fn target(url: &TargetUrl, settings: &Settings, parts: &Parts, tls: &Tls, events: &Arc<Events>) -> Target {
    let server = |protocol, place| {
        Target::Smtp(Box::new(SmtpTarget {
            name: url.to_string().into(),
            protocol,
            place,
            tls: tls.clone(),
            state_client: settings.state_client,
            chunking: settings.chunking,
            our_name: Arc::clone(&parts.our_name),
            connect: Arc::clone(&parts.connect),
            deadlines: parts.deadlines,
            pool: Pool::new(
                settings.connections,
                settings.messages,
                parts.deadlines.upstream_idle.0,
                Arc::clone(events),
            ),
            events: Arc::clone(events),
            state: Mutex::new(State::default()),
        }))
    };
    let tcp = |host: &String, port: &u16| Place::Tcp {
        host: host.clone(),
        port: *port,
    };
    match url {
        TargetUrl::Smtp { host, port } => server(Protocol::Smtp, tcp(host, port)),
        TargetUrl::Lmtp { host, port } => server(Protocol::Lmtp, tcp(host, port)),
        TargetUrl::LmtpSocket(path) => server(Protocol::Lmtp, Place::Socket(path.clone())),
        TargetUrl::Maildir(path) => {
            Target::Maildir(Maildir::new(path.clone(), &parts.our_name, Arc::clone(&parts.clock)))
        }
    }
}
