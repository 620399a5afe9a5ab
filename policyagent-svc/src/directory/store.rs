//! The directory as a store for those who edit policies: all of its policies are one document.
use serde::Serialize;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use super::client::assignment::Gpo;
use super::client::{Client, ClientError, assignment_dn, gpo_dn};
use super::objects::{Contents, Tree, read};
use super::settings::{Assignment, Settings};
use crate::document::{Document, DocumentError};
use crate::guid::Guid;
use crate::model::PolicyFile;

/// Why the directory was not read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryError {
    /// The client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// What is to be written has faults.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The system.
    #[error("cannot begin to ask the directory: {0}")]
    System(#[from] io::Error),
    /// There is no such policy.
    #[error("the directory has no policy {name:?}; allowed: {allowed}")]
    NoPolicy {
        /// Its name.
        name: String,
        /// Those that there are.
        allowed: String,
    },
    /// Nobody said what is to assign it.
    #[error("no group policy object was named, and [directory] of the settings has neither gpo nor assignment")]
    NoGpo,
    /// The computer is not known.
    #[error(transparent)]
    Host(#[from] super::HostError),
}

/// What is to assign a policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum By {
    /// What the settings name.
    Settings,
    /// A group policy object, by its GUID in braces or what people call it.
    Gpo(String),
    /// An assignment object.
    Object(String),
}

/// What is assigned, and by what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct InPlace {
    /// The group policy object, if it is one that assigns: what people call it, and its distinguished name.
    pub(crate) gpo: Option<(String, String)>,
    /// The policy's name, as the assignment has it.
    pub(crate) policy: String,
    /// For people.
    pub(crate) description: Option<String>,
    /// When the policy was last changed.
    pub(crate) last_modified: Option<String>,
}

/// How a directory serves many hosts that ask at once.
#[derive(Debug, Serialize)]
pub(crate) struct Load {
    /// Hosts that asked.
    pub(crate) hosts: u32,
    /// Those that got no answer.
    pub(crate) failed: u32,
    /// Why the first of them did not.
    pub(crate) failure: Option<String>,
    /// From the first question to the last answer, where each read the whole policy.
    pub(crate) first_poll_milliseconds: u128,
    /// The same where each asked, on a connection of its own, whether the policy had changed.
    pub(crate) later_poll_milliseconds: u128,
    /// How long half of the hosts waited at most for the later poll, and how long all but one in a hundred.
    pub(crate) later_median_milliseconds: u128,
    /// See above.
    pub(crate) later_99th_milliseconds: u128,
}

/// What assigns.
enum Place {
    /// A group policy object.
    Gpo(String),
    /// An assignment object.
    Object(String),
}

impl Place {
    /// The distinguished name of the assignment object.
    fn assignment(&self) -> String {
        match self {
            Self::Gpo(dn) => assignment_dn(dn),
            Self::Object(dn) => dn.clone(),
        }
    }
}

async fn in_place(client: &mut Client, place: Place) -> Result<Option<InPlace>, DirectoryError> {
    let Some(assigned) = client.assigned_by(&place.assignment()).await? else { return Ok(None) };
    let gpo = match place {
        Place::Gpo(dn) => Some((client.gpo_name(&dn).await?.unwrap_or_default(), dn)),
        Place::Object(_) => None,
    };
    let last_modified = client.last_modified(&assigned.policy).await?;
    Ok(Some(InPlace { gpo, policy: assigned.name, description: assigned.description, last_modified }))
}

/// The policies of the directory.
pub(crate) struct DirectoryStore {
    settings: Arc<Settings>,
    runtime: Runtime,
}

