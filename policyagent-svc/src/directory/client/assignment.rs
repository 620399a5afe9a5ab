//! Which policy is assigned to a computer, or to whatever stands at a place of the domain, and by which group policy object.
use super::search::DESCRIPTOR;
use super::{Assigned, Client, ClientError, assignment_dn, gpo_dn};
use crate::directory::access::{Sid, Token, may_apply};
use crate::directory::objects::{normal, parent};
use crate::directory::settings::Assignment;
use ldap3::{Scope, ldap_escape};
use serde::{Deserialize, Serialize};

/// A group policy object, in the order in which they apply.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Gpo {
    /// Its distinguished name.
    pub(crate) dn: String,
    /// What people call it.
    pub(crate) name: String,
    /// The site, domain or organisational unit that it is linked to.
    pub(crate) linked_to: String,
    /// Nothing below can keep it out.
    pub(crate) enforced: bool,
    /// The policy that it assigns.
    pub(crate) policy: Option<GpoPolicy>,
    /// Why it does not decide; nothing if it does.
    pub(crate) why_not: Option<String>,
}

/// The policy that a group policy object assigns.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct GpoPolicy {
    /// Its distinguished name.
    pub(crate) dn: String,
    /// What the assignment calls it.
    pub(crate) name: String,
    /// For people.
    pub(crate) description: Option<String>,
    /// When it was last changed.
    pub(crate) changed: Option<String>,
}

/// A link of a group policy object.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Link {
    gpo: String,
    linked_to: String,
    is_disabled: bool,
    is_enforced: bool,
}

/// A place that group policy objects are linked to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Place {
    dn: String,
    /// In the order of the attribute: the last one has the last word.
    links: Vec<Link>,
    /// What is linked to places above is kept out, unless it is enforced.
    blocks: bool,
}

/// The links in `gPLink`: `[LDAP://DN;OPTIONS][...]`. Of the options 1 is disabled, 2 enforced.
fn links(text: &str, linked_to: &str) -> Vec<Link> {
    let link = |part: &str| {
        let part = part.strip_prefix('[')?;
        let (path, options) = part.rsplit_once(';')?;
        let scheme = path.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("LDAP://"))?;
        let options: u32 = options.trim().parse().ok()?;
        let (is_disabled, is_enforced) = (options & 1 != 0, options & 2 != 0);
        Some(Link { gpo: path[scheme.len()..].to_owned(), linked_to: linked_to.to_owned(), is_disabled, is_enforced })
    };
    text.split(']').filter_map(|part| link(part.trim())).collect()
}

/// The links in the order in which they apply, and why some do not. The last one that assigns a policy decides.
///
/// `places` go from the site to the innermost unit. Enforced ones come after all others, those of inner places first.
fn order(places: &[Place]) -> Vec<(Link, Option<String>)> {
    let blocked_before = places.iter().rposition(|place| place.blocks);
    let mut all = Vec::new();
    let mut enforced = Vec::new();
    for (number, place) in places.iter().enumerate() {
        let blocker = blocked_before.filter(|blocker| number < *blocker);
        let mut of_place = Vec::new();
        for link in &place.links {
            let why_not = match blocker {
                _ if link.is_disabled => Some("the link is disabled".to_owned()),
                Some(blocker) if !link.is_enforced => Some(format!("{} blocks inheritance", places[blocker].dn)),
                _ => None,
            };
            if link.is_enforced { of_place.push((link.clone(), why_not)) } else { all.push((link.clone(), why_not)) }
        }
        enforced.push(of_place);
    }
    all.extend(enforced.into_iter().rev().flatten());
    all
}

impl Client {
    /// What the settings say is assigned to this host, and the group policy objects that were looked at for it.
    pub(crate) async fn assigned(&mut self, host: &str) -> Result<(Option<Assigned>, Vec<Gpo>), ClientError> {
        let settings = std::sync::Arc::clone(&self.settings);
        match &settings.assignment {
            Assignment::Object(dn) => Ok((self.assigned_by(dn).await?, Vec::new())),
            Assignment::Gpo(guid) => {
                let dn = assignment_dn(&gpo_dn(*guid, &self.base));
                Ok((self.assigned_by(&dn).await?, Vec::new()))
            }
            Assignment::Computer { dn, site } => {
                let computer = match dn {
                    Some(dn) => dn.clone(),
                    None => self.computer(host).await?,
                };
                let gpos = self.applying(&computer, site.as_deref()).await?;
                let decides = gpos.iter().find(|gpo| gpo.why_not.is_none());
                let assigned = decides.and_then(|gpo| {
                    let policy = gpo.policy.as_ref()?;
                    Some(Assigned {
                        assignment: assignment_dn(&gpo.dn),
                        policy: policy.dn.clone(),
                        name: policy.name.clone(),
                        description: policy.description.clone(),
                    })
                });
                Ok((assigned, gpos))
            }
        }
    }

