//! Carrying out the commands of `netsh ipsec`, and showing what there is.
pub(crate) mod document;
mod domain;
mod dynamic_context;
mod error;
pub(crate) mod fuzzing;
mod place;
mod resolve;
mod script;
mod show;
mod static_context;
pub(crate) mod store;
#[cfg(test)]
mod tests;

pub(crate) use error::RunError;

use self::dynamic_context::service::{Running, Service};
use self::place::Place;
use self::store::PolicyStore;
use super::command::{Command, StoreLocation};
use crate::format::Format;
use crate::paths::Paths;
use crate::service::settings::Settings;
use crate::store::Store;

/// One run of `netsh`: which store it edits, and what it holds back.
pub(crate) struct Session {
    paths: Paths,
    format: Format,
    /// The store of the static context.
    place: Place,
    /// The document in the service's memory.
    dynamic: Place,
    service: Box<dyn Service>,
    /// Edits of filter lists are held back.
    batch: bool,
    /// All edits are held back.
    atomic: bool,
    /// Stores that an atomic run has left, with what it holds back of them.
    left: Vec<Place>,
}

impl Session {
    /// A run on the instance of `paths`. It begins at the local store, as the settings name it.
    pub(crate) fn new(paths: &Paths, format: Format) -> Result<Self, RunError> {
        Self::with(paths, format, Box::new(Running::new(paths)), Box::new(Store::dynamic(paths)))
    }

    fn with(
        paths: &Paths,
        format: Format,
        service: Box<dyn Service>,
        dynamic: Box<dyn PolicyStore>,
    ) -> Result<Self, RunError> {
        let place = Self::local(paths, service.as_ref())?;
        Ok(Self {
            paths: paths.clone(),
            format,
            place,
            dynamic: Place::new("dynamic", dynamic),
            service,
            batch: false,
            atomic: false,
            left: Vec::new(),
        })
    }

    /// The local store: that of the running service, which may have been told another one than the settings say.
    fn local(paths: &Paths, service: &dyn Service) -> Result<Place, RunError> {
        let named = match service.status() {
            Ok(status) => Some(status.policy.path),
            Err(_) => Settings::read(&paths.settings()).map_err(|error| RunError::Document(error.to_string()))?.policy,
        };
        // The usual file need not be there.
        let named = named.filter(|path| *path != paths.policy());
        Ok(Place::new("local", Box::new(Store::local(paths, named.as_deref()))))
    }

    /// Carries a command out, and gives what is printed. After an error nothing has changed.
    pub(crate) fn carry_out(&mut self, command: Command) -> Result<String, RunError> {
        match command {
            Command::Static(command) => self.carry_out_static(command),
            Command::Dynamic(command) => self.carry_out_dynamic(command),
            // A run is one of one machine; who runs it changes machines.
            Command::SetMachine(_) => {
                Err(RunError::Unsupported("set machine is for a netsh that is not itself served".to_owned()))
            }
        }
    }

    /// From now on edits are held back, and reads see them, until [`Self::commit`] or [`Self::roll_back`].
    pub(crate) fn begin(&mut self) -> Result<(), RunError> {
        self.place.write()?;
        self.atomic = true;
        Ok(())
    }

    /// Makes all edits since [`Self::begin`], or none.
    pub(crate) fn commit(&mut self) -> Result<(), RunError> {
        self.atomic = false;
        let mut places: Vec<&mut Place> = self.left.iter_mut().chain([&mut self.place, &mut self.dynamic]).collect();
        // A directory cannot be put back: it comes when nothing else can fail any more.
        places.sort_by_key(|place| place.name == "domain");
        let mut written = Vec::new();
        for at in 0..places.len() {
            match places[at].write() {
                Ok(texts) => written.push(texts),
                Err(error) => {
                    let mut left = Vec::new();
                    for (place, texts) in places.iter_mut().zip(&written) {
                        if let Some(Err(why)) = texts.as_ref().map(|texts| place.put_back(texts)) {
                            left.push(format!("the {} store stays changed: {why}", place.name));
                        }
                    }
                    self.roll_back();
                    return Err(if left.is_empty() {
                        error
                    } else {
                        RunError::PartlyDone { error: Box::new(error), left: left.join("; ") }
                    });
                }
            }
        }
        self.left.clear();
        Ok(())
    }

    /// Forgets all edits since [`Self::begin`].
    pub(crate) fn roll_back(&mut self) {
        self.atomic = false;
        self.left.clear();
        self.place.forget();
        self.dynamic.forget();
    }

    /// Writes what a batch still holds: the run is over.
    pub(crate) fn finish(&mut self) -> Result<(), RunError> {
        self.write_batch()
    }

    /// As a new run on the same instance begins: at the local store, without a batch.
    pub(crate) fn start_anew(&mut self) -> Result<(), RunError> {
        self.set_store(StoreLocation::Local)?;
        self.batch = false;
        Ok(())
    }

    /// Refuses what cannot be held back.
    fn not_atomic(&self, what: &'static str) -> Result<(), RunError> {
        if self.atomic { Err(RunError::NotHeldBack { what }) } else { Ok(()) }
    }

    /// The store from now on.
    fn set_store(&mut self, location: StoreLocation) -> Result<(), RunError> {
        let next = match location {
            StoreLocation::Local => Self::local(&self.paths, self.service.as_ref())?,
            StoreLocation::Persistent => Place::new("persistent", Box::new(Store::persistent(&self.paths))),
            StoreLocation::Domain(name) => Place::new("domain", Box::new(domain::open(&self.paths, name.as_deref())?)),
        };
        if !self.atomic {
            self.place.write()?;
            self.place = next;
            return Ok(());
        }
        if self.place.name == next.name && self.place.store.path() == next.store.path() {
            return Ok(());
        }
        let is_next = |place: &Place| place.name == next.name && place.store.path() == next.store.path();
        let next = match self.left.iter().position(is_next) {
            Some(at) => self.left.remove(at),
            None => next,
        };
        self.left.push(std::mem::replace(&mut self.place, next));
        Ok(())
    }
}
