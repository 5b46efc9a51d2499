//! Which facts from elsewhere anybody asks for: nothing else is looked up.
//!
//! Names of fields in, a few switches out. Knows nothing of rules.

/// What is to be gathered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// SPF's own result.
    pub own_spf: bool,
    /// DKIM's own results.
    pub own_dkim: bool,
    /// DMARC, which needs both.
    pub dmarc: bool,
    /// The chain of forwarders.
    pub arc: bool,
    /// Reverse DNS of the client.
    pub client_name: bool,
    /// Whether the client is what it calls itself.
    pub helo: bool,
    /// Block lists of addresses.
    pub client_listed: bool,
    /// Block lists of domains.
    pub listings: bool,
}

impl Needs {
    /// What fields of these names need.
    pub fn of<'f>(fields: impl IntoIterator<Item = &'f str>) -> Self {
        let mut needs = Self::default();
        for field in fields {
            match field {
                "auth.spf" => needs.own_spf = true,
                "auth.dkim" | "auth.dkim_domains" => needs.own_dkim = true,
                "auth.arc" | "auth.arc_sealers" => needs.arc = true,
                // Whether a forwarder vouches matters for an author, of whom DMARC's questions tell.
                "auth.arc_vouched" => needs.arc = true,
                field if field.starts_with("auth.") => needs.dmarc = true,
                "client.name" | "client.name_confirmed" => needs.client_name = true,
                "client.helo_confirmed" => needs.helo = true,
                "client.listed" => needs.client_listed = true,
                "listings" => needs.listings = true,
                _ => {}
            }
        }
        needs
    }

    /// All that Authentication-Results tells.
    pub const fn with_authentication(self) -> Self {
        Self {
            own_spf: true,
            own_dkim: true,
            dmarc: true,
            arc: true,
            ..self
        }
    }

    /// DMARC, and the forwarders that may speak against it.
    pub const fn with_dmarc(self, with_arc: bool) -> Self {
        Self {
            dmarc: true,
            arc: self.arc || with_arc,
            ..self
        }
    }

    /// Whether SPF is to be asked.
    pub const fn spf(&self) -> bool {
        self.own_spf || self.dmarc
    }

    /// Whether signatures are to be checked.
    pub const fn dkim(&self) -> bool {
        self.own_dkim || self.dmarc
    }

    /// Whether anything is to be looked up at all.
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_need_what_they_are_made_of() {
        assert!(!Needs::of(["from", "links", "client.ip"]).any());
        let spf = Needs::of(["auth.spf"]);
        assert!(spf.spf() && !spf.dkim() && !spf.dmarc && !spf.arc && spf.any());
        let aligned = Needs::of(["auth.aligned"]);
        assert!(aligned.spf() && aligned.dkim() && aligned.dmarc && !aligned.arc);
        let name = Needs::of(["client.name_confirmed"]);
        assert!(name.client_name && !name.client_listed && !name.spf());
    }
}