    /// The computer of this name: with its domain, or without.
    pub(crate) async fn computer(&mut self, host: &str) -> Result<String, ClientError> {
        let short = host.split('.').next().unwrap_or_default();
        let (full, account) = (ldap_escape(host), ldap_escape(short));
        let filter = format!("(&(objectClass=computer)(|(dNSHostName={full})(sAMAccountName={account}$)))");
        let base = self.base.clone();
        let found = self.search(&base, Scope::Subtree, &filter, &["1.1"]).await?.unwrap_or_default();
        let [computer] = found.as_slice() else {
            let count = found.len();
            return Err(ClientError::answer(
                format!("the computer {host:?}"),
                format!("{count} objects of the directory are it"),
                "one, or computer in [directory]",
            ));
        };
        Ok(computer.dn.clone())
    }

    /// The distinguished name of the group policy object that people call so.
    pub(crate) async fn gpo_named(&mut self, name: &str) -> Result<String, ClientError> {
        let filter = format!("(&(objectClass=groupPolicyContainer)(displayName={}))", ldap_escape(name));
        let container = format!("CN=Policies,CN=System,{}", self.base);
        let found = self.search(&container, Scope::OneLevel, &filter, &["1.1"]).await?.unwrap_or_default();
        let [gpo] = found.as_slice() else {
            let found = format!("{} objects of the directory are it", found.len());
            return Err(ClientError::answer(
                format!("the group policy object {name:?}"),
                found,
                "one, or its GUID in braces",
            ));
        };
        Ok(gpo.dn.clone())
    }

    /// The group policy objects for a computer or a place of the domain, the one that decides first, and then those that have
    /// less to say; last those that do not apply.
    ///
    /// Security filtering is looked at where the target is a computer whose groups the server tells. Filters of WMI are not.
    pub(crate) async fn applying(&mut self, target: &str, site: Option<&str>) -> Result<Vec<Gpo>, ClientError> {
        let mut places = Vec::new();
        let mut at = Some(target.to_owned());
        let end = normal(&self.base);
        while let Some(dn) = at {
            places.push(self.place(&dn).await?);
            at = if normal(&dn) == end { None } else { parent(&dn).map(str::to_owned) };
        }
        if let Some(site) = site {
            let configuration = self.root("configurationNamingContext").await?;
            places.push(self.place(&format!("CN={site},CN=Sites,{configuration}")).await?);
        }
        places.reverse();
        let token = self.token(target).await?;
        let mut gpos = Vec::new();
        let mut decided: Option<String> = None;
        for (link, why_not) in order(&places).into_iter().rev() {
            let mut gpo = self.gpo(&link, token.as_ref()).await?;
            gpo.why_not = why_not.or(gpo.why_not);
            if gpo.why_not.is_none() {
                gpo.why_not = match (&gpo.policy, &decided) {
                    (None, _) => Some("it assigns no IPsec policy".to_owned()),
                    (Some(_), Some(by)) => Some(format!("{by:?} has the last word")),
                    (Some(_), None) => None,
                };
                if gpo.why_not.is_none() {
                    decided = Some(gpo.name.clone());
                }
            }
            gpos.push(gpo);
        }
        Ok(gpos)
    }

    /// What people call a group policy object.
    pub(crate) async fn gpo_name(&mut self, dn: &str) -> Result<Option<String>, ClientError> {
        Ok(self.object_at(dn, &["displayName"]).await?.and_then(|entry| entry.text("displayName")))
    }

    async fn place(&mut self, dn: &str) -> Result<Place, ClientError> {
        let Some(entry) = self.object_at(dn, &["gPLink", "gPOptions"]).await? else { return Ok(Place::default()) };
        let links = entry.text("gPLink").map(|text| links(&text, dn)).unwrap_or_default();
        let blocks = entry.text("gPOptions").is_some_and(|options| options.trim() == "1");
        Ok(Place { dn: dn.to_owned(), links, blocks })
    }