impl DirectoryStore {
    /// The directory of the settings.
    pub(crate) fn new(settings: &Settings) -> Result<Self, DirectoryError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { settings: Arc::new(settings.clone()), runtime })
    }

    fn with<T>(&self, work: impl AsyncFnOnce(&mut Client) -> Result<T, DirectoryError>) -> Result<T, DirectoryError> {
        self.runtime.block_on(async {
            let mut client = Client::connect(&self.settings).await?;
            let result = work(&mut client).await;
            client.close().await;
            result
        })
    }

    /// The domain's naming context.
    pub(crate) fn base(&self) -> Result<String, DirectoryError> {
        self.with(async |client| Ok(client.base.clone()))
    }

    /// All policies as one document.
    pub(crate) fn read(&self) -> Result<Contents, DirectoryError> {
        self.with(async |client| Ok(client.read_all().await?))
    }

    /// Has `edit` make a new document of the document of all policies, and makes the directory say that.
    ///
    /// A directory has no locks: what somebody else changes meanwhile and this does not stays as he made it.
    pub(crate) fn edit<R, E: From<DirectoryError>>(
        &self,
        edit: impl FnOnce(&str) -> Result<(Zeroizing<String>, R), E>,
    ) -> Result<R, E> {
        let old = self.read()?;
        let (new, result) = edit(&old.document.text())?;
        self.replace(&old, new)?;
        Ok(result)
    }

    fn replace(&self, old: &Contents, new: Zeroizing<String>) -> Result<(), DirectoryError> {
        let path = Path::new("the directory's document");
        let document = Document::from_text(path, Path::new("/"), new)?;
        PolicyFile::parse(&document)?;
        // The model has taken it, so it is TOML.
        let tree = Tree::parse(document.text()).unwrap_or_default();
        self.with(async |client| Ok(client.apply(old, &tree).await?))
    }

    /// The policy of this host as a document.
    pub(crate) fn assigned(&self) -> Result<Option<Zeroizing<String>>, DirectoryError> {
        let host = super::host()?;
        self.with(async |client| {
            let (assigned, _) = client.assigned(&host).await?;
            let Some(assigned) = assigned else { return Ok(None) };
            let contents = read(&client.policy(&assigned.policy).await?).map_err(ClientError::from)?;
            Ok(contents.document.assigned_text())
        })
    }

    /// The group policy objects for a computer or a unit by its distinguished name, and the policy that the one that decides
    /// assigns, as a document.
    pub(crate) fn planned(&self, target: &str) -> Result<(Vec<Gpo>, Option<Zeroizing<String>>), DirectoryError> {
        let site = match &self.settings.assignment {
            Assignment::Computer { site, .. } => site.clone(),
            Assignment::Object(_) | Assignment::Gpo(_) => None,
        };
        self.with(async |client| {
            let gpos = client.applying(target, site.as_deref()).await?;
            let decides = gpos.iter().find(|gpo| gpo.why_not.is_none());
            let text = match decides.and_then(|gpo| gpo.policy.as_ref()) {
                Some(policy) => {
                    let contents = read(&client.policy(&policy.dn).await?).map_err(ClientError::from)?;
                    contents.document.assigned_text()
                }
                None => None,
            };
            Ok((gpos, text))
        })
    }

    /// The group policy objects for a place of the domain, or for this host.
    pub(crate) fn gpos(&self, target: Option<&str>) -> Result<Vec<Gpo>, DirectoryError> {
        let host = super::host()?;
        let (computer, site) = match &self.settings.assignment {
            Assignment::Computer { dn, site } => (dn.clone(), site.clone()),
            Assignment::Object(_) | Assignment::Gpo(_) => (None, None),
        };
        self.with(async |client| {
            let target = match target.map(str::to_owned).or(computer) {
                Some(target) => target,
                None => client.computer(&host).await?,
            };
            Ok(client.applying(&target, site.as_deref()).await?)
        })
    }

    async fn place(&self, client: &mut Client, by: &By) -> Result<Place, DirectoryError> {
        Ok(match (by, &self.settings.assignment) {
            (By::Object(dn), _) | (By::Settings, Assignment::Object(dn)) => Place::Object(dn.clone()),
            (By::Settings, Assignment::Gpo(guid)) => Place::Gpo(gpo_dn(*guid, &client.base)),
            (By::Settings, Assignment::Computer { .. }) => return Err(DirectoryError::NoGpo),
            (By::Gpo(name), _) => Place::Gpo(match name.parse::<Guid>() {
                Ok(guid) => gpo_dn(guid, &client.base),
                Err(_) => client.gpo_named(name).await?,
            }),
        })
    }

    /// What a group policy object, or an assignment object, assigns.
    pub(crate) fn assigned_by(&self, by: &By) -> Result<Option<InPlace>, DirectoryError> {
        self.with(async |client| {
            let place = self.place(client, by).await?;
            in_place(client, place).await
        })
    }

    /// What is assigned to this host.
    pub(crate) fn assigned_here(&self) -> Result<Option<InPlace>, DirectoryError> {
        if !matches!(self.settings.assignment, Assignment::Computer { .. }) {
            return self.assigned_by(&By::Settings);
        }
        let decides = self.gpos(None)?.into_iter().find(|gpo| gpo.why_not.is_none());
        Ok(decides.and_then(|gpo| {
            let policy = gpo.policy?;
            Some(InPlace {
                gpo: Some((gpo.name, gpo.dn)),
                policy: policy.name,
                description: policy.description,
                last_modified: policy.changed,
            })
        }))
    }

    /// Assigns the policy of this name, or none.
    pub(crate) fn assign(&self, policy: Option<&str>, by: &By) -> Result<(), DirectoryError> {
        self.with(async |client| {
            let assignment = self.place(client, by).await?.assignment();
            let Some(name) = policy else { return Ok(client.assign(&assignment, None).await?) };
            let contents = client.read_all().await?;
            let found = contents.document.policy(name);
            let (guid, description) = found.ok_or_else(|| DirectoryError::NoPolicy {
                name: name.to_owned(),
                allowed: contents.document.policies().join(", "),
            })?;
            Ok(client.assign(&assignment, Some((guid, name, description.as_deref()))).await?)
        })
    }

    /// Asks as so many hosts would that were all switched on at once, and again when their time to ask has come.
    pub(crate) fn simulate(&self, hosts: u32) -> Result<Load, DirectoryError> {
        let host = super::host()?;
        self.runtime.block_on(async {
            let (first, first_all) = self.all_at_once(hosts, &host, true).await;
            let (mut later, later_all) = self.all_at_once(hosts, &host, false).await;
            let failures: Vec<String> =
                first.iter().chain(&later).filter_map(|result| result.as_ref().err().cloned()).collect();
            later.retain(Result::is_ok);
            later.sort();
            let at = |part: usize| {
                let result = later.get((later.len() * part / 100).min(later.len().saturating_sub(1)));
                result.and_then(|result| result.as_ref().ok()).map_or(0, Duration::as_millis)
            };
            Ok(Load {
                hosts,
                failed: u32::try_from(failures.len()).unwrap_or(u32::MAX),
                failure: failures.into_iter().next(),
                first_poll_milliseconds: first_all.as_millis(),
                later_poll_milliseconds: later_all.as_millis(),
                later_median_milliseconds: at(50),
                later_99th_milliseconds: at(99),
            })
        })
    }

    /// How long each host took, or why it got no answer; and how long all of them took.
    async fn all_at_once(&self, hosts: u32, host: &str, whole: bool) -> (Vec<Result<Duration, String>>, Duration) {
        let begin = Instant::now();
        let tasks: Vec<_> = (0..hosts)
            .map(|_| {
                let (settings, host) = (Arc::clone(&self.settings), host.to_owned());
                tokio::spawn(async move {
                    let begin = Instant::now();
                    let result = poll(&settings, &host, whole).await;
                    result.map(|()| begin.elapsed()).map_err(|error| error.to_string())
                })
            })
            .collect();
        let mut results = Vec::with_capacity(tasks.len());
        for task in tasks {
            results.push(task.await.unwrap_or_else(|error| Err(error.to_string())));
        }
        (results, begin.elapsed())
    }
}

async fn poll(settings: &Arc<Settings>, host: &str, whole: bool) -> Result<(), ClientError> {
    let mut client = Client::connect(settings).await?;
    let (assigned, _) = client.assigned(host).await?;
    if let Some(assigned) = assigned {
        client.changed(&assigned.policy).await?;
        if whole {
            read(&client.policy(&assigned.policy).await?)?;
        }
    }
    client.close().await;
    Ok(())
}
