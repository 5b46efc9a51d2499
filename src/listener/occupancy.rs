//! Who is connected: how many in all, and how many of each client.
//!
//! A client is an IPv4 address or an IPv6 /64, which is what one subscriber holds. Knows nothing of
//! what connections do.

use crate::smtp::Limits;
use crate::smtp::refusal::Refusal;
use foldhash::{HashMap, HashMapExt};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All connections of all listeners.
#[derive(Debug)]
pub struct Occupancy {
    counts: Mutex<Counts>,
    overloaded: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Counts {
    open: usize,
    clients: HashMap<IpAddr, usize>,
}

/// One connection's place. Dropped, it is free again.
#[derive(Debug)]
pub struct Admission {
    occupancy: Arc<Occupancy>,
    client: Mutex<Option<IpAddr>>,
    connections_max: usize,
}

impl Occupancy {
    /// Nobody is connected.
    pub fn new() -> Self {
        Self {
            counts: Mutex::new(Counts {
                open: 0,
                clients: HashMap::new(),
            }),
            overloaded: Arc::default(),
        }
    }

    /// Set while nine in ten connections are taken.
    pub fn overloaded(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.overloaded)
    }

    /// Connections open now.
    pub fn open(&self) -> usize {
        self.lock().open
    }

    /// Gives a connection its place; an exempt one counts in all, but for no client.
    ///
    /// # Errors
    /// The refusal that a connection too many gets.
    pub fn admit(self: &Arc<Self>, address: IpAddr, exempt: bool, limits: &Limits) -> Result<Admission, Refusal> {
        let client = (!exempt).then(|| client_of(address));
        let mut counts = self.lock();
        if counts.open >= limits.connections {
            return Err(Refusal::Connections);
        }
        if let Some(client) = client {
            counts.enter(client, limits)?;
        }
        counts.open += 1;
        self.measure(&counts, limits.connections);
        drop(counts);
        Ok(Admission {
            occupancy: Arc::clone(self),
            client: Mutex::new(client),
            connections_max: limits.connections,
        })
    }

    /// Counts one more connection of a client's.
    fn enter(&self, client: IpAddr, limits: &Limits) -> Result<(), Refusal> {
        let mut counts = self.lock();
        counts.enter(client, limits)
    }

    fn leave(&self, client: IpAddr) {
        self.lock().leave(client);
    }

    fn measure(&self, counts: &Counts, connections_max: usize) {
        let overloaded = counts.open.saturating_mul(10) >= connections_max.saturating_mul(9);
        self.overloaded.store(overloaded, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Nothing panics while it is held, and numbers can't be left half changed.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn enter(&mut self, client: IpAddr, limits: &Limits) -> Result<(), Refusal> {
        let held = self.clients.get(&client).copied().unwrap_or(0);
        if held >= limits.connections_per_client {
            return Err(Refusal::ConnectionsPerClient);
        }
        self.clients.insert(client, held + 1);
        Ok(())
    }

    fn leave(&mut self, client: IpAddr) {
        match self.clients.get_mut(&client) {
            Some(held) if *held > 1 => *held -= 1,
            _ => drop(self.clients.remove(&client)),
        }
    }
}

impl Admission {
    /// The connection turns out to be another client's, as a trusted peer states: it counts for that
    /// client from now on, or for nobody when that is unknown.
    ///
    /// # Errors
    /// The refusal that a connection too many gets; it then counts for nobody.
    pub fn is_of(&self, client: Option<IpAddr>, limits: &Limits) -> Result<(), Refusal> {
        let client = client.map(client_of);
        let mut counted = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if *counted == client {
            return Ok(());
        }
        if let Some(before) = counted.take() {
            self.occupancy.leave(before);
        }
        if let Some(client) = client {
            self.occupancy.enter(client, limits)?;
        }
        *counted = client;
        drop(counted);
        Ok(())
    }
}

impl Default for Occupancy {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut counts = self.occupancy.lock();
        counts.open = counts.open.saturating_sub(1);
        let client = self.client.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = client.take() {
            counts.leave(client);
        }
        self.occupancy.measure(&counts, self.connections_max);
    }
}

