//! Searches: page by page, and on other servers where this one says so.
use super::connect::open;
use super::entry::references;
use super::referral::{MOST, Referral};
use super::{Client, ClientError, Entry, NO_SUCH_OBJECT, REFERRAL};
use crate::directory::settings::{Bind, Settings};
use ldap3::adapters::{Adapter, PagedResults};
use ldap3::controls::RawControl;
use ldap3::{Ldap, Scope, SearchOptions};

/// The attribute with who may do what with an object.
pub(super) const DESCRIPTOR: &str = "nTSecurityDescriptor";

/// The control that says which parts of it are asked for (MS-ADTS §3.1.1.3.4.1.11), and its value: the list of rights. Whoever
/// asks for all of it gets nothing without the privilege to read what is audited.
const DESCRIPTOR_PARTS: &str = "1.2.840.113556.1.4.801";
const RIGHTS: [u8; 5] = [0x30, 3, 2, 1, 4];

/// Entries of a page. Active Directory gives at most 1000.
const PAGE: i32 = 500;

/// Entries that one search may find.
const MOST_ENTRIES: usize = 100_000;

/// A search.
#[derive(Clone, Debug)]
struct Search {
    base: String,
    scope: Scope,
    filter: String,
    attributes: Vec<&'static str>,
}

impl Client {
    /// The entry with this name, if there is one.
    pub(crate) async fn object_at(
        &mut self,
        dn: &str,
        attributes: &[&'static str],
    ) -> Result<Option<Entry>, ClientError> {
        Ok(self.search(dn, Scope::Base, "(objectClass=*)", attributes).await?.unwrap_or_default().into_iter().next())
    }

    /// The entries that a search finds; nothing if its base is not there.
    pub(super) async fn search(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&'static str],
    ) -> Result<Option<Vec<Entry>>, ClientError> {
        let search =
            Search { base: base.to_owned(), scope, filter: filter.to_owned(), attributes: attributes.to_vec() };
        let mut found = Found::default();
        run(&mut self.ldap, &self.settings, &search, &mut found).await?;
        let mut followed = 0;
        // Depth is bounded by the number in all, which is easier to see than a circle.
        while let Some((referral, search)) = found.elsewhere.pop() {
            followed += 1;
            let url = referral.server.url();
            if followed > MOST {
                return Err(ClientError::Referrals { what: format!("the search below {:?}", search.base), last: url });
            }
            tracing::debug!(target: "policyagent::directory", "{} refers to {url}", self.server);
            let mut server = referral.server;
            // Who this host is, and what it gets, goes no less protected than before.
            let must = self.server.starts_with("ldaps://") && !server.tls;
            let settings = Settings { start_tls: self.settings.start_tls || must, ..(*self.settings).clone() };
            if matches!(settings.bind, Bind::Kerberos) {
                server.host = server.host.to_ascii_lowercase();
            }
            let mut other = open(&settings, &server).await?;
            let result = run(&mut other, &settings, &search, &mut found).await;
            let _ = other.unbind().await;
            result?;
        }
        Ok(found.exists.then_some(found.entries))
    }
}

#[derive(Default)]
struct Found {
    /// The base is there, on some server.
    exists: bool,
    entries: Vec<Entry>,
    elsewhere: Vec<(Referral, Search)>,
}

async fn run(ldap: &mut Ldap, settings: &Settings, search: &Search, found: &mut Found) -> Result<(), ClientError> {
    let what = || format!("the search below {:?} for {}", search.base, search.filter);
    let failed = |error: ldap3::LdapError| ClientError::connection(what(), error);
    let pages: Vec<Box<dyn Adapter<'_, _, _>>> =
        if search.scope == Scope::Base { vec![] } else { vec![Box::new(PagedResults::new(PAGE))] };
    // No limits of size and time, no aliases (MS-GPIPSEC).
    ldap.with_timeout(settings.timeout).with_search_options(SearchOptions::new());
    if search.attributes.contains(&DESCRIPTOR) {
        ldap.with_controls(RawControl { ctype: DESCRIPTOR_PARTS.to_owned(), crit: false, val: Some(RIGHTS.to_vec()) });
    }
    let started =
        ldap.streaming_search_with(pages, &search.base, search.scope, &search.filter, search.attributes.clone());
    let mut stream = started.await.map_err(failed)?;
    while let Some(entry) = stream.next().await.map_err(failed)? {
        if entry.is_intermediate() {
            continue;
        }
        if entry.is_ref() {
            // Below a whole domain these are its other parts, such as its configuration: no computers are there.
            if search.scope == Scope::Subtree {
                continue;
            }
            follow(references(entry), search, true, found);
            continue;
        }
        let entry = Entry::of(entry);
        found
            .entries
            .push(entry.ok_or_else(|| ClientError::answer(what(), "an entry that is none", "entries of LDAP"))?);
        if found.entries.len() > MOST_ENTRIES {
            return Err(ClientError::answer(what(), "more and more entries", format!("{MOST_ENTRIES}")));
        }
    }
    let result = stream.finish().await;
    match result.rc {
        0 => {
            found.exists = true;
            Ok(())
        }
        NO_SUCH_OBJECT => Ok(()),
        REFERRAL => {
            follow(result.refs, search, false, found);
            Ok(())
        }
        code => Err(ClientError::Refused { what: what(), code, text: result.text }),
    }
}

/// One of the URLs is enough. One inside of a result is about what stands below the base.
fn follow(urls: Vec<String>, search: &Search, below: bool, found: &mut Found) {
    let Some(referral) = urls.iter().find_map(|url| Referral::parse(url)) else {
        tracing::warn!(target: "policyagent::directory", "referrals to {urls:?} are left out; allowed: ldap and ldaps");
        return;
    };
    let base = referral.base.clone().unwrap_or_else(|| search.base.clone());
    let scope =
        if referral.base_scope || below && search.scope == Scope::OneLevel { Scope::Base } else { search.scope };
    found.elsewhere.push((referral, Search { base, scope, ..search.clone() }));
}
