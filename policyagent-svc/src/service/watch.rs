//! Notices that files of the policy, or the settings, have changed.
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use super::answers::Service;
use super::policy::Look;
use crate::document::directory_of;

/// An edit is over when nothing has happened for so long, or after the longest wait.
const QUIET: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_millis(500);

/// How long it is waited when the system gives no notice of changes.
const AGAIN: Duration = Duration::from_secs(60);

/// Follows the files of the policy for ever.
pub(super) async fn follow(service: &Service) {
    let mut told = false;
    loop {
        let mut files = service.policy.lock().await.files();
        files.insert(service.settings.lock().await.path().clone());
        // Before it is looked whether something has changed: what changes from now on is noticed.
        let watch = watch(&files);
        if service.settings.lock().await.has_changed() {
            service.follow_settings().await;
        }
        if service.policy.lock().await.has_changed() {
            // What is wrong is told, and an engine that is gone needs no policy.
            let _ = service.follow_and_tell(Look::Changed, "the policy has changed").await;
            continue;
        }
        let changed = match watch {
            Ok(watch) => change(&watch).await,
            Err(error) => Err(error),
        };
        if let Err(error) = changed {
            if !told {
                tracing::warn!(
                    target: "policyagent::service",
                    "changes of the policy's files are not noticed at once ({error}): `policyagent reload` reads them"
                );
            }
            told = true;
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Waits until something happens in the directories, and then until it is over.
async fn change(notices: &AsyncFd<OwnedFd>) -> std::io::Result<()> {
    // Something has happened: that is all that is asked.
    let read = || notices.async_io(Interest::READABLE, |fd| Ok(nix::unistd::read(fd, &mut [0; 4096])?));
    read().await?;
    let latest = Instant::now() + LONGEST;
    loop {
        let until = latest.min(Instant::now() + QUIET);
        match tokio::time::timeout_at(until, read()).await {
            Ok(read) => {
                read?;
            }
            Err(_) => return Ok(()),
        }
    }
}

/// Watches the directories of the files: files are replaced, and then others under the same name.
fn watch(files: &BTreeSet<PathBuf>) -> std::io::Result<AsyncFd<OwnedFd>> {
    let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
    // Not each write: who writes in place is not done before the file is closed.
    let events = AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_MOVED_FROM
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_ATTRIB
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF;
    for directory in directories(files) {
        match inotify.add_watch(&directory, events) {
            // It has gone meanwhile; or its files cannot be read either, which is told where they are.
            Ok(_) | Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) => {}
            Err(error) => return Err(error.into()),
        }
    }
    ikedaemon::sys::watch(inotify.into())
}

/// The directories that files come, go and change in: of a link also that of what it leads to, of a directory itself, and of
/// one that is not there the nearest above it.
fn directories(files: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let mut directories = BTreeSet::new();
    for file in files {
        let target = std::fs::canonicalize(file).ok();
        for path in [Some(file), target.as_ref()].into_iter().flatten() {
            let mut directory = if path.is_dir() { path.clone() } else { directory_of(path) };
            while !directory.is_dir() && directory != Path::new("") {
                directory = directory_of(&directory);
            }
            directories.insert(directory);
        }
    }
    directories
}