/// The address that stands for a client.
fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(connections: usize, connections_per_client: usize) -> Limits {
        Limits {
            connections,
            connections_per_client,
            ..Limits::default()
        }
    }

    fn admit(occupancy: &Arc<Occupancy>, address: &str, limits: &Limits) -> Result<Admission, Refusal> {
        occupancy.admit(address.parse().unwrap(), false, limits)
    }

    #[test]
    fn one_client_has_its_limit_and_gets_places_back() {
        let (occupancy, limits) = (Arc::new(Occupancy::new()), limits(10, 2));
        let first = admit(&occupancy, "192.0.2.1", &limits).unwrap();
        let _second = admit(&occupancy, "::ffff:192.0.2.1", &limits).unwrap();
        assert_eq!(
            admit(&occupancy, "192.0.2.1", &limits).err(),
            Some(Refusal::ConnectionsPerClient)
        );
        assert!(admit(&occupancy, "192.0.2.2", &limits).is_ok());
        drop(first);
        assert!(admit(&occupancy, "192.0.2.1", &limits).is_ok());
    }

    #[test]
    fn an_ipv6_client_is_a_64() {
        let (occupancy, limits) = (Arc::new(Occupancy::new()), limits(10, 1));
        let _held = admit(&occupancy, "2001:db8:0:1::1", &limits).unwrap();
        assert_eq!(
            admit(&occupancy, "2001:db8:0:1:ffff::1", &limits).err(),
            Some(Refusal::ConnectionsPerClient)
        );
        assert!(admit(&occupancy, "2001:db8:0:2::1", &limits).is_ok());
    }

    #[test]
    fn all_have_their_limit_and_the_exempt_only_that() {
        let (occupancy, limits) = (Arc::new(Occupancy::new()), limits(3, 1));
        let address = "192.0.2.1".parse().unwrap();
        let _held: Vec<Admission> = (0..3)
            .map(|_| occupancy.admit(address, true, &limits).unwrap())
            .collect();
        assert_eq!(
            occupancy.admit(address, true, &limits).err(),
            Some(Refusal::Connections)
        );
        assert_eq!(occupancy.open(), 3);
    }

    #[test]
    fn a_stated_client_is_counted_in_place_of_the_peer() {
        let (occupancy, limits) = (Arc::new(Occupancy::new()), limits(10, 1));
        let front: IpAddr = "192.0.2.1".parse().unwrap();
        let client = |text: &str| Some(text.parse().unwrap());
        let admit = || occupancy.admit(front, true, &limits).unwrap();
        let (one, two) = (admit(), admit());
        assert_eq!(one.is_of(client("2001:db8::1"), &limits), Ok(()));
        assert_eq!(one.is_of(client("2001:db8::2"), &limits), Ok(()), "one /64, one place");
        let refused = two.is_of(client("2001:db8::3"), &limits);
        assert_eq!(refused, Err(Refusal::ConnectionsPerClient));
        assert_eq!(one.is_of(client("198.51.100.1"), &limits), Ok(()));
        assert_eq!(two.is_of(client("2001:db8::3"), &limits), Ok(()));
        assert_eq!(two.is_of(None, &limits), Ok(()));
        drop(one);
        assert!(occupancy.lock().clients.is_empty());
    }

    #[test]
    fn overload_begins_at_nine_in_ten_and_ends() {
        let (occupancy, limits) = (Arc::new(Occupancy::new()), limits(10, 10));
        let overloaded = occupancy.overloaded();
        let mut held: Vec<Admission> = (0..8)
            .map(|_| admit(&occupancy, "192.0.2.1", &limits).unwrap())
            .collect();
        assert!(!overloaded.load(Ordering::Relaxed));
        held.push(admit(&occupancy, "192.0.2.1", &limits).unwrap());
        assert!(overloaded.load(Ordering::Relaxed));
        held.pop();
        assert!(!overloaded.load(Ordering::Relaxed));
        held.clear();
        assert!(occupancy.lock().clients.is_empty());
    }
}