    /// Who the computer is, with all its groups; nothing if it is no computer, or the server does not tell.
    async fn token(&mut self, target: &str) -> Result<Option<Token>, ClientError> {
        let Some(entry) = self.object_at(target, &["objectClass", "objectSid", "tokenGroups"]).await? else {
            return Ok(None);
        };
        let own = entry.values("objectSid").first().and_then(|value| Sid::of(value));
        let groups: Vec<Sid> = entry.values("tokenGroups").iter().filter_map(|value| Sid::of(value)).collect();
        let is_computer = entry.texts("objectClass").iter().any(|class| class.eq_ignore_ascii_case("computer"));
        // A computer is in one group at least: without any the server did not tell.
        let told = is_computer && !groups.is_empty();
        Ok(own.filter(|_| told).map(|own| Token::new(own, groups)))
    }

    async fn gpo(&mut self, link: &Link, token: Option<&Token>) -> Result<Gpo, ClientError> {
        let entry = self.object_at(&link.gpo, &["displayName", "flags", DESCRIPTOR]).await?;
        let mut gpo = Gpo {
            dn: link.gpo.clone(),
            name: entry.as_ref().and_then(|entry| entry.text("displayName")).unwrap_or_else(|| link.gpo.clone()),
            linked_to: link.linked_to.clone(),
            enforced: link.is_enforced,
            policy: None,
            why_not: None,
        };
        let Some(entry) = entry else {
            gpo.why_not = Some("it is not there, or this host may not read it".to_owned());
            return Ok(gpo);
        };
        let flags: u32 = entry.text("flags").and_then(|text| text.parse().ok()).unwrap_or_default();
        if flags & 2 != 0 {
            gpo.why_not = Some("its settings for computers are disabled".to_owned());
        } else if let (Some(token), Some(descriptor)) = (token, entry.values(DESCRIPTOR).first()) {
            let may = may_apply(descriptor, token).ok_or_else(|| {
                ClientError::answer(
                    format!("{DESCRIPTOR} of {}", link.gpo),
                    "octets that are none",
                    "a security descriptor",
                )
            })?;
            gpo.why_not = (!may).then(|| "security filtering: the computer has no right to apply it".to_owned());
        }
        if let Some(assigned) = self.assigned_by(&assignment_dn(&link.gpo)).await? {
            let changed = self.last_modified(&assigned.policy).await?;
            let (dn, name, description) = (assigned.policy, assigned.name, assigned.description);
            gpo.policy = Some(GpoPolicy { dn, name, description, changed });
        }
        Ok(gpo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(dn: &str, text: &str, blocks: bool) -> Place {
        Place { dn: dn.to_owned(), links: links(text, dn), blocks }
    }

    #[test]
    fn links_are_taken_apart() {
        let all = links("[LDAP://cn={A},cn=policies;0][ldap://cn={B};1] [LDAP://cn={C};3][nonsense]", "OU=x");
        let told: Vec<(&str, bool, bool)> =
            all.iter().map(|link| (link.gpo.as_str(), link.is_disabled, link.is_enforced)).collect();
        assert_eq!(told, [("cn={A},cn=policies", false, false), ("cn={B}", true, false), ("cn={C}", true, true)]);
        assert_eq!(links("", "x"), []);
    }

    #[test]
    fn what_is_further_in_has_the_last_word_unless_something_is_enforced() {
        let places = [
            place("site", "[LDAP://s;0]", false),
            place("domain", "[LDAP://d1;0][LDAP://d2;2]", false),
            place("outer", "[LDAP://o;0][LDAP://off;1]", true),
            place("inner", "[LDAP://i1;2][LDAP://i2;0]", false),
        ];
        let told: Vec<(String, Option<String>)> =
            order(&places).into_iter().map(|(link, why_not)| (link.gpo, why_not)).collect();
        let blocked = || Some("outer blocks inheritance".to_owned());
        let want = [
            ("s", blocked()),
            ("d1", blocked()),
            ("o", None),
            ("off", Some("the link is disabled".to_owned())),
            ("i2", None),
            ("i1", None),
            ("d2", None),
        ];
        assert_eq!(told, want.map(|(gpo, why_not)| (gpo.to_owned(), why_not)));
    }
}
